/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon_client.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/bytes.h"
#include "../base/hex.h"
#include "../base/loop.h"

#define ANSWER_MAX  (64u << 20)
#define REFUSAL_MAX (64u << 10) /* of the body of an error */
#define LIMIT_MS    30000
#define CONNECT_MS  5000
#define STALL_S     60 /* a transfer without a byte for so long is given up */
#define PAUSE_MS    200

struct daemon_client {
	struct daemon_place place;
	struct curl_slist *headers, *json_headers; /* with the token; and with the type of a JSON body */
	CURLM *multi;
	int signal_fd;
};

/* ---- life ---- */

static int no_memory(struct error *err)
{
	return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

static bool add_header(struct curl_slist **list, const char *text)
{
	struct curl_slist *grown = curl_slist_append(*list, text);
	if (grown)
		*list = grown;
	return grown != NULL;
}

static int set_up(struct daemon_client *client, struct error *err)
{
	char *bearer = NULL;
	/* "Expect:" off: no waiting for a go-ahead that the daemon would give at once anyway. */
	bool good = add_header(&client->headers, "Expect:") && add_header(&client->json_headers, "Expect:") &&
	            add_header(&client->json_headers, "Content-Type: application/json");
	if (good && client->place.token) {
		good = asprintf(&bearer, "Authorization: Bearer %s", client->place.token) >= 0;
		good = good && add_header(&client->headers, bearer) && add_header(&client->json_headers, bearer);
		if (bearer)
			explicit_bzero(bearer, strlen(bearer));
		free(bearer);
	}
	client->multi = curl_multi_init();
	return good && client->multi ? 0 : no_memory(err);
}

int daemon_client_new(struct daemon_client **ret, const struct daemon_where *where, struct error *err)
{
	struct daemon_client *client = calloc(1, sizeof(*client));
	if (!client || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(client);
		return no_memory(err);
	}
	client->signal_fd = -1;
	(void)signal(SIGPIPE, SIG_IGN);
	int r = daemon_place_find(where, &client->place, err);
	if (r == 0)
		r = set_up(client, err);
	if (r < 0)
		daemon_client_free(client);
	else
		*ret = client;
	return r;
}

int daemon_client_again(struct daemon_client **ret, const struct daemon_client *of, struct error *err)
{
	struct daemon_client *client = calloc(1, sizeof(*client));
	if (!client)
		return no_memory(err);
	const struct daemon_place *from = &of->place;
	client->signal_fd = -1;
	client->place = (struct daemon_place){.base = strdup(from->base),
	                                      .name = strdup(from->name),
	                                      .socket = from->socket ? strdup(from->socket) : NULL,
	                                      .token = from->token ? strdup(from->token) : NULL,
	                                      .ca_file = from->ca_file ? strdup(from->ca_file) : NULL,
	                                      .is_local = from->is_local};
	const struct daemon_place *to = &client->place;
	bool good = to->base && to->name && !to->socket == !from->socket && !to->token == !from->token && !to->ca_file == !from->ca_file;
	int r = good ? set_up(client, err) : no_memory(err);
	if (r < 0)
		daemon_client_free(client);
	else
		*ret = client;
	return r;
}

void daemon_client_free(struct daemon_client *client)
{
	if (!client)
		return;
	curl_slist_free_all(client->headers);
	curl_slist_free_all(client->json_headers);
	curl_multi_cleanup(client->multi);
	if (client->signal_fd >= 0)
		(void)close(client->signal_fd);
	daemon_place_clear(&client->place);
	free(client);
}

const char *daemon_client_name(const struct daemon_client *client)
{
	return client->place.name;
}

/* ---- signals ---- */

int daemon_client_catch_signals(struct daemon_client *client, struct error *err)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	client->signal_fd = signalfd(client->signal_fd, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (client->signal_fd < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot catch signals: %s", strerror(errno));
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	return 0;
}

int daemon_client_signal(struct daemon_client *client)
{
	struct signalfd_siginfo info;
	if (client->signal_fd < 0 || read(client->signal_fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	return (int)info.ssi_signo;
}

int daemon_client_signal_fd(const struct daemon_client *client)
{
	return client->signal_fd;
}

static bool signal_waits(const struct daemon_client *client)
{
	struct pollfd fd = {client->signal_fd, POLLIN, 0};
	return client->signal_fd >= 0 && poll(&fd, 1, 0) > 0;
}

/* ---- what went wrong ---- */

bool daemon_is_away(int r)
{
	return r == -ECONNREFUSED || r == -ECONNRESET || r == -ETIMEDOUT || r == -ESHUTDOWN || r == -EAGAIN;
}

static const struct {
	long status;
	enum error_domain domain;
	int code;
} meanings[] = {
        {400, ERROR_USAGE, EINVAL},    {401, ERROR_USAGE, EACCES},    {403, ERROR_USAGE, EPERM},  {404, ERROR_USAGE, ENOENT},
        {405, ERROR_USAGE, ENOTSUP},   {409, ERROR_USAGE, EBUSY},     {410, ERROR_USAGE, ESTALE}, {413, ERROR_USAGE, EFBIG},
        {415, ERROR_USAGE, ENOTSUP},   {422, ERROR_USAGE, EHOSTDOWN}, {429, ERROR_BENCH, EAGAIN}, {500, ERROR_BENCH, EIO},
        {503, ERROR_BENCH, ESHUTDOWN}, {507, ERROR_BENCH, ENOSPC},
};

static struct place place_of(const json_t *error)
{
	const json_t *place = json_object_get(error, "place");
	const char *file = json_string_value(json_object_get(place, "file"));
	if (!file)
		return (struct place){0};
	return (struct place){place_intern(file), (unsigned)json_integer_value(json_object_get(place, "line")),
	                      (unsigned)json_integer_value(json_object_get(place, "column"))};
}

static int refused_access(const struct daemon_client *client, long status, const char *message, struct error *err)
{
	const char *name = client->place.name;
	if (status == 403)
		return error_set(err, ERROR_USAGE, EPERM, "%s does not let you: %s", name, message);
	if (client->place.token)
		return error_set(err, ERROR_USAGE, EACCES, "%s does not know the token: it is wrong, expired or removed", name);
	return error_set(err, ERROR_USAGE, EACCES, "%s wants a token: set HILBENCH_TOKEN or give --token-file", name);
}

int daemon_refused(const struct daemon_client *client, long status, const char *body, size_t length, struct error *err)
{
	json_t *json = json_loadb(body ? body : "", length, 0, NULL);
	const json_t *error = json_object_get(json, "error");
	const char *message = json_string_value(json_object_get(error, "message"));
	int r;
	size_t i = 0;
	while (i < sizeof(meanings) / sizeof(*meanings) && meanings[i].status != status)
		i++;
	if (status == 401 || status == 403)
		r = refused_access(client, status, message ? message : "it does not say why", err);
	else if (!message && status >= 502 && status <= 504) /* of something between it and us */
		r = error_set(err, ERROR_BENCH, ESHUTDOWN, "no daemon answers behind %s: status %ld", client->place.name, status);
	else if (!message)
		r = error_set(err, ERROR_BENCH, EPROTO, "what answers at %s is no hilbenchd: status %ld", client->place.name, status);
	else if (i == sizeof(meanings) / sizeof(*meanings))
		r = error_set_place(err, ERROR_BENCH, EIO, place_of(error), "%s", message);
	else
		r = error_set_place(err, meanings[i].domain, meanings[i].code, place_of(error), "%s", message);
	json_decref(json);
	return r;
}

static int no_connection(const struct daemon_client *client, CURL *transfer, struct error *err)
{
	long code = 0;
	(void)curl_easy_getinfo(transfer, CURLINFO_OS_ERRNO, &code);
	if (code == EACCES || code == EPERM)
		return error_set(err, ERROR_USAGE, EPERM, "you may not use %s: is your user in the group of hilbenchd?",
		                 client->place.name);
	return error_set(err, ERROR_BENCH, ECONNREFUSED, "no daemon answers at %s: is hilbenchd running?", client->place.name);
}

static int transfer_failed(const struct daemon_client *client, CURL *transfer, CURLcode code, const char *text, struct error *err)
{
	const char *name = client->place.name;
	switch (code) {
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
		return no_connection(client, transfer, err);
	case CURLE_OPERATION_TIMEDOUT:
		return error_set(err, ERROR_BENCH, ETIMEDOUT, "%s does not answer in time", name);
	case CURLE_PEER_FAILED_VERIFICATION:
		return error_set(err, ERROR_BENCH, EPERM, "the certificate of %s is not trusted: %s (--ca-file names the lab's authority)",
		                 name, *text ? text : curl_easy_strerror(code));
	case CURLE_SSL_CACERT_BADFILE:
		return error_set(err, ERROR_USAGE, EINVAL, "%s holds no certificates",
		                 client->place.ca_file ? client->place.ca_file : "the system");
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_PARTIAL_FILE:
		return error_set(err, ERROR_BENCH, ECONNRESET, "the connection to %s broke", name);
	case CURLE_OUT_OF_MEMORY:
		return no_memory(err);
	default:
		return error_set(err, ERROR_BENCH, EPROTO, "cannot talk to %s: %s", name, *text ? text : curl_easy_strerror(code));
	}
}

/* ---- one request ---- */

CURL *daemon_client_transfer(struct daemon_client *client, const char *path)
{
	CURL *transfer = curl_easy_init();
	char *url = NULL;
	if (!transfer || asprintf(&url, "%s%s", client->place.base, path) < 0) {
		curl_easy_cleanup(transfer);
		return NULL;
	}
	bool good = curl_easy_setopt(transfer, CURLOPT_URL, url) == CURLE_OK;
	free(url);
	(void)curl_easy_setopt(transfer, CURLOPT_PATH_AS_IS, 1L);
	(void)curl_easy_setopt(transfer, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(transfer, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(transfer, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	(void)curl_easy_setopt(transfer, CURLOPT_TCP_KEEPALIVE, 1L);
	good = good && curl_easy_setopt(transfer, CURLOPT_USERAGENT, "hilbench/" HILBENCH_VERSION) == CURLE_OK;
	good = good && curl_easy_setopt(transfer, CURLOPT_HTTPHEADER, client->headers) == CURLE_OK;
	if (client->place.socket)
		good = good && curl_easy_setopt(transfer, CURLOPT_UNIX_SOCKET_PATH, client->place.socket) == CURLE_OK;
	if (client->place.is_local)
		good = good && curl_easy_setopt(transfer, CURLOPT_PROXY, "") == CURLE_OK;
	if (client->place.ca_file)
		good = good && curl_easy_setopt(transfer, CURLOPT_CAINFO, client->place.ca_file) == CURLE_OK;
	if (!good) {
		curl_easy_cleanup(transfer);
		return NULL;
	}
	return transfer;
}

struct curl_slist *daemon_client_headers(const struct daemon_client *client, const char *more)
{
	struct curl_slist *list = NULL;
	bool good = add_header(&list, more);
	for (const struct curl_slist *at = client->headers; good && at; at = at->next)
		good = add_header(&list, at->data);
	if (good)
		return list;
	curl_slist_free_all(list);
	return NULL;
}

/* What comes back. */
struct answer {
	const struct daemon_request *request;
	CURL *transfer;
	struct bytes body;
	int failed; /* of the sink or of memory */
	uint64_t sent;
	int unread; /* of the file that is the body */
};

/* A file that is shorter than it was ends the transfer: curl would wait for the rest. */
static size_t on_send(char *data, size_t size, size_t count, void *context)
{
	struct answer *answer = context;
	uint64_t left = answer->request->file_size - answer->sent;
	size_t wanted = size * count < left ? size * count : (size_t)left;
	ssize_t n;
	do
		n = wanted ? pread(answer->request->file, data, wanted, (off_t)answer->sent) : 0;
	while (n < 0 && errno == EINTR);
	if (n < 0 || (n == 0 && left > 0)) {
		answer->unread = n < 0 ? -errno : -ESTALE;
		return CURL_READFUNC_ABORT;
	}
	answer->sent += (uint64_t)n;
	return (size_t)n;
}

static int on_rewind(void *context, curl_off_t offset, int origin)
{
	struct answer *answer = context;
	if (origin != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	answer->sent = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

static void set_file(struct answer *answer)
{
	CURL *transfer = answer->transfer;
	(void)curl_easy_setopt(transfer, CURLOPT_UPLOAD, 1L);
	(void)curl_easy_setopt(transfer, CURLOPT_INFILESIZE_LARGE, (curl_off_t)answer->request->file_size);
	(void)curl_easy_setopt(transfer, CURLOPT_READFUNCTION, on_send);
	(void)curl_easy_setopt(transfer, CURLOPT_READDATA, answer);
	(void)curl_easy_setopt(transfer, CURLOPT_SEEKFUNCTION, on_rewind);
	(void)curl_easy_setopt(transfer, CURLOPT_SEEKDATA, answer);
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
	struct answer *answer = context;
	size_t length = size * count;
	long status = 0;
	(void)curl_easy_getinfo(answer->transfer, CURLINFO_RESPONSE_CODE, &status);
	bool good = status >= 200 && status < 300;
	if (good && answer->request->sink)
		answer->failed = answer->request->sink(data, length, answer->request->context);
	else if (answer->body.length + length > (good ? ANSWER_MAX : REFUSAL_MAX))
		answer->failed = good ? -EFBIG : 0; /* of an error the beginning is enough */
	else
		answer->failed = bytes_append(&answer->body, data, length);
	return answer->failed < 0 ? CURL_WRITEFUNC_ERROR : length;
}

static void set_method(CURL *transfer, const struct daemon_request *request, const struct daemon_client *client, char *text)
{
	const char *method = request->method ? request->method : "GET";
	const void *body = text ? text : request->bytes;
	if (!strcmp(method, "HEAD")) {
		(void)curl_easy_setopt(transfer, CURLOPT_NOBODY, 1L);
	} else if (body || !strcmp(method, "POST")) {
		(void)curl_easy_setopt(transfer, CURLOPT_POSTFIELDS, body ? body : "");
		(void)curl_easy_setopt(transfer, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(text ? strlen(text) : request->length));
	}
	if (text || (!body && !strcmp(method, "POST")))
		(void)curl_easy_setopt(transfer, CURLOPT_HTTPHEADER, client->json_headers);
	if (strcmp(method, "HEAD") != 0)
		(void)curl_easy_setopt(transfer, CURLOPT_CUSTOMREQUEST, method);
}

/* Until the transfer ends: its code in *ret. -ECANCELED: a signal came first. */
static int pump(struct daemon_client *client, CURL *transfer, bool whole, CURLcode *ret)
{
	int running = 1, left;
	*ret = CURLE_OUT_OF_MEMORY;
	if (curl_multi_add_handle(client->multi, transfer) != CURLM_OK)
		return 0;
	while (curl_multi_perform(client->multi, &running) == CURLM_OK && running && (whole || !signal_waits(client))) {
		struct curl_waitfd extra = {.fd = client->signal_fd, .events = CURL_WAIT_POLLIN};
		(void)curl_multi_poll(client->multi, &extra, client->signal_fd >= 0 && !whole, 1000, NULL);
	}
	for (CURLMsg *message; (message = curl_multi_info_read(client->multi, &left));)
		if (message->msg == CURLMSG_DONE)
			*ret = message->data.result;
	(void)curl_multi_remove_handle(client->multi, transfer);
	return running ? -ECANCELED : 0;
}

static int take_json(const struct daemon_client *client, const struct answer *answer, json_t **ret, struct error *err)
{
	json_error_t error;
	if (answer->request->sink || answer->body.length == 0)
		return 0;
	json_t *json = json_loadb((const char *)answer->body.data, answer->body.length, 0, &error);
	if (!json)
		return error_set(err, ERROR_BENCH, EPROTO, "what answers at %s is no hilbenchd: no JSON, %s", client->place.name,
		                 error.text);
	if (ret)
		*ret = json;
	else
		json_decref(json);
	return 0;
}

static int ask_with(struct daemon_client *client, struct answer *answer, char *text, long *ret_status, json_t **ret, struct error *err)
{
	const struct daemon_request *request = answer->request;
	char message[CURL_ERROR_SIZE] = "";
	CURLcode code;
	long status = 0;
	if (request->from_file)
		set_file(answer);
	set_method(answer->transfer, request, client, text);
	(void)curl_easy_setopt(answer->transfer, CURLOPT_ERRORBUFFER, message);
	(void)curl_easy_setopt(answer->transfer, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(answer->transfer, CURLOPT_WRITEDATA, answer);
	if (request->sink || request->bytes || request->from_file) { /* may be long: as long as it goes on */
		(void)curl_easy_setopt(answer->transfer, CURLOPT_LOW_SPEED_LIMIT, 1L);
		(void)curl_easy_setopt(answer->transfer, CURLOPT_LOW_SPEED_TIME, (long)STALL_S);
	} else {
		(void)curl_easy_setopt(answer->transfer, CURLOPT_TIMEOUT_MS, request->limit_ms ? request->limit_ms : (long)LIMIT_MS);
	}
	int r = pump(client, answer->transfer, request->whole, &code);
	(void)curl_easy_setopt(answer->transfer, CURLOPT_ERRORBUFFER, NULL);
	if (r < 0)
		return error_set(err, ERROR_OPERATOR, ECANCELED, "interrupted");
	if (answer->failed < 0)
		return error_set(err, ERROR_BENCH, -answer->failed, "cannot take the answer of %s: %s", client->place.name,
		                 strerror(-answer->failed));
	if (answer->unread < 0)
		return error_set(err, ERROR_BENCH, -answer->unread, "cannot read what is sent: %s", strerror(-answer->unread));
	if (code != CURLE_OK)
		return transfer_failed(client, answer->transfer, code, message, err);
	(void)curl_easy_getinfo(answer->transfer, CURLINFO_RESPONSE_CODE, &status);
	if (ret_status)
		*ret_status = status;
	if (status < 200 || status > 299)
		return daemon_refused(client, status, (const char *)answer->body.data, answer->body.length, err);
	return take_json(client, answer, ret, err);
}

static int ask_once(struct daemon_client *client, const struct daemon_request *request, long *ret_status, json_t **ret, struct error *err)
{
	struct answer answer = {.request = request, .transfer = daemon_client_transfer(client, request->path)};
	char *text = request->json ? json_dumps(request->json, JSON_COMPACT) : NULL;
	int r = !answer.transfer || (request->json && !text) ? no_memory(err) : ask_with(client, &answer, text, ret_status, ret, err);
	curl_easy_cleanup(answer.transfer);
	bytes_free(&answer.body);
	free(text);
	return r;
}

int daemon_ask(struct daemon_client *client, const struct daemon_request *request, long *ret_status, json_t **ret, struct error *err)
{
	int64_t end_ns = loop_now_ns() + request->patience_ns;
	if (ret)
		*ret = NULL;
	for (;;) {
		int r = ask_once(client, request, ret_status, ret, err);
		if (r == 0 || !daemon_is_away(r) || loop_now_ns() + PAUSE_MS * INT64_C(1000000) > end_ns)
			return r;
		struct pollfd fd = {client->signal_fd, POLLIN, 0};
		(void)poll(&fd, client->signal_fd >= 0 && !request->whole, PAUSE_MS);
	}
}

int daemon_get(struct daemon_client *client, json_t **ret, struct error *err, const char *format, ...)
{
	char *path = NULL;
	va_list arguments;
	va_start(arguments, format);
	int r = vasprintf(&path, format, arguments);
	va_end(arguments);
	if (r < 0)
		return no_memory(err);
	r = daemon_ask(client, &(struct daemon_request){.path = path}, NULL, ret, err);
	free(path);
	return r;
}

int daemon_post(struct daemon_client *client, json_t *stolen, json_t **ret, struct error *err, const char *format, ...)
{
	char *path = NULL;
	va_list arguments;
	va_start(arguments, format);
	int r = vasprintf(&path, format, arguments);
	va_end(arguments);
	r = r < 0 ? no_memory(err)
	          : daemon_ask(client, &(struct daemon_request){.method = "POST", .path = path, .json = stolen}, NULL, ret, err);
	free(path);
	json_decref(stolen);
	return r;
}

char *daemon_escape(const char *word, bool slashes)
{
	static const char hex[] = "0123456789ABCDEF";
	char *text = malloc(3 * strlen(word) + 1), *to = text;
	for (const unsigned char *at = (const unsigned char *)word; text && *at; at++) {
		if ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') || strchr("-._~", *at) ||
		    (slashes && *at == '/')) {
			*to++ = (char)*at;
		} else {
			*to++ = '%';
			*to++ = hex[*at >> 4];
			*to++ = hex[*at & 15];
		}
	}
	if (text)
		*to = '\0';
	return text;
}

/* ---- into files ---- */

struct saving {
	int fd;
	EVP_MD_CTX *digest;
};

static int on_saved(const void *data, size_t length, void *context)
{
	struct saving *saving = context;
	const char *at = data;
	if (EVP_DigestUpdate(saving->digest, data, length) != 1)
		return -EIO;
	while (length > 0) {
		ssize_t n = write(saving->fd, at, length);
		if (n < 0 && errno != EINTR)
			return -errno;
		at += n > 0 ? n : 0;
		length -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int check_digest(struct saving *saving, const char *sha256, const char *file, struct error *err)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char text[2 * EVP_MAX_MD_SIZE + 1];
	unsigned length = 0;
	if (EVP_DigestFinal_ex(saving->digest, digest, &length) != 1)
		return error_set(err, ERROR_BENCH, EIO, "cannot compute a digest");
	return !sha256 || !strcmp(sha256, hex_text(digest, length, text))
	               ? 0
	               : error_set(err, ERROR_BENCH, EBADMSG, "what came for %s has another digest than was told", file);
}

static int save_as(struct daemon_client *client, const char *path, const char *file, const char *temporary, const char *sha256,
                   struct error *err)
{
	struct saving saving = {.fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), .digest = EVP_MD_CTX_new()};
	int r = 0;
	if (saving.fd < 0)
		r = error_set(err, ERROR_BENCH, errno, "cannot write %s: %s", temporary, strerror(errno));
	else if (!saving.digest || EVP_DigestInit_ex(saving.digest, EVP_sha256(), NULL) != 1)
		r = no_memory(err);
	if (r == 0)
		r = daemon_ask(client, &(struct daemon_request){.path = path, .sink = on_saved, .context = &saving}, NULL, NULL, err);
	if (r == 0)
		r = check_digest(&saving, sha256, file, err);
	if (saving.fd >= 0 && close(saving.fd) < 0 && r == 0)
		r = error_set(err, ERROR_BENCH, errno, "cannot write %s: %s", temporary, strerror(errno));
	EVP_MD_CTX_free(saving.digest);
	if (r == 0 && rename(temporary, file) < 0)
		r = error_set(err, ERROR_BENCH, errno, "cannot write %s: %s", file, strerror(errno));
	if (r < 0)
		(void)unlink(temporary);
	return r;
}

int daemon_save(struct daemon_client *client, const char *file, const char *sha256, struct error *err, const char *format, ...)
{
	char *path = NULL, *temporary = NULL;
	va_list arguments;
	va_start(arguments, format);
	int r = vasprintf(&path, format, arguments);
	va_end(arguments);
	if (r < 0 || asprintf(&temporary, "%s.part-%d", file, (int)getpid()) < 0)
		r = no_memory(err);
	else
		r = save_as(client, path, file, temporary, sha256, err);
	free(path);
	free(temporary);
	return r;
}
