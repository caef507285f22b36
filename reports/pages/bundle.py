#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the C header of the pages: bundle.py --source DIR --npm PROGRAM --private DIR --depfile FILE OUTPUT

Fetches the libraries of package-lock.json into the private folder when the lock is another one than last time; nothing else needs a network.
"""
import argparse
import hashlib
import os
import shutil
import subprocess
import sys

TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
         ".txt": "text/plain; charset=utf-8"}
# Where the page finds what comes from the registry.
LIBRARIES = {"uplot/dist/uPlot.iife.min.js": "lib/uPlot.js", "uplot/dist/uPlot.min.css": "lib/uPlot.css", "uplot/LICENSE": "lib/uPlot-LICENSE.txt"}


def arguments():
    parser = argparse.ArgumentParser()
    for name in ("--source", "--npm", "--private", "--depfile"):
        parser.add_argument(name, required=True)
    parser.add_argument("output")
    return parser.parse_args()


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def install(npm, source, private):
    """node_modules of the lock file in the private folder."""
    names = [os.path.join(source, name) for name in ("package.json", "package-lock.json")]
    wanted = " ".join(digest(name) for name in names)
    stamp = os.path.join(private, "installed")
    modules = os.path.join(private, "node_modules")
    if os.path.exists(stamp) and all(os.path.exists(os.path.join(modules, name)) for name in LIBRARIES):
        with open(stamp, encoding="ascii") as file:
            if file.read() == wanted:
                return
    os.makedirs(private, exist_ok=True)
    if os.path.exists(stamp):
        os.unlink(stamp)
    for name in names:
        shutil.copy(name, private)
    command = [npm, "ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--prefer-offline"]
    environment = dict(os.environ, npm_config_update_notifier="false")
    result = subprocess.run(command, cwd=private, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)} in {private}: status {result.returncode}\n{result.stdout}{result.stderr}")
    with open(stamp, "w", encoding="ascii") as file:
        file.write(wanted)


def collect(www, modules):
    """(path below /, file) of everything that is served, and the folders it was found in."""
    found, folders = {}, []
    for folder, below, names in os.walk(www):
        below.sort()
        folders.append(folder)
        for name in names:
            place = os.path.join(folder, name)
            if not name.startswith(".") and os.path.splitext(name)[1] in TYPES:
                found[os.path.relpath(place, www).replace(os.sep, "/")] = place
    for name, path in LIBRARIES.items():
        found[path] = os.path.join(modules, name)
    return sorted(found.items()), folders


def bytes_of(data):
    """Numbers, because ISO C allows no string literal of this length."""
    return ",\n".join(",".join(map(str, data[i:i + 32])) for i in range(0, len(data), 32))


def header(files):
    yield ("/* SPDX-License-Identifier: Apache-2.0 */\n/* The pages; made by reports/pages/bundle.py. */\n#ifndef HILBENCH_PAGES_H\n#define HILBENCH_PAGES_H\n\n"
           "#include <stddef.h>\n\nstruct page_file {\n\tconst char *path; /* below /, without a leading slash */\n\tconst char *content_type;\n"
           "\tconst unsigned char *data;\n\tsize_t length;\n\tconst char *etag; /* with its quotation marks */\n};\n\n")
    rows = []
    for number, (path, place) in enumerate(files):
        with open(place, "rb") as file:
            data = file.read()
        if not data:
            sys.exit(f"{place} is empty")
        yield f"static const unsigned char page_file_{number}[] = {{{bytes_of(data)}}};\n"
        etag = hashlib.sha256(data).hexdigest()[:32]
        rows.append(f'\t{{"{path}", "{TYPES[os.path.splitext(path)[1]]}", page_file_{number}, sizeof page_file_{number}, "\\"{etag}\\""}},\n')
    yield "\n/* In the order of strcmp() of the paths. */\nstatic const struct page_file page_files[] = {\n"
    yield from rows
    yield "};\nenum { PAGE_FILE_COUNT = sizeof page_files / sizeof page_files[0] };\n\n#endif\n"


def main():
    options = arguments()
    install(options.npm, options.source, options.private)
    files, folders = collect(os.path.join(options.source, "www"), os.path.join(options.private, "node_modules"))
    with open(options.output + ".new", "w", encoding="ascii") as out:
        out.writelines(header(files))
    os.replace(options.output + ".new", options.output)
    depends = [*folders, *(place for _, place in files), *(os.path.join(options.source, name) for name in ("package.json", "package-lock.json"))]
    with open(options.depfile, "w", encoding="utf-8") as out:
        out.write(f"{options.output}: " + " ".join(place.replace(" ", "\\ ") for place in depends) + "\n")


main()
