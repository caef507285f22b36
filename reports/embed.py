#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a C header of text files: embed.py OUTPUT NAME=FILE... gives `static const char NAME[]` for each."""
import sys


def array(data):
    """Numbers, because ISO C allows no string literal of this length."""
    values = list(data) + [0]
    if max(values) > 127:
        sys.exit("templates are ASCII")
    return ",\n".join(", ".join(str(v) for v in values[i : i + 32]) for i in range(0, len(values), 32))


def main():
    output, *items = sys.argv[1:]
    with open(output, "w", encoding="ascii") as out:
        out.write("/* SPDX-License-Identifier: Apache-2.0 */\n")
        for item in items:
            name, path = item.split("=", 1)
            with open(path, "rb") as source:
                out.write("static const char %s[] = {%s};\n" % (name, array(source.read())))


main()
