/* SPDX-License-Identifier: Apache-2.0 */
#include "given.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "../../base/hex.h"
#include "../../base/size.h"

#define LIST        "files.list"
#define PATH_SIZE   4096
#define CHUNK       (256u << 10)
#define DIGEST_TEXT 64

/* ---- the list ---- */

int given_write(const char *directory, const struct given_file *files, size_t count, struct error *err)
{
	char path[PATH_SIZE];
	if (snprintf(path, sizeof(path), "%s/" LIST, directory) >= (int)sizeof(path))
		return error_set(err, ERROR_BENCH, ENAMETOOLONG, "%s: the name is too long", directory);
	FILE *list = fopen(path, "we");
	if (!list)
		return error_set(err, ERROR_BENCH, errno, "cannot make %s: %s", path, strerror(errno));
	for (size_t i = 0; i < count; i++)
		(void)fprintf(list, "%s %s %s %s\n", files[i].link ? "link" : "copy", files[i].sha256, files[i].from, files[i].path);
	bool failed = ferror(list) != 0;
	if (fclose(list) != 0 || failed)
		return error_set(err, ERROR_BENCH, errno ? errno : EIO, "cannot write %s: %s", path, strerror(errno ? errno : EIO));
	return 0;
}

/* ---- one file ---- */

struct copy {
	const char *store_path;
	int store, files, from, to;
	const char *name; /* below files */
	EVP_MD_CTX *digest;
	char *chunk;
	bool cloned;
	uint64_t free_bytes; /* that must be left on the disk */
	bool (*stopped)(void *context);
	void *context;
};

static int disk_error(int code, const char *doing, const char *name, struct error *err)
{
	/* A quota and a limit of the process are full disks too. */
	if (code == EDQUOT || code == EFBIG)
		code = ENOSPC;
	return error_set(err, ERROR_BENCH, code, "cannot %s %s: %s", doing, name, strerror(code));
}

static int make_folders(const struct copy *copy, struct error *err)
{
	char path[PATH_SIZE];
	(void)snprintf(path, sizeof(path), "%s", copy->name);
	for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdirat(copy->files, path, 0755) < 0 && errno != EEXIST)
			return disk_error(errno, "make", path, err);
		*slash = '/';
	}
	return 0;
}

