/* SPDX-License-Identifier: Apache-2.0 */
#include "tls_context.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "stream_private.h"

#define KEPT_MAX 64 /* identities x versions of a large test set; the oldest goes first */

static struct kept {
	char *key;
	SSL_CTX *context;
} kept[KEPT_MAX];
static unsigned next_place;

/* A path with what tells whether its content is still the same. */
static int describe_file(const char *path, char **ret)
{
	struct stat status = {0};

	if (path)
		(void)stat(path, &status); /* a missing file is told when it is read */
	return asprintf(ret, "%s %llu %llu %lld.%09ld", path ? path : "-", (unsigned long long)status.st_ino,
	                (unsigned long long)status.st_size, (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

static char *make_key(const struct tls_identity *identity, bool server)
{
	char *ca = NULL, *certificate = NULL, *key = NULL, *whole = NULL;

	if (describe_file(identity->ca, &ca) < 0)
		ca = NULL;
	if (describe_file(identity->certificate, &certificate) < 0)
		certificate = NULL;
	if (describe_file(identity->key, &key) < 0)
		key = NULL;
	if (ca && certificate && key &&
	    asprintf(&whole, "%d|%s|%s|%s|%04x-%04x|%s|%d", server, ca, certificate, key, identity->minimum_version,
	             identity->maximum_version, identity->groups ? identity->groups : "", identity->verify_peer) < 0)
		whole = NULL;
	free(ca);
	free(certificate);
	free(key);
	return whole;
}

static int tls_error(struct error *err, const char *what, const char *subject)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code ? (ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code)) : NULL;
	int r = error_set(err, ERROR_TESTCASE, EINVAL, "%s %s: %s", what, subject, reason ? reason : "unusable");

	ERR_clear_error();
	return r;
}

/* Takes any certificate, and none: a scanner wants to see the rest. */
static int accept_any(int verified, X509_STORE_CTX *store)
{
	return 1;
}

static int load_identity(SSL_CTX *context, const struct tls_identity *identity, bool server, struct error *err)
{
	const char *key = identity->key ? identity->key : identity->certificate;

	if (identity->ca && SSL_CTX_load_verify_file(context, identity->ca) != 1)
		return tls_error(err, "cannot use the CA file", identity->ca);
	if (identity->certificate && SSL_CTX_use_certificate_chain_file(context, identity->certificate) != 1)
		return tls_error(err, "cannot use the certificate", identity->certificate);
	if (identity->certificate && SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
		return tls_error(err, "cannot use the key", key);
	if (identity->groups && SSL_CTX_set1_groups_list(context, identity->groups) != 1)
		return tls_error(err, "cannot use the groups", identity->groups);
	if (server && identity->ca) {
		STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(identity->ca);

		if (!names)
			return tls_error(err, "cannot use the CA file", identity->ca);
		SSL_CTX_set_client_CA_list(context, names);
	}
	if (identity->verify_peer)
		SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	else
		SSL_CTX_set_verify(context, SSL_VERIFY_PEER, accept_any);
	return 0;
}

static int make_context(const struct tls_identity *identity, bool server, SSL_CTX **ret, struct error *err)
{
	SSL_CTX *context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	int r;

	if (!context)
		return error_set(err, ERROR_BENCH, ENOMEM, "cannot make a TLS context");
	/* Each connection of a test is a full handshake: no tickets, no sessions, no second handshake inside. */
	(void)SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
	(void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_num_tickets(context, 0);
	SSL_CTX_set_keylog_callback(context, stream_on_key_log);
	SSL_CTX_set_info_callback(context, stream_on_tls_info);
	if (SSL_CTX_set_min_proto_version(context, identity->minimum_version) != 1 ||
	    SSL_CTX_set_max_proto_version(context, identity->maximum_version) != 1)
		r = error_set(err, ERROR_TESTCASE, EINVAL, "TLS versions 0x%04x to 0x%04x are unknown", identity->minimum_version,
		              identity->maximum_version);
	else
		r = load_identity(context, identity, server, err);
	if (r < 0) {
		SSL_CTX_free(context);
		return r;
	}
	*ret = context;
	return 0;
}

int tls_context_get(const struct tls_identity *identity, bool server, SSL_CTX **ret, struct error *err)
{
	char *key = make_key(identity, server);
	SSL_CTX *context = NULL;
	int r;

	if (!key)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	for (unsigned i = 0; i < KEPT_MAX; i++) {
		if (!kept[i].key || strcmp(kept[i].key, key) != 0)
			continue;
		free(key);
		(void)SSL_CTX_up_ref(kept[i].context);
		*ret = kept[i].context;
		return 0;
	}
	r = make_context(identity, server, &context, err);
	if (r < 0) {
		free(key);
		return r;
	}
	SSL_CTX_free(kept[next_place].context);
	free(kept[next_place].key);
	kept[next_place] = (struct kept){key, context};
	next_place = (next_place + 1) % KEPT_MAX;
	(void)SSL_CTX_up_ref(context);
	*ret = context;
	return 0;
}

void tls_context_forget(void)
{
	for (unsigned i = 0; i < KEPT_MAX; i++) {
		SSL_CTX_free(kept[i].context);
		free(kept[i].key);
		kept[i] = (struct kept){0};
	}
	next_place = 0;
}
