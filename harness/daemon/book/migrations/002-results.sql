-- SPDX-License-Identifier: Apache-2.0
-- What runs found, and which blobs are named.

-- Blobs that something names, with how many do. Kept by triggers, so that nobody has to walk over folders to know.
CREATE TABLE blobs (
	sha256 TEXT PRIMARY KEY CHECK (length(sha256) = 64 AND sha256 NOT GLOB '*[^0-9a-f]*'),
	size INTEGER NOT NULL CHECK (size >= 0),
	names INTEGER NOT NULL CHECK (names >= 0)
) STRICT, WITHOUT ROWID;
CREATE TABLE blob_bytes (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	bytes INTEGER NOT NULL CHECK (bytes >= 0)
) STRICT;
INSERT INTO blob_bytes VALUES (1, 0);
CREATE TRIGGER blob_named AFTER INSERT ON blobs
BEGIN UPDATE blob_bytes SET bytes = bytes + NEW.size; END;
CREATE TRIGGER blob_unnamed AFTER UPDATE OF names ON blobs WHEN NEW.names = 0
BEGIN DELETE FROM blobs WHERE sha256 = NEW.sha256; END;
CREATE TRIGGER blob_gone AFTER DELETE ON blobs
BEGIN UPDATE blob_bytes SET bytes = bytes - OLD.size; END;

