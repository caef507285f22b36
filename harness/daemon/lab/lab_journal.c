/* SPDX-License-Identifier: Apache-2.0 */
/* What people who have a rig send of their journals, for those who watch. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../base/log.h"
#include "lab_private.h"

static void path_of(const struct lab *lab, int64_t lease, char path[PATH_MAX])
{
	(void)snprintf(path, PATH_MAX, "%.3900s/leases/%lld", book_directory(lab->book), (long long)lease);
}

static void tell(struct lab_rig *rig)
{
	lab_tell(rig->lab, LAB_LEASE_JOURNAL, rig->lease.id, NULL);
}

/* ---- while the lease is somebody's ---- */

bool lab_journal_watchable(const struct lab_rig *rig)
{
	return rig->lease.journal && lease_journal_next(rig->lease.journal) > 0;
}

int lab_journal_write(struct lab_rig *rig, uint64_t from, const char *lines, size_t length, uint64_t *ret_next, struct error *err)
{
	struct lab *lab = rig->lab;
	char path[PATH_MAX];
	bool before = lab_journal_watchable(rig);
	int r = 0;
	*ret_next = rig->lease.journal ? lease_journal_next(rig->lease.journal) : 0;
	if (from != *ret_next)
		return error_set(err, ERROR_USAGE, EBUSY, "the journal goes on at byte %llu", (unsigned long long)*ret_next);
	if (length == 0)
		return 0;
	if (!lab_has_space(lab))
		return error_set(err, ERROR_USAGE, ENOSPC, "%s", lab->space_reason);
	path_of(lab, rig->lease.id, path);
	if (!rig->lease.journal)
		r = lease_journal_open(&rig->lease.journal, path, err);
	if (r == 0)
		r = lease_journal_append(rig->lease.journal, lines, length, err);
	if (r < 0)
		return r;
	*ret_next = lease_journal_next(rig->lease.journal);
	if (!before)
		lab_tell_rig(rig);
	tell(rig);
	return 0;
}

void lab_journal_end(struct lab_rig *rig)
{
	struct lease_journal *journal = rig->lease.journal;
	rig->lease.journal = NULL;
	if (journal)
		lease_journal_end(journal, lab_now_ns());
	tell(rig); /* also those who watch for the first line */
	lease_journal_unref(journal);
}

/* ---- after a restart ---- */

void lab_journal_resume(struct lab_rig *rig)
{
	struct error error = {0};
	char path[PATH_MAX];
	path_of(rig->lab, rig->lease.id, path);
	if (access(path, F_OK) == 0 && lease_journal_open(&rig->lease.journal, path, &error) < 0)
		log_warning("%s", error.message); /* its holder sends it once more */
}

static bool is_held(const struct lab *lab, const char *name)
{
	char *end;
	int64_t id = strtoll(name, &end, 10);
	for (size_t i = 0; *end == '\0' && i < lab->config->rig_count; i++)
		if (lab->rigs[i].lease.id == id && lab->rigs[i].lease.journal)
			return true;
	return false;
}

void lab_journal_sweep(struct lab *lab)
{
	char folder[PATH_MAX], path[PATH_MAX];
	const struct dirent *entry;
	struct error error = {0};
	(void)snprintf(folder, sizeof(folder), "%.3900s/leases", book_directory(lab->book));
	DIR *directory = opendir(folder);
	while (directory && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.' || is_held(lab, entry->d_name))
			continue;
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) < sizeof(path) &&
		    folder_remove(lab->remover, path, &error) < 0)
			log_warning("%s", error.message); /* the next start tries again */
	}
	if (directory)
		closedir(directory);
}
