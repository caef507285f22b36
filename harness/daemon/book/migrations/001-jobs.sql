-- SPDX-License-Identifier: Apache-2.0
-- Jobs, runs, rigs, leases, tokens. Times are CLOCK_REALTIME ns; they may go backwards, so nothing is ordered or compared by them:
-- ids are the order. Texts of states are those of the API.

CREATE TABLE rigs (
	name TEXT PRIMARY KEY CHECK (name <> ''),
	pool TEXT,
	file TEXT,
	health TEXT NOT NULL DEFAULT 'healthy' CHECK (health IN ('healthy', 'suspect', 'quarantined')),
	reason TEXT NOT NULL DEFAULT '',
	since INTEGER NOT NULL,
	bench_errors INTEGER NOT NULL DEFAULT 0 CHECK (bench_errors >= 0),
	recoveries INTEGER NOT NULL DEFAULT 0 CHECK (recoveries >= 0),
	online INTEGER NOT NULL DEFAULT 0 CHECK (online IN (0, 1)),
	CHECK (health = 'healthy' OR reason <> '')
) STRICT;

CREATE TABLE boards (
	rig TEXT NOT NULL REFERENCES rigs (name),
	role TEXT NOT NULL CHECK (role <> ''),
	bench_errors INTEGER NOT NULL CHECK (bench_errors > 0),
	last_error TEXT NOT NULL,
	last_at INTEGER NOT NULL,
	PRIMARY KEY (rig, role)
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	title TEXT NOT NULL,
	series TEXT NOT NULL,
	submitter TEXT NOT NULL,
	key TEXT CHECK (length(key) BETWEEN 1 AND 64),
	rig TEXT,
	pool TEXT,
	requires TEXT NOT NULL CHECK (json_type(requires) = 'array'),
	paths TEXT NOT NULL CHECK (json_type(paths) = 'array'),
	priority INTEGER NOT NULL CHECK (priority BETWEEN -100 AND 100),
	spread INTEGER NOT NULL CHECK (spread BETWEEN 1 AND 16),
	retries INTEGER NOT NULL CHECK (retries >= 0),
	options TEXT NOT NULL CHECK (json_type(options) = 'object'),
	time_limit_ns INTEGER NOT NULL CHECK (time_limit_ns >= 0),
	silence_limit_ns INTEGER NOT NULL CHECK (silence_limit_ns >= 0),
	rerun_of INTEGER REFERENCES jobs (id) ON DELETE SET NULL,
	only_cases TEXT CHECK (json_type(only_cases) = 'array'),
	state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'finishing', 'done')),
	outcome TEXT CHECK (outcome IN ('passed', 'failed', 'inconclusive', 'error', 'cancelled')),
	reason TEXT NOT NULL DEFAULT '',
	cancelled INTEGER NOT NULL DEFAULT 0 CHECK (cancelled IN (0, 1)),
	pinned INTEGER NOT NULL DEFAULT 0 CHECK (pinned IN (0, 1)),
	submitted INTEGER NOT NULL,
	started INTEGER,
	ended INTEGER,
	counts TEXT CHECK (json_type(counts) = 'object'),
	CHECK (rig IS NULL OR pool IS NULL),
	CHECK ((state = 'done') = (outcome IS NOT NULL)),
	CHECK ((state = 'done') = (ended IS NOT NULL)),
	CHECK (state <> 'queued' OR started IS NULL),
	CHECK (state NOT IN ('running', 'finishing') OR started IS NOT NULL),
	CHECK (counts IS NULL OR state = 'done')
) STRICT;
CREATE UNIQUE INDEX jobs_key ON jobs (key) WHERE key IS NOT NULL;
CREATE INDEX jobs_queue ON jobs (priority DESC, id) WHERE state <> 'done';
CREATE INDEX jobs_active ON jobs (id) WHERE state <> 'done';
CREATE INDEX jobs_state ON jobs (state, id);
CREATE INDEX jobs_series ON jobs (series, state, id);
CREATE INDEX jobs_series_id ON jobs (series, id);
CREATE INDEX jobs_rig ON jobs (rig, id) WHERE rig IS NOT NULL;
CREATE INDEX jobs_rerun ON jobs (rerun_of) WHERE rerun_of IS NOT NULL;

