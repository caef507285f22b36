#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The pages of hilbenchd in a headless Chromium: against a played daemon, then against hilbenchd with virtual racks and a case that really fails.

HILBENCH_PICTURES=DIR writes the pictures of the documents there. HILBENCH_CHROMIUM names another Chromium.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import BIN, OUT, ROOT, check, finish, not_ok, skip

PAGES = os.path.join(ROOT, "reports/pages")
LIMIT_S = 420


def chromium():
    return os.environ.get("HILBENCH_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def libraries(folder):
    """node_modules with playwright-core and uPlot, or the reason why there are none."""
    npm = shutil.which("npm")
    if not npm or not shutil.which("node"):
        return None, "npm or node is not installed"
    os.makedirs(folder, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(os.path.join(PAGES, name), folder)
    done = subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"], cwd=folder, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        return None, f"npm ci: status {done.returncode}: {' '.join(done.stderr.split())[-200:]}"
    return os.path.join(folder, "node_modules"), None


def try_pages(what, modules, browser, out, more):
    """Runs the tests in node; their lines are ours, with `what` in the name."""
    os.makedirs(out, exist_ok=True)
    command = ["node", os.path.join(PAGES, "test/pages.mjs"), "--modules", modules, "--chromium", browser, "--out", out, *more]
    # A group of its own: what hangs is ended with its browser.
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            lines, errors = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            lines, errors = process.communicate()
            errors = f"no end after {LIMIT_S} s"
    count = 0
    for line in lines.splitlines():
        word, _, rest = line.partition(" pages: ")
        if word == "ok":
            count += 1
            check(f"{what}: {rest}", True, "")
        elif word == "not ok":
            name, _, reason = rest.partition(" - ")
            not_ok(f"{what}: {name}", reason)
    check(f"{what}: the tests ran to their end", process.returncode in (0, 1) and not errors.strip() and count > 20, f"status {process.returncode}, {count} ok: {errors[-200:]}")


def with_daemon(modules, browser, out, pictures):
    from _lab import Lab  # pylint: disable=import-outside-toplevel
    with tempfile.TemporaryDirectory(dir=OUT) as folder, Lab(folder, 2, "listen: {address: 127.0.0.1:0}\nleases: {heartbeat: 4s}\n") as lab:
        port, tokens = lab.port(), {}
        for name, role in (("ada", "operator"), ("grace", "admin")):
            status, answer = lab.ask("POST", "/api/v1/tokens", {"name": name, "role": role, "expires": None})
            if not check(f"hilbenchd: a token is made for an {role}", status in (200, 201), f"{status} {answer[:200]!r}"):
                return
            tokens[role] = json.loads(answer)["token"]
        try_pages("hilbenchd", modules, browser, out, ["--base", f"http://127.0.0.1:{port}", "--token", tokens["operator"], "--admin", tokens["admin"], "--rig", "v2", *pictures])


def main():
    browser = chromium()
    if not browser:
        skip("pages", "Chromium is not installed")
        return
    modules, reason = libraries(os.path.join(OUT, "pages-npm"))
    if not modules:
        skip("pages", reason)
        return
    pictures = os.environ.get("HILBENCH_PICTURES")
    pictures = ["--pictures", os.path.realpath(pictures)] if pictures else []
    try_pages("played daemon", modules, browser, os.path.join(OUT, "pages-played"), pictures)
    if not os.path.exists(os.path.join(BIN, "hilbenchd")):
        skip("pages of hilbenchd", "it is not built")
        return
    with_daemon(modules, browser, os.path.join(OUT, "pages-daemon"), pictures)


main()
finish()
