/* SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../faults/fault.h"
#include "../../port/posix/port_posix.h"

static int console_fd = -1, key_log_fd = -1;

static const char *path_of(const char *name, const char *suffix)
{
	static char path[512];
	snprintf(path, sizeof path, "%s/%s%s", getenv("TEST_CERTIFICATES"), name, suffix);
	return path;
}

static void load_object(const char *object, const char *name, const char *suffix)
{
	int fd = open(path_of(name, suffix), O_RDONLY | O_CLOEXEC);
	ck_assert_msg(fd >= 0, "no fixture %s%s", name, suffix);
	ck_assert_int_eq(port_posix_object_read(object, fd), 0);
	close(fd);
}

void peer_firmware(const char *authority, const char *certificate, const char *faults)
{
	/* The port writes its console to descriptor 1. */
	fflush(stdout);
	console_fd = memfd_create("console", MFD_CLOEXEC);
	dup2(console_fd, STDOUT_FILENO);
	key_log_fd = memfd_create("key log", MFD_CLOEXEC);
	port_posix_key_log(key_log_fd);
	port_posix_clock_start(port_posix_now_ns());
	load_object("tls.ca", authority, ".pem");
	load_object("tls.certificate", certificate, ".pem");
	load_object("tls.key", certificate, ".key");
	if (faults)
		port_posix_parameter_set("fault", faults);
	fault_load();
	ck_assert_int_eq(tls_start(), PORT_OK);
}

static const char *text_of(int fd)
{
	static char text[16384];
	ssize_t n = pread(fd, text, sizeof text - 1, 0);
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

const char *peer_console(void)
{
	return text_of(console_fd);
}

const char *peer_firmware_secrets(void)
{
	return text_of(key_log_fd);
}

static void on_secret(const SSL *ssl, const char *line)
{
	struct peer *peer = SSL_get_app_data(ssl);
	size_t length = strlen(peer->secrets);
	snprintf(peer->secrets + length, sizeof peer->secrets - length, "%s\n", line);
}

static void on_info(const SSL *ssl, int where, int value)
{
	struct peer *peer = SSL_get_app_data(ssl);
	if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
		peer->alert = value & 0xff;
}

static SSL_CTX *make_context(const struct peer *peer)
{
	SSL_CTX *context = SSL_CTX_new(peer->server ? TLS_server_method() : TLS_client_method());
	ck_assert_ptr_nonnull(context);
	SSL_CTX_set_min_proto_version(context, peer->version);
	SSL_CTX_set_max_proto_version(context, peer->version);
	ck_assert_int_eq(SSL_CTX_load_verify_file(context, path_of("ca", ".pem")), 1);
	/* It asks for a certificate but takes any: the refusals under test are the firmware's. */
	SSL_CTX_set_verify(context, peer->server ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_PEER, NULL);
	if (peer->certificate) {
		ck_assert_int_eq(SSL_CTX_use_certificate_file(context, path_of(peer->certificate, ".pem"), SSL_FILETYPE_PEM), 1);
		ck_assert_int_eq(SSL_CTX_use_PrivateKey_file(context, path_of(peer->certificate, ".key"), SSL_FILETYPE_PEM), 1);
	}
	SSL_CTX_set_keylog_callback(context, on_secret);
	SSL_CTX_set_info_callback(context, on_info);
	return context;
}

static int listener(struct port_endpoint *ret_local)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, length), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	*ret_local = (struct port_endpoint){.family = 4, .address = {127, 0, 0, 1}, .port = ntohs(address.sin_port)};
	return fd;
}

void peer_connect(struct peer *peer, const char *expected)
{
	struct port_endpoint remote;
	struct tls_config *config;
	port_socket socket;
	const struct tls_config_options options = {.role = peer->server ? TLS_CLIENT : TLS_SERVER,
	                                           .minimum_version = 0x0303,
	                                           .maximum_version = 0x0304,
	                                           .peer_name = expected};
	ck_assert_int_eq(tls_config_make(&options, &config), PORT_OK);
	int listening = listener(&remote);
	ck_assert_int_eq(port_tcp_connect(NULL, &remote, &socket), PORT_OK);
	peer->fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	close(listening);
	ck_assert_int_ge(peer->fd, 0);
	setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	ck_assert_int_eq(tls_stream(&peer->stream, config, socket), PORT_OK);
	peer->context = make_context(peer);
	peer->ssl = SSL_new(peer->context);
	peer->alert = -1;
	SSL_set_app_data(peer->ssl, peer);
	SSL_set_fd(peer->ssl, peer->fd);
	if (peer->server)
		SSL_set_accept_state(peer->ssl);
	else
		SSL_set_connect_state(peer->ssl);
}

int peer_turn(struct peer *peer, void *buffer, size_t size)
{
	ERR_clear_error();
	int r = SSL_is_init_finished(peer->ssl) ? SSL_read(peer->ssl, buffer, (int)size) : SSL_do_handshake(peer->ssl);
	bool finished = SSL_is_init_finished(peer->ssl);
	int error = SSL_get_error(peer->ssl, r);
	if (finished && !peer->established) {
		peer->established = true;
		return 0;
	}
	if (r > 0)
		return r;
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return 0;
	return -1;
}

void peer_handshake(struct peer *peer)
{
	char rubbish[16];
	bool ended = false;
	peer->status = PORT_WOULD_BLOCK;
	/* After its own end each side gets some more turns: an alert may be on its way. */
	for (int after = 0; after < 20;) {
		if (peer->status == PORT_WOULD_BLOCK)
			peer->status = stream_establish(&peer->stream);
		if (!ended && peer_turn(peer, rubbish, sizeof rubbish) < 0)
			ended = true;
		if (peer->status != PORT_WOULD_BLOCK && (ended || peer->established))
			after++;
		/* A side that gave up closes, so that the other one ends too. */
		if (ended && peer->status == PORT_WOULD_BLOCK)
			shutdown(peer->fd, SHUT_WR);
		ck_assert_msg(port_time_us() < 5000000, "the handshake has no end");
		port_wait(port_time_us() + 500);
	}
}

void peer_free(struct peer *peer)
{
	stream_close(&peer->stream);
	SSL_free(peer->ssl);
	SSL_CTX_free(peer->context);
	close(peer->fd);
}