CREATE TABLE job_files (
	job INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
	path TEXT NOT NULL CHECK (path <> ''),
	sha256 TEXT NOT NULL CHECK (length(sha256) = 64 AND sha256 NOT GLOB '*[^0-9a-f]*'),
	size INTEGER NOT NULL CHECK (size >= 0),
	PRIMARY KEY (job, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_files_blob ON job_files (sha256);

CREATE TABLE job_reports (
	job INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
	name TEXT NOT NULL CHECK (name <> ''),
	sha256 TEXT NOT NULL CHECK (length(sha256) = 64 AND sha256 NOT GLOB '*[^0-9a-f]*'),
	size INTEGER NOT NULL CHECK (size >= 0),
	PRIMARY KEY (job, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_reports_blob ON job_reports (sha256);

CREATE TABLE leases (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	rig TEXT NOT NULL REFERENCES rigs (name),
	kind TEXT NOT NULL CHECK (kind IN ('job', 'person', 'recovery')),
	state TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'cleaning', 'over')),
	job INTEGER REFERENCES jobs (id) ON DELETE CASCADE,
	holder TEXT NOT NULL,
	note TEXT NOT NULL DEFAULT '',
	secret_hash TEXT CHECK (length(secret_hash) = 64 AND secret_hash NOT GLOB '*[^0-9a-f]*'),
	granted INTEGER NOT NULL,
	expires INTEGER,
	deadline INTEGER,
	ended INTEGER,
	end_reason TEXT,
	CHECK ((kind = 'job') = (job IS NOT NULL)),
	CHECK ((kind = 'person') = (secret_hash IS NOT NULL)),
	CHECK ((state = 'over') = (ended IS NOT NULL)),
	CHECK ((state = 'active') = (end_reason IS NULL))
) STRICT;
-- A rig belongs to one at a time.
CREATE UNIQUE INDEX leases_rig_open ON leases (rig) WHERE state <> 'over';
CREATE INDEX leases_open ON leases (id) WHERE state <> 'over';
CREATE INDEX leases_job ON leases (job) WHERE job IS NOT NULL;

CREATE TABLE runs (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	job INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
	number INTEGER NOT NULL CHECK (number >= 1),
	shard INTEGER NOT NULL CHECK (shard >= 0),
	rig TEXT NOT NULL REFERENCES rigs (name),
	cases TEXT CHECK (json_type(cases) = 'array'),
	state TEXT NOT NULL DEFAULT 'starting' CHECK (state IN ('starting', 'running', 'ended', 'done')),
	outcome TEXT CHECK (outcome IN ('passed', 'failed', 'inconclusive', 'error', 'cancelled')),
	cause TEXT CHECK (cause IN ('dut', 'bench', 'testcase', 'operator')),
	reason TEXT NOT NULL DEFAULT '',
	retry INTEGER NOT NULL CHECK (retry IN (0, 1)),
	lease INTEGER NOT NULL UNIQUE REFERENCES leases (id),
	started INTEGER,
	ended INTEGER,
	exit_status INTEGER,
	signal INTEGER,
	virtual INTEGER CHECK (virtual IN (0, 1)), -- NULL: not known yet
	counts TEXT CHECK (json_type(counts) = 'object'), -- of its cases, set with its results
	UNIQUE (job, number),
	CHECK ((state = 'done') = (outcome IS NOT NULL)),
	CHECK (cause IS NULL OR outcome = 'error'),
	CHECK (outcome IS NOT 'error' OR cause IS NOT NULL),
	CHECK (state <> 'starting' OR (started IS NULL AND ended IS NULL)),
	CHECK (state <> 'running' OR (started IS NOT NULL AND ended IS NULL)),
	CHECK (state <> 'ended' OR ended IS NOT NULL),
	CHECK (state <> 'done' OR ended IS NOT NULL),
	CHECK (ended IS NOT NULL OR (exit_status IS NULL AND signal IS NULL)),
	CHECK (exit_status IS NULL OR signal IS NULL)
) STRICT;
CREATE INDEX runs_open ON runs (id) WHERE state <> 'done';
CREATE INDEX runs_open_job ON runs (job) WHERE state <> 'done';
CREATE INDEX runs_rig ON runs (rig, job);

CREATE TABLE health_entries (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	rig TEXT NOT NULL REFERENCES rigs (name),
	at INTEGER NOT NULL,
	kind TEXT NOT NULL CHECK (kind IN ('bench_error', 'suspect', 'quarantined', 'recovery', 'recovered', 'offline', 'online', 'cleanup',
	                                   'lease', 'operator')),
	text TEXT NOT NULL,
	job INTEGER REFERENCES jobs (id) ON DELETE SET NULL,
	run INTEGER REFERENCES runs (id) ON DELETE SET NULL
) STRICT;
CREATE INDEX health_entries_rig ON health_entries (rig, id);
CREATE INDEX health_entries_job ON health_entries (job) WHERE job IS NOT NULL;
CREATE INDEX health_entries_run ON health_entries (run) WHERE run IS NOT NULL;

CREATE TABLE tokens (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
	role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
	hash TEXT NOT NULL UNIQUE CHECK (length(hash) = 64 AND hash NOT GLOB '*[^0-9a-f]*'),
	made INTEGER NOT NULL,
	expires INTEGER,
	used INTEGER
) STRICT;

-- What a CHECK cannot say because it concerns two tables.
CREATE TRIGGER job_done BEFORE UPDATE OF state ON jobs
WHEN NEW.state IN ('done', 'queued') AND EXISTS (SELECT 1 FROM runs WHERE job = NEW.id AND state <> 'done')
BEGIN SELECT RAISE(ABORT, 'the job has a run that is not done'); END;
CREATE TRIGGER job_final BEFORE UPDATE OF state, outcome, ended, counts ON jobs WHEN OLD.state = 'done'
BEGIN SELECT RAISE(ABORT, 'the job is done'); END;
CREATE TRIGGER job_removed BEFORE DELETE ON jobs WHEN OLD.state <> 'done'
BEGIN SELECT RAISE(ABORT, 'the job is not done'); END;
CREATE TRIGGER run_added BEFORE INSERT ON runs
WHEN NOT EXISTS (SELECT 1 FROM jobs WHERE id = NEW.job AND state IN ('queued', 'running'))
BEGIN SELECT RAISE(ABORT, 'the job takes no more runs'); END;
CREATE TRIGGER run_leased BEFORE INSERT ON runs
WHEN NOT EXISTS (SELECT 1 FROM leases WHERE id = NEW.lease AND state = 'active' AND rig = NEW.rig AND job = NEW.job)
BEGIN SELECT RAISE(ABORT, 'the run has no active lease of its rig'); END;
CREATE TRIGGER run_final BEFORE UPDATE OF state, outcome, cause, ended, rig, job, lease ON runs WHEN OLD.state = 'done'
BEGIN SELECT RAISE(ABORT, 'the run is done'); END;
CREATE TRIGGER lease_over BEFORE UPDATE OF state ON leases
WHEN NEW.state = 'over' AND EXISTS (SELECT 1 FROM runs WHERE lease = NEW.id AND state IN ('starting', 'running'))
BEGIN SELECT RAISE(ABORT, 'the run of the lease is not at its end'); END;
CREATE TRIGGER lease_final BEFORE UPDATE ON leases WHEN OLD.state = 'over'
BEGIN SELECT RAISE(ABORT, 'the lease is over'); END;
