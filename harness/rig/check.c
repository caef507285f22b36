/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus_folder.h"
#include "check_private.h"
#include "rig_lock.h"

#define TELLING_NS  (INT64_C(300) * 1000000) /* before the end, so that what was found is told */
#define WORKERS_MAX 400                      /* a rack of fifty boards; each has a pipe to this process */
#define FILES_LEFT  100                      /* descriptors for everything else */
#define SHARED      16                       /* processes for what is beyond, and as many for what of it waits for supplies */

/* In the order of the report. */
static const struct check_kind *const kinds[] = {
        &check_kind_program, &check_kind_package, &check_kind_object,   &check_kind_identity, &check_kind_supply,
        &check_kind_console, &check_kind_reset,   &check_kind_probe,    &check_kind_adapter,  &check_kind_board,
        &check_kind_bus,     &check_kind_address, &check_kind_endpoint, &check_kind_link,     &check_kind_capture,
};

const char *rig_check_state_name(enum rig_check_state state)
{
	static const char *const names[] = {"ok", "not asked", "warning", "bad"};
	return names[state];
}

/* ---- findings ---- */

static void __attribute__((format(printf, 3, 0))) put_text(char *text, size_t size, const char *format, va_list arguments)
{
	(void)vsnprintf(text, size, format, arguments);
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
}

void check_found(struct check_finding *finding, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	put_text(finding->found, sizeof(finding->found), format, arguments);
	va_end(arguments);
}

void check_remedy(struct check_finding *finding, const char *format, ...)
{
	va_list arguments;
	if (finding->refused && finding->remedy[0])
		return;
	va_start(arguments, format);
	put_text(finding->remedy, sizeof(finding->remedy), format, arguments);
	va_end(arguments);
}

void check_problem(struct check_finding *finding, enum rig_check_state state, const char *format, ...)
{
	va_list arguments;
	finding->refused = state <= finding->state;
	if (finding->refused)
		return;
	finding->state = state;
	finding->remedy[0] = '\0';
	va_start(arguments, format);
	put_text(finding->problem, sizeof(finding->problem), format, arguments);
	va_end(arguments);
}

/* ---- items ---- */

struct check_item *check_add(struct check_list *list, const struct check_kind *kind, const char *owner, const struct value *map)
{
	struct check_item *items = realloc(list->items, (list->count + 1) * sizeof(*items));
	if (!items) {
		list->failed = true;
		return NULL;
	}
	list->items = items;
	struct check_item *item = &items[list->count++];
	*item = (struct check_item){.kind = kind, .map = map};
	(void)snprintf(item->owner, sizeof(item->owner), "%s", owner);
	(void)snprintf(item->group, sizeof(item->group), "%s", owner);
	return item;
}

void check_each(struct check_list *list, const struct check_kind *kind, const char *group,
                void (*add)(struct check_list *, const struct check_kind *, const struct value_entry *))
{
	const struct value *map = value_get(rig_file_root(list->file), group);
	for (unsigned i = 0; map && i < map->map.count; i++)
		add(list, kind, &map->map.entries[i]);
}

enum check_power check_power_of(const struct check_context *context, const struct check_item *item)
{
	return strcmp(context->powered_role, item->owner) ? CHECK_POWER_UNKNOWN : context->power;
}

int64_t check_deadline_ns(const struct check_context *context)
{
	int64_t end_ns = loop_now_ns() + CHECK_STEP_NS;
	return end_ns < context->deadline_ns ? end_ns : context->deadline_ns;
}

void check_rig(const struct check_context *context, const struct check_item *item, struct rig *ret, struct rig_board *ret_board)
{
	*ret = (struct rig){.file = context->file,
	                    .loop = context->loop,
	                    .timeline = context->timeline,
	                    .root = context->file->root,
	                    .directory = context->folder ? context->folder : "/tmp",
	                    .number_fd = -1,
	                    .can_log = -1};
	if (!ret_board)
		return;
	*ret_board = (struct rig_board){
	        .rig = ret, .role = (char *)(uintptr_t)item->owner, .channel = (char *)(uintptr_t)item->owner, .map = item->role};
	ret_board->driver = item->role ? board_driver_find(map_text(item->role, "driver")) : NULL;
}

/* ---- a process that looks ---- */

