#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compiles the firmware for a 32-bit microcontroller and holds its size against firmware/budget.txt.

Static RAM and flash come from linking each application with unused sections dropped; what the port and mbedTLS give is
left open. The worst stack is the most expensive path through the compiler's call graph. A call by pointer may reach
every function whose address is taken; functions that can call each other that way are all counted, each once.
mbedTLS: heap and stack are measured by the program given with --memory.
"""
import argparse
import collections
import os
import re
import subprocess
import sys

ARM = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb"]
X86 = ["gcc", "-m32", "-fno-pic", "-fno-pie"]
FLAGS = ["-std=c17", "-D_GNU_SOURCE", "-ffreestanding", "-Os", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-fno-common",
         "-fno-strict-aliasing", "-ffunction-sections", "-fdata-sections", "-fno-asynchronous-unwind-tables", "-fstack-usage",
         "-fcallgraph-info=su"]
SIDES = {"zgw": ["zgw.c", "client_side.c", "server_side.c"], "ecu": ["ecu.c", "client_side.c"], "vmg": ["vmg.c", "server_side.c"], "device": ["device.c", "device_client.c"]}
MAINS = {name for sources in SIDES.values() for name in sources}
CALLS = ("CALL", "JUMP", "PC24", "PC32", "PLT32", "PREL31", "V4BX")


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit("size: " + " ".join(command) + "\n" + (done.stdout + done.stderr)[:4000])
    return done.stdout


class Toolchain:
    def __init__(self, constants, work):
        self.constants, self.work = constants, work
        self.arm = subprocess.run(["which", ARM[0]], stdout=subprocess.DEVNULL).returncode == 0
        self.compiler = ARM if self.arm else X86
        self.prefix = "arm-none-eabi-" if self.arm else ""

    def compile(self, source):
        output = os.path.join(self.work, source.replace("/", "_")[:-2] + ".o")
        # The mbedTLS headers are the host's: behind the target's own, which come first.
        headers = ["-idirafter", "/usr/include"]
        if os.path.isdir("/usr/include/x86_64-linux-gnu") and not self.arm:
            headers += ["-idirafter", "/usr/include/x86_64-linux-gnu"]
        run(self.compiler + FLAGS + ["-D" + c for c in self.constants] + headers + ["-c", source, "-o", output])
        return output

    def stand_ins(self, name, objects):
        """One empty function with the name of everything that the port and the libraries would give."""
        defined, wanted = set(), set()
        for line in run([self.prefix + "nm"] + objects).splitlines():
            fields = line.split()
            if len(fields) >= 2:
                (wanted if fields[-2] in "Uw" else defined).add(fields[-1])
        kind = "%function" if self.arm else "@function"
        lines = [".syntax unified", ".thumb"] if self.arm else []
        lines.append(".section .text.stand_ins")
        for symbol in sorted(wanted - defined):
            lines += [f".globl {symbol}", f".type {symbol}, {kind}"] + ([".thumb_func"] if self.arm else []) + [symbol + ":"]
        lines.append("bx lr" if self.arm else "ret")
        source = os.path.join(self.work, name + "-stand-ins.s")
        with open(source, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        run(self.compiler + ["-c", source, "-o", source[:-2] + ".o"])
        return source[:-2] + ".o"

    def link(self, name, objects, core):
        output = os.path.join(self.work, name + ".elf")
        archive = os.path.join(self.work, "core.a")
        if os.path.exists(archive):
            os.remove(archive)
        run([self.prefix + "ar", "rcs", archive] + core)
        run(self.compiler + ["-nostdlib", "-static", "-Wl,--gc-sections", "-Wl,-e,application_main", "-Wl,-u,application_main",
                             "-o", output] + objects + [archive, self.stand_ins(name, objects + core)])
        return output

    def sections(self, image):
        sizes = collections.Counter()
        for line in run([self.prefix + "size", "-A", image]).splitlines():
            match = re.match(r"\.(text|rodata|data|bss)\S*\s+(\d+)", line)
            if match:
                sizes[match.group(1)] += int(match.group(2))
        return sizes

    def functions(self, image):
        lines = run([self.prefix + "nm", image]).splitlines()
        return {line.split()[-1].split(".")[0] for line in lines if re.search(r" [tTwW] ", line)}


def callgraph(objects):
    """Frames and callees by the compiler's name of a function ("file.c:name" for static ones)."""
    frames, calls, dynamic = {}, collections.defaultdict(set), []
    for path in objects:
        with open(path[:-2] + ".ci", encoding="utf-8") as file:
            text = file.read()
        for title, label in re.findall(r'node: \{ title: "([^"]+)" label: "([^"]+)"', text):
            size = re.search(r"(\d+) bytes \(([a-z,]+)\)", label)
            if size:
                frames[title] = int(size.group(1))
                if "static" not in size.group(2) and "bounded" not in size.group(2):
                    dynamic.append(title)
        for source, target in re.findall(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"', text):
            calls[source].add(target)
    if dynamic:
        sys.exit("size: frames of unknown size: " + ", ".join(dynamic))
    return frames, calls


def plain(title):
    return title.split(":")[-1].split(".")[0]


def address_taken(objects, toolchain):
    names = set()
    for path in objects:
        for line in run([toolchain.prefix + "readelf", "-rW", path]).splitlines():
            fields = line.split()
            if len(fields) >= 5 and fields[2].startswith("R_") and not any(call in fields[2] for call in CALLS):
                names.add(fields[4].removeprefix(".text.").split(".")[0])
    return names


def components(nodes, edges):
    """Tarjan, without recursion: strongly connected components, callees before callers."""
    index, low, on, stack, result = {}, {}, set(), [], []
    for root in nodes:
        if root in index:
            continue
        work = [(root, iter(edges[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on.add(root)
        while work:
            node, rest = work[-1]
            target = next(rest, None)
            if target is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component = []
                    while not component or component[-1] != node:
                        component.append(stack.pop())
                        on.discard(component[-1])
                    result.append(component)
            elif target not in index:
                index[target] = low[target] = len(index)
                stack.append(target)
                on.add(target)
                work.append((target, iter(edges[target])))
            elif target in on:
                low[node] = min(low[node], index[target])
    return result


def worst_stack(objects, linked, toolchain):
    frames, calls = callgraph(objects)
    nodes = [n for n in frames if plain(n) in linked]
    taken = address_taken(objects, toolchain)
    pointed = {n for n in nodes if plain(n) in taken and plain(n) != "application_main"}
    edges = {}
    for node in nodes:
        targets = set(calls[node])
        # mbedTLS calls back what it was given.
        if "__indirect_call" in targets or any(t.startswith(("mbedtls_", "psa_")) for t in targets):
            targets |= pointed
        edges[node] = [t for t in targets if t in frames and plain(t) in linked]
    depth = {}
    for component in components(nodes, edges):
        own = sum(frames[n] for n in component)
        below = max([depth[t] for n in component for t in edges[n] if t not in component] or [0])
        for node in component:
            depth[node] = own + below
    return depth["application_main"]


def read_budget(path):
    constants, applications = [], []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            words = line.split("#")[0].split()
            if not words:
                continue
            if words[0] == "constant" and len(words) == 2:
                constants.append(words[1])
            elif words[0] == "application" and len(words) == 8:
                applications.append([words[1]] + [int(w) for w in words[2:]])
            else:
                sys.exit(f"{path}:{number}: neither a constant nor an application")
    return constants, applications


def measure_mbedtls(program, servers, clients, certificates):
    if servers + clients == 0:
        return {"heap_host": 0, "heap_target": 0, "heap_open": 0, "stack": 0}, ""
    text = run([program, str(servers), str(clients), certificates])
    return {k: int(v) for k, v in re.findall(r"^(\w+)=(\d+)$", text, re.M)}, text


def report(name, value, limit, failures):
    over = "" if value <= limit else "  OVER BUDGET"
    if over:
        failures.append(name)
    print(f"    {name:<34}{value:>9} of {limit:>7}{over}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for option in ("--firmware", "--work", "--memory", "--certificates"):
        parser.add_argument(option, required=True)
    options = parser.parse_args()
    for option, value in vars(options).items():
        setattr(options, option, os.path.abspath(value))
    os.makedirs(options.work, exist_ok=True)
    constants, applications = read_budget(os.path.join(options.firmware, "budget.txt"))
    toolchain = Toolchain(constants, options.work)
    os.chdir(options.firmware)

    def compile_all(folder, wanted):
        return [toolchain.compile(f"{folder}/{f}") for f in sorted(os.listdir(folder)) if f.endswith(".c") and wanted(f)]

    core = compile_all("core", lambda f: True)
    shared = compile_all("app", lambda f: f not in MAINS)
    sides = {f: toolchain.compile("app/" + f) for f in sorted(MAINS)}
    boot = compile_all("boot", lambda f: True)
    print("compiler: " + " ".join(toolchain.compiler) + " -Os; constants: " + " ".join(constants))
    print("TriCore's own compiler (TC375) is not packaged: Cortex-M4 stands for a 32-bit microcontroller" if toolchain.arm
          else "arm-none-eabi-gcc is not installed: -m32 stands for a 32-bit microcontroller")
    print("flash is without mbedTLS, which is not packaged for the target; its heap and stack are measured on this host")
    failures = [f"{name} without a budget" for name in sorted(SIDES) if name not in {row[0] for row in applications}]
    sessions = int(dict(c.split("=") for c in constants)["TLS_MAX_SESSIONS"])
    for name, servers, clients, arena, ram, flash, stack in applications:
        if servers + clients > sessions:
            failures.append(f"{name} {servers + clients} TLS sessions of {sessions}")
        # The bootloader's recovery has the faces of a DoIP server.
        objects = boot + shared + [sides["server_side.c"]] if name == "bootloader" else shared + [sides[f] for f in SIDES[name]]
        image = toolchain.link(name, objects, core)
        sizes = toolchain.sections(image)
        own_stack = worst_stack(objects + core, toolchain.functions(image), toolchain)
        tls, text = measure_mbedtls(options.memory, servers, clients, options.certificates)
        static = sizes["data"] + sizes["bss"]
        print(f"\n{name}: {servers} TLS sessions as server, {clients} as client")
        print(f"    static RAM {static} (.data {sizes['data']} + .bss {sizes['bss']}); stack {own_stack} + {tls['stack']} in mbedTLS")
        for line in text.splitlines():
            if line.startswith("TLS "):
                print("    mbedTLS heap, " + line)
        if text:
            print(f"    mbedTLS heap: {tls['heap_host']} with 16 KiB records as packaged, {tls['heap_target']} with the target's "
                  f"4 KiB records")
            report(f"{name} mbedTLS heap in its arena", tls["heap_target"], arena, failures)
        report(f"{name} RAM in all", static + own_stack + tls["stack"] + arena, ram, failures)
        report(f"{name} flash (text, rodata, data)", sizes["text"] + sizes["rodata"] + sizes["data"], flash, failures)
        report(f"{name} worst stack", own_stack + tls["stack"], stack, failures)
    print(("over budget: " + ", ".join(failures)) if failures else "all within firmware/budget.txt")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
