#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes what qemu needs to boot Debian's own kernel with programs of this checkout in it.

make-image.py --cache DIR --out IMAGE [--kernel PACKAGE] [--kernel-link LINK] [--module NAME]... [--add FILE[=PLACE]]...

IMAGE becomes an initramfs: a base (busybox, the modules and the order in which they are loaded) that is cached by kernel
version, and what --add names with the shared libraries that it is linked with. The kernel is linked as LINK. Kernel and
busybox come as package files from the sources of this machine's apt; nothing is installed and no root is needed.
Inside, /etc/modules holds the paths of the modules in the order in which insmod takes them.

Status 0; 1 on an error of its own; 3 when the packages cannot be had, with the reason as the last line of standard error.
"""
import argparse
import fcntl
import glob
import gzip
import hashlib
import lzma
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile

DEFAULT_MODULES = ["can", "can-raw", "can-dev", "can-isotp", "vcan", "vxcan", "sja1000", "kvaser_pci", "vhci-hcd", "gs_usb",
                   "ftdi_sio"]
APPLETS = ["sh", "mount", "mkdir", "insmod", "cat", "dd", "sleep", "mkfifo", "kill", "grep", "sed", "ls", "dmesg", "printf", "echo", "tr",
           "timeout", "poweroff", "head", "tail", "wc", "test", "rm", "cut", "sync", "awk", "cmp", "ifconfig", "ln",
           "readlink", "seq", "od"]
DOWNLOAD_S = 150


class NotToBeHad(Exception):
    """A package that no source of this machine gives."""


def run(command, **options):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)


def newest_complaint(text):
    lines = [line for line in text.splitlines() if line.startswith(("E:", "Err", "W:"))] or text.splitlines()
    return lines[-1] if lines else "no reason given"


class Packages:
    """Package files by apt, first with the machine's package lists; when those are missing or old, with own fresh ones."""

    def __init__(self, directory, kernel=None):
        self.directory = directory
        self.kernel_name = kernel
        self.options = []

    def refresh(self):
        state = os.path.join(self.directory, "apt")
        for name in ("lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(state, name), exist_ok=True)
        self.options = ["-o", f"Dir::State::lists={state}/lists", "-o", f"Dir::Cache={state}/cache"]
        done = run(["apt-get", *self.options, "-q", "update"], timeout=DOWNLOAD_S)
        if done.returncode != 0:
            raise NotToBeHad("apt-get update: " + newest_complaint(done.stderr))

    def kernel(self):
        """The package that holds the kernel that Debian would install here, or the one that was asked for."""
        if self.kernel_name:
            return self.kernel_name
        done = run(["apt-cache", *self.options, "depends", "--important", "linux-image-amd64"])
        found = re.findall(r"Depends: (linux-image-[0-9][^\s:]*)", done.stdout)
        if not found:
            raise NotToBeHad("apt knows no package linux-image-amd64")
        return found[0]

    def download(self, name):
        for old in glob.glob(os.path.join(self.directory, f"{name}_*.deb")):
            os.unlink(old)
        done = run(["apt-get", *self.options, "-q", "download", name], cwd=self.directory, timeout=DOWNLOAD_S)
        files = glob.glob(os.path.join(self.directory, f"{name}_*.deb"))
        if done.returncode != 0 or len(files) != 1:
            raise NotToBeHad(f"apt-get download {name}: " + newest_complaint(done.stderr))
        return files[0]


def with_fresh_lists(packages, action):
    """What action() gives; when the machine's package lists do not serve, a second time with lists of our own."""
    try:
        return action()
    except NotToBeHad as first:
        if packages.options:
            raise
        try:
            packages.refresh()
            return action()
        except NotToBeHad as second:
            raise NotToBeHad(f"{first}; with new package lists: {second}") from None


def unpack(package, directory, patterns):
    """The files of a Debian package that match; its data is read once and never written as a whole."""
    data = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    # A pattern that matches nothing (a merged /usr or not) is no failure here: make_base() looks at what came.
    run_tar = subprocess.Popen(["tar", "-x", "-C", directory, "--no-same-owner", "--wildcards", *patterns], stdin=data.stdout,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    data.stdout.close()
    run_tar.wait()
    if data.wait() != 0:
        raise NotToBeHad(f"{os.path.basename(package)} cannot be unpacked")


def uncompressed_module(path):
    with open(path, "rb") as file:
        data = file.read()
    if path.endswith(".xz"):
        return lzma.decompress(data)
    if path.endswith(".gz"):
        return gzip.decompress(data)
    if path.endswith(".zst"):
        return subprocess.run(["zstd", "-dc"], input=data, capture_output=True, check=True).stdout
    return data


class Modules:
    """The modules of an unpacked kernel by name, and what each needs before it."""

    def __init__(self, directory):
        self.paths = {}
        for path in glob.glob(os.path.join(directory, "**/*.ko*"), recursive=True):
            self.paths[self.name_of(os.path.basename(path).split(".ko")[0])] = path

    @staticmethod
    def name_of(text):
        return text.replace("-", "_")

    def load_order(self, wanted):
        """(name, bytes) in the order of loading. A module that this kernel has built in, or not at all, is left out."""
        order, seen = [], set()

        def visit(name):
            if name in seen or name not in self.paths:
                return
            seen.add(name)
            data = uncompressed_module(self.paths[name])
            needs = re.search(rb"(?:^|\0)depends=([^\0]*)\0", data)
            for other in (needs.group(1).decode().split(",") if needs else []):
                visit(self.name_of(other))
            order.append((name, data))

        for name in wanted:
            visit(self.name_of(name))
        return order


class Archive:
    """A cpio archive in the format that the kernel unpacks ("newc"), so that no cpio program and no root are needed."""

    def __init__(self):
        self.parts = []
        self.number = 0
        self.directories = set()

    def entry(self, name, mode, data=b"", device=(0, 0)):
        self.number += 1
        encoded = name.encode() + b"\0"
        fields = (self.number, mode, 0, 0, 1, 0, len(data), 0, 0, device[0], device[1], len(encoded), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
        self.parts += [head, bytes(-len(head) % 4), data, bytes(-len(data) % 4)]

    def directory(self, name):
        if name and name not in self.directories:
            self.directory(os.path.dirname(name))
            self.directories.add(name)
            self.entry(name, stat.S_IFDIR | 0o755)

    def file(self, name, data, mode=0o644):
        name = name.lstrip("/")
        self.directory(os.path.dirname(name))
        self.entry(name, stat.S_IFREG | mode, data)

    def link(self, name, target):
        self.directory(os.path.dirname(name))
        self.entry(name, stat.S_IFLNK | 0o777, target.encode())

    def node(self, name, major, minor):
        self.directory(os.path.dirname(name))
        self.entry(name, stat.S_IFCHR | 0o600, device=(major, minor))

    def bytes(self):
        self.entry("TRAILER!!!", 0)
        return b"".join(self.parts)


def make_base(kernel_package, busybox_package, modules, directory):
    """vmlinuz and base.cpio.gz of one kernel version, in a directory of its own."""
    with tempfile.TemporaryDirectory(dir=directory) as work:
        folders = ["net/can", "drivers/net/can", "drivers/usb/core", "drivers/usb/common", "drivers/usb/serial", "drivers/usb/usbip"]
        unpack(kernel_package, work, ["./boot/vmlinuz-*"] + [f"./*lib/modules/*/kernel/{folder}/*" for folder in folders])
        unpack(busybox_package, work, ["./*bin/busybox"])
        kernels = glob.glob(os.path.join(work, "boot/vmlinuz-*"))
        busybox = glob.glob(os.path.join(work, "bin/busybox")) + glob.glob(os.path.join(work, "usr/bin/busybox"))
        order = Modules(work).load_order(modules)
        if len(kernels) != 1 or not busybox or not order:
            raise NotToBeHad("the kernel package holds no kernel with CAN modules")
        archive = Archive()
        archive.node("dev/console", 5, 1)
        for name in ("proc", "sys", "run", "tmp", "modules"):
            archive.directory(name)
        with open(busybox[0], "rb") as file:
            archive.file("bin/busybox", file.read(), 0o755)
        for applet in APPLETS:
            archive.link(f"bin/{applet}", "busybox")
        for name, data in order:
            archive.file(f"modules/{name}.ko", data)
        archive.file("etc/modules", "".join(f"/modules/{name}.ko\n" for name, _ in order).encode())
        with open(os.path.join(work, "base"), "wb") as file:
            file.write(gzip.compress(archive.bytes(), 1, mtime=0))
        os.replace(kernels[0], os.path.join(directory, "vmlinuz"))
        os.replace(os.path.join(work, "base"), os.path.join(directory, "base.cpio.gz"))


def cached_base(cache, modules, kernel):
    """The directory of a base for the kernel that apt gives, or, without apt's help, of the newest that was made before."""
    os.makedirs(cache, exist_ok=True)
    with open(__file__, "rb") as file:
        recipe = hashlib.sha256(file.read() + repr(modules).encode()).hexdigest()[:12]
    packages = Packages(cache, kernel)
    made = sorted(glob.glob(os.path.join(cache, f"linux-*+{recipe}", "base.cpio.gz")), key=os.path.getmtime)
    try:
        name = packages.kernel()
    except (NotToBeHad, OSError):
        if made:
            return os.path.dirname(made[-1])
        name = None
    directory = os.path.join(cache, f"{name}+{recipe}")
    if name and os.path.exists(os.path.join(directory, "base.cpio.gz")):
        return directory
    with_fresh_lists(packages, packages.kernel)
    try:
        kernel, busybox = with_fresh_lists(packages, lambda: (packages.download(packages.kernel()), packages.download("busybox-static")))
    except subprocess.TimeoutExpired:
        raise NotToBeHad(f"apt-get took longer than {DOWNLOAD_S} s") from None
    directory = os.path.join(cache, f"{packages.kernel()}+{recipe}")
    os.makedirs(directory, exist_ok=True)
    make_base(kernel, busybox, modules, directory)
    for file in (kernel, busybox):
        os.unlink(file)
    shutil.rmtree(os.path.join(cache, "apt"), ignore_errors=True)
    return directory


def libraries_of(program):
    """The shared libraries and the loader that a program is linked with; none for a script or a static program."""
    done = run(["ldd", program])
    if done.returncode != 0:
        return []
    if "not found" in done.stdout:
        raise SystemExit(f"make-image: {program} misses a library: {done.stdout}")
    return re.findall(r"(/\S+) \(0x", done.stdout)


def make_overlay(additions):
    archive = Archive()
    libraries = set()
    for addition in additions:
        source, _, place = addition.partition("=")
        with open(source, "rb") as file:
            data = file.read()
        archive.file(place or "bin/" + os.path.basename(source), data, 0o755 if os.access(source, os.X_OK) or place == "init" else 0o644)
        libraries.update(libraries_of(source))
    for library in sorted(libraries):
        with open(library, "rb") as file:
            archive.file(library, file.read(), 0o755)
    return archive.bytes()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--kernel", help="the package of the kernel (default: what linux-image-amd64 depends on)")
    parser.add_argument("--kernel-link")
    parser.add_argument("--module", action="append")
    parser.add_argument("--add", action="append", default=[])
    arguments = parser.parse_args()
    os.makedirs(arguments.cache, exist_ok=True)
    with open(os.path.join(arguments.cache, ".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            directory = cached_base(os.path.realpath(arguments.cache), arguments.module or DEFAULT_MODULES, arguments.kernel)
        except (NotToBeHad, FileNotFoundError, subprocess.TimeoutExpired) as error:
            print(error, file=sys.stderr)
            return 3
    with open(os.path.join(directory, "base.cpio.gz"), "rb") as file:
        base = file.read()
    with open(arguments.out, "wb") as file:
        file.write(base + gzip.compress(make_overlay(arguments.add), 1, mtime=0))
    if arguments.kernel_link:
        if os.path.lexists(arguments.kernel_link):
            os.unlink(arguments.kernel_link)
        os.symlink(os.path.join(directory, "vmlinuz"), arguments.kernel_link)
    print(f"kernel {os.path.basename(directory).partition('+')[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