CREATE TABLE artefacts (
	run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
	name TEXT NOT NULL CHECK (name <> ''),
	sha256 TEXT NOT NULL CHECK (length(sha256) = 64 AND sha256 NOT GLOB '*[^0-9a-f]*'),
	size INTEGER NOT NULL CHECK (size >= 0),
	PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX artefacts_blob ON artefacts (sha256);

INSERT INTO blobs (sha256, size, names)
SELECT sha256, max(size), count(*) FROM (SELECT sha256, size FROM job_files UNION ALL SELECT sha256, size FROM job_reports) GROUP BY sha256;

CREATE TRIGGER job_file_names AFTER INSERT ON job_files
BEGIN
	SELECT RAISE(ABORT, 'the blob has another size') WHERE EXISTS (SELECT 1 FROM blobs WHERE sha256 = NEW.sha256 AND size <> NEW.size);
	INSERT INTO blobs (sha256, size, names) VALUES (NEW.sha256, NEW.size, 1) ON CONFLICT (sha256) DO UPDATE SET names = names + 1;
END;
CREATE TRIGGER job_file_renames AFTER UPDATE OF sha256, size ON job_files
BEGIN
	UPDATE blobs SET names = names - 1 WHERE sha256 = OLD.sha256;
	SELECT RAISE(ABORT, 'the blob has another size') WHERE EXISTS (SELECT 1 FROM blobs WHERE sha256 = NEW.sha256 AND size <> NEW.size);
	INSERT INTO blobs (sha256, size, names) VALUES (NEW.sha256, NEW.size, 1) ON CONFLICT (sha256) DO UPDATE SET names = names + 1;
END;
CREATE TRIGGER job_file_unnames AFTER DELETE ON job_files
BEGIN UPDATE blobs SET names = names - 1 WHERE sha256 = OLD.sha256; END;

CREATE TRIGGER job_report_names AFTER INSERT ON job_reports
BEGIN
	SELECT RAISE(ABORT, 'the blob has another size') WHERE EXISTS (SELECT 1 FROM blobs WHERE sha256 = NEW.sha256 AND size <> NEW.size);
	INSERT INTO blobs (sha256, size, names) VALUES (NEW.sha256, NEW.size, 1) ON CONFLICT (sha256) DO UPDATE SET names = names + 1;
END;
CREATE TRIGGER job_report_renames AFTER UPDATE OF sha256, size ON job_reports
BEGIN
	UPDATE blobs SET names = names - 1 WHERE sha256 = OLD.sha256;
	SELECT RAISE(ABORT, 'the blob has another size') WHERE EXISTS (SELECT 1 FROM blobs WHERE sha256 = NEW.sha256 AND size <> NEW.size);
	INSERT INTO blobs (sha256, size, names) VALUES (NEW.sha256, NEW.size, 1) ON CONFLICT (sha256) DO UPDATE SET names = names + 1;
END;
CREATE TRIGGER job_report_unnames AFTER DELETE ON job_reports
BEGIN UPDATE blobs SET names = names - 1 WHERE sha256 = OLD.sha256; END;

CREATE TRIGGER artefact_names AFTER INSERT ON artefacts
BEGIN
	SELECT RAISE(ABORT, 'the blob has another size') WHERE EXISTS (SELECT 1 FROM blobs WHERE sha256 = NEW.sha256 AND size <> NEW.size);
	INSERT INTO blobs (sha256, size, names) VALUES (NEW.sha256, NEW.size, 1) ON CONFLICT (sha256) DO UPDATE SET names = names + 1;
END;
CREATE TRIGGER artefact_renames AFTER UPDATE OF sha256, size ON artefacts
BEGIN
	UPDATE blobs SET names = names - 1 WHERE sha256 = OLD.sha256;
	SELECT RAISE(ABORT, 'the blob has another size') WHERE EXISTS (SELECT 1 FROM blobs WHERE sha256 = NEW.sha256 AND size <> NEW.size);
	INSERT INTO blobs (sha256, size, names) VALUES (NEW.sha256, NEW.size, 1) ON CONFLICT (sha256) DO UPDATE SET names = names + 1;
END;
CREATE TRIGGER artefact_unnames AFTER DELETE ON artefacts
BEGIN UPDATE blobs SET names = names - 1 WHERE sha256 = OLD.sha256; END;

-- The same few cases are in every run: their texts are kept once.
CREATE TABLE case_names (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE CHECK (name <> '')
) STRICT;
CREATE TABLE case_texts (
	id INTEGER PRIMARY KEY,
	name INTEGER NOT NULL REFERENCES case_names (id) ON DELETE CASCADE,
	title TEXT NOT NULL,
	file TEXT NOT NULL,
	UNIQUE (name, title, file)
) STRICT;
-- `text` is no foreign key: texts go only with their name, and an index for that alone would be as large as the table.
CREATE TABLE cases (
	run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
	name INTEGER NOT NULL REFERENCES case_names (id),
	position INTEGER NOT NULL CHECK (position >= 0),
	text INTEGER NOT NULL,
	line INTEGER NOT NULL,
	turn TEXT NOT NULL CHECK (turn IN ('begun', 'missed', 'left')), -- missed: the run ended first; left: it was told to stop before
	verdict TEXT NOT NULL CHECK (verdict IN ('pass', 'skipped', 'inconclusive', 'fail', 'error')),
	cause TEXT CHECK (cause IN ('dut', 'bench', 'testcase', 'operator')),
	message TEXT,
	place_file TEXT,
	place_line INTEGER,
	place_column INTEGER,
	duration_ns INTEGER NOT NULL CHECK (duration_ns >= 0),
	attempts INTEGER NOT NULL CHECK (attempts >= 0),
	flaky INTEGER NOT NULL CHECK (flaky IN (0, 1)),
	started INTEGER,
	PRIMARY KEY (run, name),
	CHECK (turn = 'begun' OR verdict = 'skipped'),
	CHECK (flaky = 0 OR verdict = 'pass')
) STRICT, WITHOUT ROWID;
CREATE INDEX cases_name ON cases (name, run, turn, verdict, flaky);

-- A measurement as it is followed over runs. runs and n: of those with figures, kept by triggers.
CREATE TABLE measurement_series (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	name INTEGER NOT NULL REFERENCES case_names (id),
	measurement TEXT NOT NULL CHECK (measurement <> ''),
	unit TEXT NOT NULL,
	virtual INTEGER NOT NULL CHECK (virtual IN (0, 1)),
	title TEXT NOT NULL,
	runs INTEGER NOT NULL DEFAULT 0 CHECK (runs >= 0),
	n INTEGER NOT NULL DEFAULT 0 CHECK (n >= 0),
	UNIQUE (name, measurement, unit, virtual)
) STRICT;
-- min_ns NULL: the run ended before there were figures. Never removed but by what corrects the spans too, hence no cascade.
CREATE TABLE measured (
	id INTEGER PRIMARY KEY,
	series INTEGER NOT NULL REFERENCES measurement_series (id),
	run INTEGER NOT NULL REFERENCES runs (id),
	position INTEGER NOT NULL CHECK (position >= 0),
	rig TEXT NOT NULL,
	at INTEGER NOT NULL,
	complete INTEGER NOT NULL CHECK (complete IN (0, 1)),
	n INTEGER NOT NULL CHECK (n >= 0),
	min_ns INTEGER,
	p50_ns INTEGER,
	p95_ns INTEGER,
	max_ns INTEGER,
	limits TEXT NOT NULL CHECK (json_type(limits) = 'array'),
	histogram BLOB NOT NULL,
	UNIQUE (series, run),
	CHECK ((min_ns IS NULL) = (p50_ns IS NULL) AND (min_ns IS NULL) = (p95_ns IS NULL) AND (min_ns IS NULL) = (max_ns IS NULL)),
	CHECK (min_ns IS NULL OR (complete = 1 AND n > 0 AND min_ns <= p50_ns AND p50_ns <= p95_ns AND p95_ns <= max_ns))
) STRICT;
CREATE INDEX measured_run ON measured (run);
CREATE INDEX measured_at ON measured (series, at, rig) WHERE min_ns IS NOT NULL;
CREATE TRIGGER measured_added AFTER INSERT ON measured WHEN NEW.min_ns IS NOT NULL
BEGIN UPDATE measurement_series SET runs = runs + 1, n = n + NEW.n WHERE id = NEW.series; END;
CREATE TRIGGER measured_removed AFTER DELETE ON measured WHEN OLD.min_ns IS NOT NULL
BEGIN UPDATE measurement_series SET runs = runs - 1, n = n - OLD.n WHERE id = OLD.series; END;

-- All runs of a rig within an hour or a day (UTC) together. first and last: `at` of the first and the last of them.
CREATE TABLE measured_spans (
	id INTEGER PRIMARY KEY,
	series INTEGER NOT NULL REFERENCES measurement_series (id) ON DELETE CASCADE,
	level TEXT NOT NULL CHECK (level IN ('hour', 'day')),
	begin INTEGER NOT NULL,
	rig TEXT NOT NULL,
	first INTEGER NOT NULL,
	last INTEGER NOT NULL CHECK (last >= first),
	runs INTEGER NOT NULL CHECK (runs > 0),
	n INTEGER NOT NULL CHECK (n > 0),
	min_ns INTEGER NOT NULL,
	max_ns INTEGER NOT NULL CHECK (max_ns >= min_ns),
	histogram BLOB NOT NULL,
	UNIQUE (series, level, begin, rig)
) STRICT;

-- Retention: artefacts and reports go first (stripped), then the job as a whole.
ALTER TABLE jobs ADD COLUMN stripped INTEGER NOT NULL DEFAULT 0 CHECK (stripped IN (0, 1));
CREATE INDEX jobs_aged ON jobs (ended) WHERE state = 'done' AND pinned = 0;
CREATE INDEX jobs_unstripped ON jobs (ended) WHERE state = 'done' AND pinned = 0 AND stripped = 0;
CREATE INDEX jobs_removable ON jobs (id) WHERE state = 'done' AND pinned = 0;
CREATE INDEX jobs_strippable ON jobs (id) WHERE state = 'done' AND pinned = 0 AND stripped = 0;
