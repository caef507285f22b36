/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates as a peer would judge them (RFC 5280 clause 6): chain, dates; and whether the key is theirs. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

#include "check_private.h"

#define SOON_DAYS 14

/* What a certificate that is made for a test may be. "wrong-name" and the like show only against a peer. */
static const struct {
	const char *suffix;
	int codes[3]; /* X509_V_ERR_…, 0-terminated; none: it has to be a valid one */
} defects[] = {
        {"expired", {X509_V_ERR_CERT_HAS_EXPIRED, 0, 0}},
        {"not-yet-valid", {X509_V_ERR_CERT_NOT_YET_VALID, 0, 0}},
        {"wrong-ca", {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, 0}},
        {"self-signed", {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, 0}},
};

const char *check_intended(const char *name)
{
	size_t length = strlen(name);
	for (size_t i = 0; i < sizeof(defects) / sizeof(*defects); i++) {
		size_t suffix = strlen(defects[i].suffix);
		if (length > suffix && name[length - suffix - 1] == '-' && !strcmp(name + length - suffix, defects[i].suffix))
			return defects[i].suffix;
	}
	return NULL;
}

static bool is_intended(const char *intended, int code)
{
	for (size_t i = 0; intended && i < sizeof(defects) / sizeof(*defects); i++)
		for (unsigned k = 0; !strcmp(defects[i].suffix, intended) && defects[i].codes[k]; k++)
			if (defects[i].codes[k] == code)
				return true;
	return false;
}

static X509 *read_certificate(const char *path, STACK_OF(X509) * *ret_chain)
{
	BIO *file = BIO_new_file(path, "r");
	X509 *first = file ? PEM_read_bio_X509(file, NULL, NULL, NULL) : NULL;
	*ret_chain = first ? sk_X509_new_null() : NULL;
	for (X509 *next; *ret_chain && (next = PEM_read_bio_X509(file, NULL, NULL, NULL));)
		if (sk_X509_push(*ret_chain, next) == 0)
			X509_free(next);
	BIO_free(file);
	ERR_clear_error();
	return first;
}

static int no_passphrase(char *buffer, int size, int writing, void *context)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)context;
	return -1; /* nobody is there to be asked */
}

static void compare_key(X509 *certificate, const char *path, struct check_finding *finding)
{
	BIO *file = BIO_new_file(path, "r");
	EVP_PKEY *key = file ? PEM_read_bio_PrivateKey(file, NULL, no_passphrase, NULL) : NULL;
	if (!key) {
		check_problem(finding, RIG_CHECK_BAD, "%s holds no private key that can be read", path);
		check_remedy(finding, "a PEM file without a passphrase is needed");
	} else if (X509_check_private_key(certificate, key) != 1) {
		check_problem(finding, RIG_CHECK_BAD, "%s is not the key of the certificate", path);
		check_remedy(finding, "make both anew together, or correct `key`");
	}
	EVP_PKEY_free(key);
	BIO_free(file);
	ERR_clear_error();
}

static int verify(X509 *certificate, STACK_OF(X509) * chain, const char *ca)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	int code = X509_V_ERR_OUT_OF_MEM;
	if (store && context && X509_STORE_load_locations(store, ca, NULL) == 1 &&
	    X509_STORE_CTX_init(context, store, certificate, chain) == 1)
		code = X509_verify_cert(context) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context);
	else if (store && context)
		code = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT;
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	ERR_clear_error();
	return code;
}

static void describe(X509 *certificate, struct check_finding *finding)
{
	char name[120] = "", date[64] = "";
	struct tm end;
	(void)X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof(name));
	if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) == 1)
		(void)strftime(date, sizeof(date), "%Y-%m-%d", &end);
	check_found(finding, "%s until %s", name, date);
}

static void look_at_dates(X509 *certificate, struct check_finding *finding)
{
	int days = 0, seconds = 0;
	if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)) == 1 && days >= 0 && seconds >= 0 && days < SOON_DAYS) {
		check_problem(finding, RIG_CHECK_WARNING, "it expires in %d days", days);
		check_remedy(finding, "have a new certificate made in time");
	}
}

static void judge(int code, const char *intended, const char *ca, struct check_finding *finding)
{
	size_t length = strlen(finding->found);
	if (code == X509_V_OK && !intended)
		return;
	if (is_intended(intended, code)) {
		(void)snprintf(finding->found + length, sizeof(finding->found) - length, "; %s, as its name says", intended);
		return;
	}
	check_problem(finding, RIG_CHECK_BAD, "%s%s%s", code == X509_V_OK ? "it is valid" : X509_verify_cert_error_string(code),
	              intended ? ", but by its name it has to be " : "", intended ? intended : "");
	if (intended)
		check_remedy(finding, "make the certificates anew: the cases that use this one test nothing");
	else if (code == X509_V_ERR_CERT_HAS_EXPIRED || code == X509_V_ERR_CERT_NOT_YET_VALID)
		check_remedy(finding, "is this machine's clock right? Have the certificate renewed otherwise");
	else
		check_remedy(finding, "is %s the authority that made it? Chains need the authorities in between in the same file", ca);
}

void check_certificate(const char *certificate, const char *key, const char *ca, const char *intended, struct check_finding *finding)
{
	STACK_OF(X509) *chain = NULL;
	X509 *first = read_certificate(certificate ? certificate : ca, &chain);
	if (!first) {
		check_problem(finding, RIG_CHECK_BAD, "%s holds no certificate", certificate ? certificate : ca);
		check_remedy(finding, "a file in PEM form is needed");
		return;
	}
	describe(first, finding);
	if (!certificate)
		intended = NULL;
	if (certificate && key)
		compare_key(first, key, finding);
	if (ca)
		judge(certificate                                            ? verify(first, chain, ca)
		      : X509_cmp_current_time(X509_get0_notAfter(first)) > 0 ? X509_V_OK
		                                                             : X509_V_ERR_CERT_HAS_EXPIRED,
		      intended, ca, finding);
	look_at_dates(first, finding);
	sk_X509_pop_free(chain, X509_free);
	X509_free(first);
}