static int write_chunk(const struct copy *copy, size_t length, struct error *err)
{
	for (size_t done = 0; done < length;) {
		ssize_t n = write(copy->to, copy->chunk + done, length - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return disk_error(n < 0 ? errno : ENOSPC, "write", copy->name, err);
		done += (size_t)n;
	}
	return 0;
}

/* 0: the end, 1: there is more. */
static int copy_chunk(struct copy *copy, struct error *err)
{
	ssize_t n;
	if (copy->stopped && copy->stopped(copy->context))
		return error_set(err, ERROR_OPERATOR, ECANCELED, "cancelled");
	do
		n = read(copy->from, copy->chunk, CHUNK);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return disk_error(errno, "read the stored", copy->name, err);
	if (n > 0 && EVP_DigestUpdate(copy->digest, copy->chunk, (size_t)n) != 1)
		return error_set(err, ERROR_BENCH, EIO, "cannot make a SHA-256");
	int r = copy->cloned ? 0 : write_chunk(copy, (size_t)n, err);
	return r < 0 ? r : n > 0;
}

static int check_digest(struct copy *copy, const char *sha256, struct error *err)
{
	unsigned char bytes[EVP_MAX_MD_SIZE];
	char text[2 * EVP_MAX_MD_SIZE + 1];
	unsigned length = 0;
	if (EVP_DigestFinal_ex(copy->digest, bytes, &length) != 1)
		return error_set(err, ERROR_BENCH, EIO, "cannot make a SHA-256");
	/* A damaged file must not become a verdict. */
	return strcmp(hex_text(bytes, length, text), sha256) == 0
	               ? 0
	               : error_set(err, ERROR_BENCH, EUCLEAN, "%s: the stored file %s is damaged", copy->name, sha256);
}

/* A full disk would be everybody's, the book's too: it is looked at before, as it is while a run goes on. A clone takes nothing of it. */
static int check_room(const struct copy *copy, struct error *err)
{
	struct statvfs disk;
	struct stat file;
	if (copy->cloned || copy->free_bytes == 0 || fstatvfs(copy->to, &disk) < 0 || fstat(copy->from, &file) < 0)
		return 0;
	const uint64_t free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize, size = (uint64_t)file.st_size;
	if (free_bytes >= size && free_bytes - size >= copy->free_bytes)
		return 0;
	char is[SIZE_TEXT_MAX], needed[SIZE_TEXT_MAX];
	return error_set(err, ERROR_BENCH, ENOSPC, "cannot write %s: %s are free on the disk, and running jobs need %s beside it",
	                 copy->name, size_text(free_bytes, is, sizeof(is)), size_text(copy->free_bytes, needed, sizeof(needed)));
}

static int copy_bytes(struct copy *copy, const char *sha256, struct error *err)
{
	copy->cloned = ioctl(copy->to, FICLONE, copy->from) == 0;
	int r = check_room(copy, err);
	if (r < 0)
		return r;
	if (EVP_DigestInit_ex(copy->digest, EVP_sha256(), NULL) != 1)
		return error_set(err, ERROR_BENCH, EIO, "cannot make a SHA-256");
	do
		r = copy_chunk(copy, err);
	while (r > 0);
	if (r == 0)
		r = check_digest(copy, sha256, err);
	if (r == 0 && fchmod(copy->to, 0644) < 0)
		r = disk_error(errno, "change", copy->name, err);
	return r;
}

static int copy_file(struct copy *copy, const char *sha256, const char *from, struct error *err)
{
	struct stat status;
	int r = make_folders(copy, err);
	if (r < 0)
		return r;
	copy->to = -1;
	copy->from = openat(copy->store, from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (copy->from < 0 || fstat(copy->from, &status) < 0)
		r = disk_error(errno, "read the stored", copy->name, err);
	else if (!S_ISREG(status.st_mode))
		r = error_set(err, ERROR_BENCH, EUCLEAN, "%s: the stored file %s is damaged", copy->name, sha256);
	else if ((copy->to = openat(copy->files, copy->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644)) < 0)
		r = disk_error(errno, "make", copy->name, err);
	else
		r = copy_bytes(copy, sha256, err);
	if (copy->to >= 0 && close(copy->to) < 0 && r == 0)
		r = disk_error(errno, "write", copy->name, err);
	if (copy->from >= 0)
		(void)close(copy->from);
	return r;
}

static int link_file(const struct copy *copy, const char *sha256, const char *from, struct error *err)
{
	char target[PATH_SIZE];
	struct stat status;
	int r = make_folders(copy, err);
	if (r < 0)
		return r;
	if (snprintf(target, sizeof(target), "%s/%s", copy->store_path, from) >= (int)sizeof(target))
		return disk_error(ENAMETOOLONG, "link", copy->name, err);
	if (fstatat(copy->store, from, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return disk_error(errno, "read the stored", copy->name, err);
	if (!S_ISREG(status.st_mode))
		return error_set(err, ERROR_BENCH, EUCLEAN, "%s: the stored file %s is damaged", copy->name, sha256);
	return symlinkat(target, copy->files, copy->name) < 0 ? disk_error(errno, "make", copy->name, err) : 0;
}

/* ---- all of them ---- */

/* "copy SHA256 FROM PATH\n" or "link …", cut into its parts. */
static bool read_line(char *line, bool *link, const char **sha256, const char **from, const char **path)
{
	static const char words[2][6] = {"copy ", "link "};
	*link = strncmp(line, words[1], 5) == 0;
	if (strncmp(line, words[*link], 5) != 0)
		return false;
	line += 5;
	char *first = strchr(line, ' '), *second = first ? strchr(first + 1, ' ') : NULL, *end = strchr(line, '\n');
	if (!second || !end || first - line != DIGEST_TEXT || second > end)
		return false;
	*first = *second = *end = '\0';
	*sha256 = line;
	*from = first + 1;
	*path = second + 1;
	return **path && **path != '/';
}

static int copy_list(struct copy *copy, FILE *list, struct error *err)
{
	const char *sha256, *from;
	char *line = NULL;
	size_t size = 0;
	bool link;
	int r = 0;
	while (r == 0 && getline(&line, &size, list) > 0) {
		if (!read_line(line, &link, &sha256, &from, &copy->name))
			r = error_set(err, ERROR_BENCH, EBADMSG, LIST " is damaged");
		else
			r = link ? link_file(copy, sha256, from, err) : copy_file(copy, sha256, from, err);
	}
	/* Without memory for a line it ends early too, and that is no error of the stream. */
	if (r == 0 && !feof(list))
		r = error_set(err, ERROR_BENCH, EIO, "cannot read " LIST);
	free(line);
	return r;
}

int given_fill(const char *store, uint64_t free_bytes, bool (*stopped)(void *context), void *context, struct error *err)
{
	struct copy copy = {.store_path = store,
	                    .store = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	                    .files = open("files", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW),
	                    .digest = EVP_MD_CTX_new(),
	                    .chunk = malloc(CHUNK),
	                    .free_bytes = free_bytes,
	                    .stopped = stopped,
	                    .context = context};
	FILE *list = fopen(LIST, "re");
	int r = 0;
	if (!copy.digest || !copy.chunk)
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	else if (copy.store < 0 || copy.files < 0 || !list)
		r = error_set(err, ERROR_BENCH, errno, "the job's files: %s", strerror(errno));
	else
		r = copy_list(&copy, list, err);
	if (list)
		(void)fclose(list);
	if (copy.files >= 0)
		(void)close(copy.files);
	if (copy.store >= 0)
		(void)close(copy.store);
	EVP_MD_CTX_free(copy.digest);
	free(copy.chunk);
	return r;
}
