/* SPDX-License-Identifier: Apache-2.0 */
#include "config_listen.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/http_socket.h"

#define PEM_LIMIT (1 << 20) /* as the server reads at most */

/* An error gets the place of what it is about. */
static int at(const struct value *value, int r, struct error *err)
{
	if (r < 0 && err)
		err->place = value->place;
	return r;
}

static int check_socket(const struct daemon_config *config, const struct value *listen, const struct value *root, struct error *err)
{
	const struct value *given = value_get(listen, "socket");
	return at(given ? given : value_get(root, "state"), http_socket_check_path(config->socket, err), err);
}

/* ---- TLS ---- */

/* Nobody is asked for a passphrase: the daemon has no terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *context)
{
	return -1;
}

/* NULL: err says why. */
static BIO *open_pem(const char *path, struct place place, struct error *err)
{
	struct stat status;
	BIO *file = NULL;
	if (stat(path, &status) < 0 || access(path, R_OK) < 0)
		error_set_place(err, ERROR_USAGE, errno, place, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(status.st_mode) || status.st_size > PEM_LIMIT)
		error_set_place(err, ERROR_USAGE, EINVAL, place, "%s: is no PEM file", path);
	else if (!(file = BIO_new_file(path, "r")))
		error_set_place(err, ERROR_USAGE, EIO, place, "%s: cannot be read", path);
	return file;
}

static int check_pair(X509 *certificate, EVP_PKEY *key, const struct daemon_config *config, const struct value *tls, struct error *err)
{
	if (!certificate)
		return error_set_place(err, ERROR_USAGE, EINVAL, value_get(tls, "certificate")->place, "%s: is no certificate in PEM",
		                       config->certificate);
	if (!key)
		return error_set_place(err, ERROR_USAGE, EINVAL, value_get(tls, "key")->place,
		                       "%s: is no private key in PEM without a passphrase", config->key);
	if (X509_check_private_key(certificate, key) != 1)
		return error_set_place(err, ERROR_USAGE, EINVAL, value_get(tls, "key")->place, "%s: is not the key of %s", config->key,
		                       config->certificate);
	return 0;
}

static int check_tls_files(const struct daemon_config *config, const struct value *tls, struct error *err)
{
	BIO *certificate_file = open_pem(config->certificate, value_get(tls, "certificate")->place, err);
	BIO *key_file = certificate_file ? open_pem(config->key, value_get(tls, "key")->place, err) : NULL;
	X509 *certificate = key_file ? PEM_read_bio_X509(certificate_file, NULL, no_passphrase, NULL) : NULL;
	EVP_PKEY *key = key_file ? PEM_read_bio_PrivateKey(key_file, NULL, no_passphrase, NULL) : NULL;
	int r = key_file ? check_pair(certificate, key, config, tls, err) : -EINVAL;
	EVP_PKEY_free(key);
	X509_free(certificate);
	BIO_free(key_file);
	BIO_free(certificate_file);
	ERR_clear_error();
	return r;
}

static const struct value_entry *entry_of(const struct value *map, const char *key)
{
	for (unsigned i = 0; map && map->type == VALUE_MAP && i < map->map.count; i++)
		if (strcmp(map->map.entries[i].key, key) == 0)
			return &map->map.entries[i];
	return NULL;
}

static int check_tls(const struct daemon_config *config, const struct value *listen, struct error *err)
{
	const struct value_entry *tls = entry_of(listen, "tls");
	if (!tls)
		return 0;
	if (!config->certificate || !config->key)
		return error_set_place(err, ERROR_USAGE, EINVAL, tls->key_place, "tls needs certificate and key%s",
		                       config->certificate ? ": key is missing"
		                       : config->key       ? ": certificate is missing"
		                                           : "");
	return check_tls_files(config, tls->value, err);
}

int config_listen_check(const struct daemon_config *config, const struct value *root, struct error *err)
{
	const struct value *listen = value_get(root, "listen");
	int r = check_socket(config, listen, root, err);
	if (r == 0)
		r = check_tls(config, listen, err);
	if (r == 0 && config->address)
		r = at(value_get(listen, "address"), http_socket_check_address(config->address, config->certificate, err), err);
	return r;
}
