/* SPDX-License-Identifier: Apache-2.0 */
/* hilbenchd: the daemon that owns a lab's rigs. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "../base/log.h"
#include "config.h"
#include "housekeeping.h"
#include "job/keeper.h"

#define STANDARD_CONFIG "/etc/hilbench/hilbenchd.yaml"
#define EXIT_USAGE      2
#define EXIT_BENCH      3
#define EXIT_BREACHES   1
#define FAREWELL_US     UINT64_C(100000)

struct daemon {
	struct daemon_config *config;
	sd_event *event;
	struct book *book;
	struct lab *lab;
	struct api *api;
	struct http_server *server;
	struct housekeeping *housekeeping;
	bool stopping;
};

static int fail(const struct error *error)
{
	char text[1400];
	fprintf(stderr, "hilbenchd: %s\n", error_describe(error, text, sizeof(text)));
	return error->domain == ERROR_USAGE ? EXIT_USAGE : EXIT_BENCH;
}

/* ---- starting ---- */

/* Sockets that systemd holds: one UNIX, one TCP at most. */
static int take_sockets(struct http_listen *listen, struct error *err)
{
	int count = sd_listen_fds(1);
	if (count < 0)
		return error_set(err, ERROR_BENCH, -count, "sockets of the service manager: %s", strerror(-count));
	for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; fd++) {
		if (sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) > 0 && listen->socket_fd < 0)
			listen->socket_fd = fd;
		else if (sd_is_socket_inet(fd, AF_UNSPEC, SOCK_STREAM, 1, 0) > 0 && listen->tcp_fd < 0)
			listen->tcp_fd = fd;
		else
			return error_set(err, ERROR_USAGE, EINVAL,
			                 "socket %d of the service manager is neither the UNIX nor the TCP socket", fd);
	}
	return 0;
}

static int serve(struct daemon *daemon, struct error *err)
{
	const struct daemon_config *config = daemon->config;
	struct api_options options = {.upload_limit = config->upload_limit,
	                              .state_directory = config->state,
	                              .retries = config->lab.retries,
	                              .retention_bytes = config->lab.retention.bytes};
	struct http_listen listen = {.socket_fd = -1,
	                             .tcp_fd = -1,
	                             .socket_path = config->socket,
	                             .address = config->address,
	                             .certificate = config->certificate,
	                             .key = config->key,
	                             .names = (const char *const *)config->names,
	                             .loopback_role = config->loopback_role};
	size_t count;
	int r = api_new(&daemon->api, daemon->event, daemon->book, daemon->lab, &options, err);
	if (r == 0)
		r = take_sockets(&listen, err);
	if (r < 0)
		return r;
	const struct http_route *routes = api_routes(&count);
	return http_server_new(&daemon->server, daemon->event, &listen, routes, count, api_token, daemon->api, err);
}

static int start(struct daemon *daemon, struct error *err)
{
	struct daemon_config *config = daemon->config;
	int r = book_open(&daemon->book, config->state, err);
	if (r == 0)
		r = lab_new(&daemon->lab, daemon->event, daemon->book, &config->lab, err);
	if (r == 0)
		r = serve(daemon, err);
	if (r == 0)
		r = lab_start(daemon->lab, err);
	if (r == 0)
		r = housekeeping_new(&daemon->housekeeping, daemon->event, daemon->book, &config->lab.retention, err);
	if (r == 0)
		lab_on_no_space(daemon->lab, housekeeping_hurry, daemon->housekeeping);
	return r;
}

static void stop(struct daemon *daemon)
{
	if (daemon->lab)
		lab_on_no_space(daemon->lab, NULL, NULL);
	housekeeping_free(daemon->housekeeping);
	if (daemon->server)
		http_server_free(daemon->server);
	if (daemon->api)
		api_free(daemon->api);
	if (daemon->lab)
		lab_free(daemon->lab);
	book_close(daemon->book);
}

/* ---- ending ---- */

static int on_farewell(sd_event_source *source, uint64_t usec, void *context)
{
	struct daemon *daemon = context;
	return sd_event_exit(daemon->event, 0);
}

/* Whoever watches gets the end of his stream, and not a broken one. */
static void on_still(void *context)
{
	struct daemon *daemon = context;
	if (http_server_connections(daemon->server) == 0 ||
	    sd_event_add_time_relative(daemon->event, NULL, CLOCK_MONOTONIC, FAREWELL_US, 0, on_farewell, daemon) < 0)
		sd_event_exit(daemon->event, 0);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	struct daemon *daemon = context;
	if (daemon->stopping) {
		/* Asked twice: runs go on under their keepers, and the next daemon takes them over. */
		log_warning("asked to end a second time: runs are left to their keepers");
		return sd_event_exit(daemon->event, 0);
	}
	daemon->stopping = true;
	log_info("ending: no new runs; those that run are interrupted, and their jobs wait for the next start");
	(void)sd_notify(0, "STOPPING=1");
	api_stop(daemon->api);
	lab_stop(daemon->lab, on_still, daemon);
	return 0;
}

