#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Damage that the start does not see: the daemon finds it beside its work, says it, and writes no more."""
import hashlib
import os
import sqlite3
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import check, finish
from _lab import Lab, case, waits

WITHIN = 90  # seconds for what takes 3 s and a bit on an idle machine


def until(condition):
    limit = time.monotonic() + WITHIN
    while time.monotonic() < limit and not condition():
        time.sleep(0.1)
    return condition()


def mislead(path):
    """An index leads to a row that is another: every page is as it should be, and the counts are too."""
    for statements in (("CREATE TABLE kept AS SELECT rowid AS place, * FROM sqlite_schema WHERE name = 'jobs_series_id'", "PRAGMA writable_schema = ON",
                        "DELETE FROM sqlite_schema WHERE name = 'jobs_series_id'"),
                       ("UPDATE jobs SET series = 'another'",),
                       ("PRAGMA writable_schema = ON", "INSERT INTO sqlite_schema (rowid, type, name, tbl_name, rootpage, sql) "
                        "SELECT place, type, name, tbl_name, rootpage, sql FROM kept"),
                       ("DROP TABLE kept",)):
        database = sqlite3.connect(path)
        for statement in statements:
            database.execute(statement)
        database.commit()
        database.close()


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def whole(folder):
    with Lab(folder, 1) as lab:
        check("a whole book: the log says that it was examined", until(lambda: "examined whole" in lab.log()), lab.log())
        check("a whole book: jobs are taken", lab.get("/status")["accepts_jobs"] is True, lab.get("/status"))
        lab.wait_job(lab.submit({"a.yaml": case("one")})[1]["id"])
        # Interrupted by the end of this daemon, begun again by the next.
        return lab, lab.submit({"a.yaml": case("during", waits(2))})[1]


def damaged(lab, running):
    path = os.path.join(lab.state, "book.sqlite")
    mislead(path)
    with lab:
        check("damage: it is found beside the work", until(lambda: not lab.get("/status")["accepts_jobs"]), lab.log())
        status = lab.get("/status")
        check("damage: the status gives the reason", "jobs_series_id" in status["reason"] and "backup" in status["reason"], status)
        check("damage: the log says it", "jobs_series_id" in lab.log(), lab.log())
        before = digest(path)
        code, answer = lab.post("/jobs", {"title": "t", "files": [{"path": "a.yaml", "sha256": "0" * 64}], "paths": ["a.yaml"]})
        check("damage: a new job is refused with the reason", code == 500 and "jobs_series_id" in str(answer), (code, answer))
        check("damage: what is kept can be read", lab.job(running["id"])["id"] == running["id"], "not read")
        check("damage: the daemon ends as asked", lab.stop() == 0, lab.log())
    check("damage: nothing more was written", digest(path) == before, "the file was written to")
    tried = lab.log().count("it is tried again")
    check("damage: the log is not flooded", tried < 10, tried)


def main():
    with tempfile.TemporaryDirectory() as folder:
        damaged(*whole(folder))
    finish()


if __name__ == "__main__":
    main()