/* What instruments say may be cut in the middle of a character, or be none. */
static json_t *text_json(const char *text)
{
	char plain[1200];
	json_t *json = json_string(text);
	if (json)
		return json;
	(void)snprintf(plain, sizeof(plain), "%s", text);
	for (char *c = plain; *c; c++)
		if (*c & 0x80)
			*c = '?';
	return json_string(plain);
}

/* One line of JSON an item, so that what was found stands even when the next look never ends. */
static bool tell(int fd, unsigned index, const struct check_finding *finding, enum check_power power, int64_t duration_ns)
{
	json_t *line = json_pack("{s:i,s:i,s:i,s:o,s:o,s:o,s:I}", "item", (int)index, "state", (int)finding->state, "power", (int)power,
	                         "found", text_json(finding->found), "problem", text_json(finding->problem), "remedy",
	                         text_json(finding->remedy), "ns", (json_int_t)duration_ns);
	char *text = line ? json_dumps(line, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	bool good = text && dprintf(fd, "%s\n", text) > 0;
	free(text);
	json_decref(line);
	return good;
}

static const struct check_item *supply_of(const struct check_list *list, const char *owner)
{
	for (unsigned i = 0; i < list->count; i++)
		if (list->items[i].kind == &check_kind_supply && !strcmp(list->items[i].owner, owner))
			return &list->items[i];
	return NULL;
}

/* What the process of the supply told before this one was started. */
static void know_power(const struct check_list *list, const struct check_item *item, struct check_context *context)
{
	const struct check_item *supply = item->after_supply ? supply_of(list, item->owner) : NULL;
	if (!supply)
		return;
	(void)snprintf(context->powered_role, sizeof(context->powered_role), "%s", item->owner);
	context->power = supply->power;
}

static void look_at_group(const struct check_list *list, const char *group, struct check_context *context, int fd)
{
	for (unsigned i = 0; i < list->count; i++) {
		struct check_finding finding = {.state = RIG_CHECK_OK};
		int64_t begin_ns = loop_now_ns();
		if (strcmp(list->items[i].group, group))
			continue;
		know_power(list, &list->items[i], context);
		list->items[i].kind->look(context, &list->items[i], &finding);
		if (!tell(fd, i, &finding, check_power_of(context, &list->items[i]), loop_now_ns() - begin_ns))
			return;
	}
}

static _Noreturn void child_main(const struct check_list *list, const char *group, int64_t deadline_ns, pid_t parent, int fd)
{
	struct check_context context = {
	        .file = list->file, .folder = list->folder, .no_folder = list->no_folder, .deadline_ns = deadline_ns - TELLING_NS};
	sigset_t none;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)setpgid(0, 0); /* whatever it starts is ended with it */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (getppid() != parent)
		_exit(1);
	if (loop_new(&context.loop, NULL) == 0 && timeline_new(&context.timeline, NULL, 1, NULL) == 0)
		look_at_group(list, group, &context, fd);
	group_guard_end(&context.guard);
	_exit(0); /* nothing of the parent's is flushed or removed */
}

struct worker {
	pid_t pid;
	int fd; /* -1: it has told everything */
	const char *group;
	struct bytes text;
};

static int start_worker(struct worker *worker, const struct check_list *list, const char *group, int64_t deadline_ns, struct error *err)
{
	int pipes[2];
	pid_t parent = getpid();
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot make a pipe: %s", strerror(errno));
	pid_t pid = fork();
	if (pid == 0) {
		(void)close(pipes[0]);
		child_main(list, group, deadline_ns, parent, pipes[1]);
	}
	(void)close(pipes[1]);
	if (pid < 0) {
		(void)close(pipes[0]);
		return error_set(err, ERROR_BENCH, errno, "cannot start a process: %s", strerror(errno));
	}
	*worker = (struct worker){.pid = pid, .fd = pipes[0], .group = group};
	return 0;
}

/* ---- what they tell ---- */

static void fill(struct rig_check_result *result, enum rig_check_state state, const char *found, const char *problem, const char *remedy)
{
	free(result->found);
	free(result->problem);
	free(result->remedy);
	result->state = state;
	result->found = strdup(found);
	result->problem = strdup(problem);
	result->remedy = strdup(remedy);
}