static int catch_signals(struct daemon *daemon, struct error *err)
{
	static const int signals[] = {SIGINT, SIGTERM};
	sigset_t set;
	int r = 0;
	sigemptyset(&set);
	for (unsigned i = 0; i < 2; i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	for (unsigned i = 0; r >= 0 && i < 2; i++)
		r = sd_event_add_signal(daemon->event, NULL, signals[i], on_signal, daemon);
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "cannot catch signals: %s", strerror(-r)) : 0;
}

/* ---- the daemon's life ---- */

static void tell_where(const struct daemon *daemon)
{
	const struct daemon_config *config = daemon->config;
	unsigned port = http_server_port(daemon->server);
	log_info("%zu rigs, state in %s, socket %s", config->lab.rig_count, config->state, config->socket);
	if (port > 0)
		log_info("pages at http%s://%.*s:%u/", config->certificate ? "s" : "",
		         config->address ? (int)(strrchr(config->address, ':') - config->address) : 9,
		         config->address ? config->address : "127.0.0.1", port);
	(void)sd_notify(0, "READY=1");
}

static int live(struct daemon_config *config)
{
	struct daemon daemon = {.config = config};
	struct error error = {0};
	int r = sd_event_default(&daemon.event);
	if (r < 0)
		r = error_set(&error, ERROR_BENCH, -r, "cannot make an event loop: %s", strerror(-r));
	if (r >= 0)
		r = catch_signals(&daemon, &error);
	if (r == 0)
		r = start(&daemon, &error);
	if (r == 0) {
		(void)sd_event_set_watchdog(daemon.event, true);
		tell_where(&daemon);
		r = sd_event_loop(daemon.event);
		if (r < 0)
			r = error_set(&error, ERROR_BENCH, -r, "the event loop: %s", strerror(-r));
	}
	stop(&daemon);
	sd_event_unref(daemon.event);
	return r < 0 ? fail(&error) : 0;
}

/* ---- the command line ---- */

static void print_breach(const char *breach, void *context)
{
	puts(breach);
}

static int check_books(const char *directory, bool deep)
{
	struct error error = {0};
	struct book *book;
	unsigned breaches;
	int r = book_open_to_read(&book, directory, &error);
	if (r < 0)
		return fail(&error);
	r = book_check(book, deep, print_breach, NULL, &breaches, &error);
	book_close(book);
	if (r < 0)
		return fail(&error);
	printf("%u breach%s\n", breaches, breaches == 1 ? "" : "es");
	return breaches ? EXIT_BREACHES : 0;
}

static int print_schema(void)
{
	json_t *schema = schema_daemon_config();
	int r = schema ? json_dumpf(schema, stdout, JSON_INDENT(2)) : -1;
	json_decref(schema);
	return r == 0 && putchar('\n') != EOF ? 0 : EXIT_BENCH;
}

static void usage(FILE *out)
{
	fputs("usage: hilbenchd [--config FILE] [--check-config]\n"
	      "       hilbenchd --check-books DIRECTORY [--deep]\n"
	      "       hilbenchd --schema | --version\n\n"
	      "  --config FILE      the configuration (" STANDARD_CONFIG ")\n"
	      "  --check-config     says what is wrong with it, and ends\n"
	      "  --check-books DIR  every rule that the database and the files of a state directory keep; nothing is changed\n"
	      "  --deep             reads every stored file as well\n"
	      "  --schema           JSON Schema of the configuration\n",
	      out);
}

struct arguments {
	const char *config, *books;
	bool check_config, deep, schema, version;
};

static int read_arguments(struct arguments *arguments, int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
	                                        {"check-config", no_argument, NULL, 'k'},
	                                        {"check-books", required_argument, NULL, 'b'},
	                                        {"deep", no_argument, NULL, 'd'},
	                                        {"schema", no_argument, NULL, 's'},
	                                        {"version", no_argument, NULL, 'v'},
	                                        {"help", no_argument, NULL, 'h'},
	                                        {0}};
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			arguments->config = optarg;
			break;
		case 'b':
			arguments->books = optarg;
			break;
		case 'k':
			arguments->check_config = true;
			break;
		case 'd':
			arguments->deep = true;
			break;
		case 's':
			arguments->schema = true;
			break;
		case 'v':
			arguments->version = true;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return 0;
	fprintf(stderr, "hilbenchd: \"%s\" is not an option\n", argv[optind]);
	return EXIT_USAGE;
}

static int run(const struct arguments *arguments)
{
	struct error error = {0};
	struct daemon_config *config;
	if (arguments->version)
		return puts("hilbenchd " HILBENCH_VERSION) == EOF ? EXIT_BENCH : 0;
	if (arguments->schema)
		return print_schema();
	if (arguments->books)
		return check_books(arguments->books, arguments->deep);
	if (daemon_config_load(arguments->config, &config, &error) < 0)
		return fail(&error);
	int status = arguments->check_config ? 0 : live(config);
	daemon_config_free(config);
	return status;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.config = STANDARD_CONFIG};
	/* Processes of the daemon's own: nothing else of it is set up in them. */
	if (argc == 3 && strcmp(argv[1], "--keep") == 0)
		return keeper_main(argv[2]);
	if (argc > 2 && strcmp(argv[1], "--errand") == 0)
		return errand_main(argc, argv);
	umask(027);
	log_set_level(LOG_LEVEL_INFO);
	int status = read_arguments(&arguments, argc, argv);
	return status ? status : run(&arguments);
}