static void take_line(const char *line, size_t length, struct check_list *list, struct rig_check_report *report)
{
	const char *found, *problem, *remedy;
	int index, state, power;
	json_int_t ns;
	json_t *message = json_loadb(line, length, 0, NULL);
	if (message &&
	    json_unpack(message, "{s:i,s:i,s:i,s:s,s:s,s:s,s:I}", "item", &index, "state", &state, "power", &power, "found", &found,
	                "problem", &problem, "remedy", &remedy, "ns", &ns) == 0 &&
	    index >= 0 && (unsigned)index < list->count) {
		fill(&report->results[index], (enum rig_check_state)state, found, problem, remedy);
		report->results[index].duration_ns = ns;
		list->items[index].power = (enum check_power)power;
		list->items[index].told = true;
	}
	json_decref(message);
}

static void read_worker(struct worker *worker, struct check_list *list, struct rig_check_report *report)
{
	char piece[4096];
	const uint8_t *end;
	ssize_t n = read(worker->fd, piece, sizeof(piece));
	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0 || bytes_append(&worker->text, piece, (size_t)n) < 0) {
		(void)close(worker->fd);
		worker->fd = -1;
		return;
	}
	while (worker->text.length && (end = memchr(worker->text.data, '\n', worker->text.length))) {
		size_t length = (size_t)(end - worker->text.data);
		take_line((const char *)worker->text.data, length, list, report);
		bytes_drop_front(&worker->text, length + 1);
	}
}

/* ---- all of it ---- */

struct looking {
	struct check_list *list;
	struct rig_check_report *report;
	int64_t deadline_ns;
	int interrupt; /* a descriptor, -1: none */
	struct worker workers[WORKERS_MAX];
	unsigned count, groups; /* started, of all */
};

static bool first_of_group(const struct check_list *list, unsigned index)
{
	for (unsigned i = 0; i < index; i++)
		if (!strcmp(list->items[i].group, list->items[index].group))
			return false;
	return true;
}

static const struct worker *worker_of(const struct looking *looking, const char *group)
{
	for (unsigned i = 0; i < looking->count; i++)
		if (!strcmp(looking->workers[i].group, group))
			return &looking->workers[i];
	return NULL;
}

/* Every supply that the group has to know of has told, or never will. */
static bool group_ready(const struct looking *looking, const char *group)
{
	for (unsigned i = 0; i < looking->list->count; i++) {
		const struct check_item *item = &looking->list->items[i];
		const struct check_item *supply =
		        item->after_supply && !strcmp(item->group, group) ? supply_of(looking->list, item->owner) : NULL;
		const struct worker *worker = supply ? worker_of(looking, supply->group) : NULL;
		if (supply && !supply->told && !(worker && worker->fd < 0))
			return false;
	}
	return true;
}

static int start_ready(struct looking *looking, struct error *err)
{
	int r = 0;
	for (unsigned i = 0; r == 0 && i < looking->list->count; i++) {
		const char *group = looking->list->items[i].group;
		if (!first_of_group(looking->list, i) || worker_of(looking, group) || !group_ready(looking, group))
			continue;
		r = start_worker(&looking->workers[looking->count], looking->list, group, looking->deadline_ns, err);
		looking->count += r == 0;
	}
	return r;
}

/* Until all have told all, or the time is over. */
static int wait_for_workers(struct looking *looking, struct error *err)
{
	for (;;) {
		struct pollfd fds[WORKERS_MAX + 1];
		unsigned open = 0;
		int64_t left_ns = looking->deadline_ns - loop_now_ns();
		for (unsigned i = 0; i < looking->count; i++) {
			fds[i] = (struct pollfd){.fd = looking->workers[i].fd, .events = POLLIN};
			open += looking->workers[i].fd >= 0;
		}
		if (!open || left_ns <= 0)
			return 0;
		fds[looking->count] = (struct pollfd){.fd = looking->interrupt, .events = POLLIN};
		int n = poll(fds, looking->count + 1, (int)(left_ns / 1000000) + 1);
		if (n > 0 && fds[looking->count].revents)
			return error_set(err, ERROR_OPERATOR, ECANCELED, "interrupted");
		for (unsigned i = 0; n > 0 && i < looking->count; i++)
			if (fds[i].revents)
				read_worker(&looking->workers[i], looking->list, looking->report);
		int r = looking->count < looking->groups ? start_ready(looking, err) : 0;
		if (r < 0)
			return r;
	}
}

static void end_workers(struct looking *looking)
{
	for (unsigned i = 0; i < looking->count; i++) {
		struct worker *worker = &looking->workers[i];
		if (kill(-worker->pid, SIGKILL) < 0) /* its process group, also when only its children are left */
			(void)kill(worker->pid, SIGKILL);
		while (waitpid(worker->pid, NULL, 0) < 0 && errno == EINTR)
			;
		if (worker->fd >= 0)
			(void)close(worker->fd);
		bytes_free(&worker->text);
	}
}

/* How many processes there may be at once. */
static unsigned workers_limit(void)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur >= WORKERS_MAX + FILES_LEFT)
		return WORKERS_MAX;
	return files.rlim_cur > FILES_LEFT + 3 * SHARED ? (unsigned)files.rlim_cur - FILES_LEFT : 3 * SHARED;
}

static unsigned count_groups(const struct check_list *list)
{
	unsigned groups = 0;
	for (unsigned i = 0; i < list->count; i++)
		groups += first_of_group(list, i);
	return groups;
}

static void rename_group(struct check_list *list, unsigned first, const char *name)
{
	char old[sizeof(list->items->group)];
	(void)snprintf(old, sizeof(old), "%s", list->items[first].group);
	for (unsigned i = first; i < list->count; i++)
		if (!strcmp(list->items[i].group, old))
			(void)snprintf(list->items[i].group, sizeof(list->items[i].group), "%s", name);
}

/* More groups than processes: what is beyond is dealt out to a few. What is one group stays together, as its instrument takes one client;
 * what waits for supplies is kept from them, so that nothing waits for itself. */
static void bound_groups(struct check_list *list, unsigned limit)
{
	unsigned groups = 0, bound = 0;
	char name[32];
	if (count_groups(list) <= limit)
		return;
	while (bound < list->count && (groups += first_of_group(list, bound)) <= limit - 2 * SHARED)
		bound++;
	for (unsigned i = list->count; i-- > bound;)
		if (first_of_group(list, i)) {
			(void)snprintf(name, sizeof(name), "%s %u", list->items[i].after_supply ? "later" : "shared", i % SHARED);
			rename_group(list, i, name);
		}
}

/* A supply that did not tell in time kept them from being looked at. */
static void tell_not_started(const struct looking *looking)
{
	for (unsigned i = 0; i < looking->list->count; i++) {
		const struct check_item *item = &looking->list->items[i];
		if (item->after_supply && !worker_of(looking, item->group))
			fill(&looking->report->results[i], RIG_CHECK_NOT_ASKED, "", "its supply did not say in time whether it has power",
			     "");
	}
}

static int look_at_all(struct check_list *list, struct rig_check_report *report, int64_t deadline_ns, int interrupt, struct error *err)
{
	struct looking *looking = calloc(1, sizeof(*looking));
	if (!looking)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	*looking = (struct looking){.list = list, .report = report, .deadline_ns = deadline_ns, .interrupt = interrupt};
	bound_groups(list, workers_limit());
	looking->groups = count_groups(list);
	int r = start_ready(looking, err);
	if (r == 0)
		r = wait_for_workers(looking, err);
	end_workers(looking);
	tell_not_started(looking);
	free(looking);
	return r;
}

static int make_results(const struct check_list *list, struct rig_check_report *report, struct error *err)
{
	report->results = calloc(list->count + 2, sizeof(*report->results));
	if (!report->results || list->failed)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	for (unsigned i = 0; i < list->count; i++) {
		struct rig_check_result *result = &report->results[report->count++];
		result->owner = strdup(list->items[i].owner);
		result->kind = strdup(list->items[i].kind->name);
		result->name = strdup(list->items[i].name);
		fill(result, RIG_CHECK_BAD, "", "the look at it did not come to an end in time",
		     "whatever is behind it hangs: try it by hand");
		if (!result->owner || !result->kind || !result->name || !result->found)
			return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	return 0;
}

static void look_not_asked(struct check_context *context, const struct check_item *item, struct check_finding *finding)
{
	(void)context;
	(void)item;
	check_problem(finding, RIG_CHECK_NOT_ASKED, "somebody else has the rig");
}

/* "127.${rack}.0.1" is for people "127.N.0.1": no number is taken yet. */
static bool number_as_letter(char *text)
{
	static const char variable[] = "${rack}";
	bool found = false;
	for (char *at; text && (at = strstr(text, variable)); found = true) {
		*at = 'N';
		(void)memmove(at + 1, at + sizeof(variable) - 1, strlen(at + sizeof(variable) - 1) + 1);
	}
	return found;
}

static void number_as_letter_all(struct rig_check_report *report)
{
	for (unsigned i = 0; i < report->count; i++) {
		struct rig_check_result *result = &report->results[i];
		char *texts[] = {result->name, result->found, result->problem, result->remedy};
		for (size_t k = 0; k < sizeof(texts) / sizeof(*texts); k++)
			report->numbered = number_as_letter(texts[k]) || report->numbered;
	}
}

/* Somebody works with the rig: files may be looked at, instruments are his. */
static void leave_alone(struct check_list *list, struct rig_check_report *report)
{
	static const struct check_kind left = {.name = "left", .instrument = true, .look = look_not_asked};
	for (unsigned i = 0; i < list->count; i++) {
		if (!list->items[i].kind->instrument)
			continue;
		list->items[i].kind = &left;
		report->in_use = true;
	}
}

static void add_lock(const struct rig_file *file, struct rig_check_report *report, int r, const struct error *why)
{
	struct rig_check_result *result = &report->results[report->count++];
	result->owner = strdup("rig");
	result->kind = strdup("lock");
	result->name = strdup(rig_file_name(file));
	if (r == 0)
		fill(result, RIG_CHECK_OK, rig_file_is_virtual(file) ? "virtual: every run has a rack of its own" : "free", "", "");
	else
		fill(result, r == -EBUSY ? RIG_CHECK_WARNING : RIG_CHECK_BAD, "", why->message,
		     r == -EBUSY ? "wait, or ask the one who has it" : "");
}

/* Whether a board that does not answer ought to: its supply, which was asked at the same time, knows. */
static void judge_endpoints(const struct check_list *list, struct rig_check_report *report)
{
	for (unsigned i = 0; i < list->count; i++) {
		struct rig_check_result *result = &report->results[i];
		if (list->items[i].kind != &check_kind_endpoint || result->state != RIG_CHECK_WARNING)
			continue;
		for (unsigned k = 0; k < list->count; k++) {
			if (list->items[k].kind != &check_kind_supply || strcmp(list->items[k].owner, result->owner))
				continue;
			if (list->items[k].power == CHECK_POWER_OFF)
				fill(result, RIG_CHECK_NOT_ASKED, "", "not powered", "");
			else if (list->items[k].power == CHECK_POWER_ON)
				result->state = RIG_CHECK_BAD;
		}
	}
}

static int look_with_folder(struct check_list *list, struct rig_check_report *report, int64_t deadline_ns, int interrupt, struct error *err)
{
	struct bus_folder *folder = NULL;
	struct error error = {0};
	if (bus_folder_new(&folder, "/tmp", "hilbench-check", &error) == 0)
		list->folder = bus_folder_path(folder);
	list->no_folder = error.message;
	int r = look_at_all(list, report, deadline_ns, interrupt, err);
	bus_folder_free(folder);
	return r;
}

int rig_check_resources(const struct rig_file *file, int64_t within_ns, struct rig_check_report *ret, struct error *err)
{
	return rig_check_resources_unless(file, within_ns, -1, ret, err);
}

int rig_check_resources_unless(const struct rig_file *file, int64_t within_ns, int interrupt, struct rig_check_report *ret,
                               struct error *err)
{
	struct check_list list = {.file = file};
	struct rig_lock *lock = NULL;
	struct error taken = {0};
	int64_t deadline_ns = loop_now_ns() + within_ns;
	*ret = (struct rig_check_report){0};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		kinds[i]->list(&list, kinds[i]);
	int r = make_results(&list, ret, err);
	if (r == 0) {
		int held = rig_lock_take(&lock, file, "hilbench rig check", &taken);
		if (held < 0)
			leave_alone(&list, ret);
		r = look_with_folder(&list, ret, deadline_ns, interrupt, err);
		judge_endpoints(&list, ret);
		add_lock(file, ret, held, &taken);
		number_as_letter_all(ret);
	}
	rig_lock_release(lock);
	free(list.items);
	if (r < 0)
		rig_check_report_free(ret);
	return r;
}

void rig_check_report_free(struct rig_check_report *report)
{
	for (unsigned i = 0; i < report->count; i++) {
		struct rig_check_result *result = &report->results[i];
		free(result->owner);
		free(result->kind);
		free(result->name);
		free(result->found);
		free(result->problem);
		free(result->remedy);
	}
	free(report->results);
	*report = (struct rig_check_report){0};
}

enum rig_check_state rig_check_worst(const struct rig_check_report *report)
{
	enum rig_check_state worst = RIG_CHECK_OK;
	for (unsigned i = 0; i < report->count; i++)
		if (report->results[i].state > worst)
			worst = report->results[i].state;
	return worst;
}
