# SPDX-License-Identifier: Apache-2.0
"""The root file system of a virtual machine that runs systemd, as a part of its initramfs: files of this machine's own packages (systemd and the few programs
that the guest needs, with their libraries) and files of the test. Everything belongs to root; no root is needed to make it."""
import importlib.util
import os
import re
import stat
import subprocess

# What runs is systemd, its journal and its tools. Its many other programs, and the units that would start them, do nothing for the test but cost time.
LEFT_OUT = re.compile(
    r"/usr/share/(doc|man|locale|lintian|bug|bash-completion|zsh|polkit-1|dbus-1|mime)/|/usr/lib/systemd/(catalog|boot|user|user-preset)/|/hwdb|/kernel/|/etc/(pam|xdg|X11)"
    r"|-generators/|/usr/lib/systemd/systemd-(?!executor|journald|shutdown)|/bin/(?!systemctl|journalctl|systemd-analyze|systemd-tmpfiles|openocd)"
    r"|\.wants/(?!systemd-journald|systemd-tmpfiles-setup\.service|systemd-journald)")
MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


class NoPackage(Exception):
    """A package of this machine that is not installed."""


def load_archive(root):
    """The class Archive of tools/vm/make-image.py, whose name is that of a program."""
    spec = importlib.util.spec_from_file_location("make_image", os.path.join(root, "tools/vm/make-image.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Archive()


class GuestRoot:
    """add_*() until bytes(), which is an archive with all of it below /machine."""

    def __init__(self, checkout):
        self.archive = load_archive(checkout)
        self.added = set()
        for name in ("dev", "proc", "sys", "run", "tmp", "var/log", "var/lib", "etc", "root", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64"):
            self.archive.directory("machine/" + name)
        for name in MERGED:
            self.add_link("/" + name, "usr/" + name)

    @staticmethod
    def place(path):
        """Where a path lies in a system whose /bin, /lib … are links into /usr."""
        first = path.lstrip("/").split("/", 1)
        return "usr/" + path.lstrip("/") if first[0] in MERGED and len(first) > 1 else path.lstrip("/")

    def add_data(self, path, data, mode=0o644):
        name = self.place(path)
        if name in self.added:
            return
        self.added.add(name)
        self.archive.file("machine/" + name, data.encode() if isinstance(data, str) else data, mode)

    def add_link(self, path, target):
        name = path.lstrip("/") if path.lstrip("/") in MERGED else self.place(path)
        if name not in self.added:
            self.added.add(name)
            self.archive.link("machine/" + name, target)

    def add_file(self, path, place=None, libraries=True):
        """A file with what it is linked with; a link with what it points to."""
        place = place or path
        if self.place(place) in self.added:
            return
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            target = os.readlink(path)
            self.add_link(place, target)
            behind = os.path.normpath(os.path.join(os.path.dirname(path), target))
            if os.path.isfile(behind):
                self.add_file(behind, None, libraries)
            return
        if not stat.S_ISREG(mode) or not os.access(path, os.R_OK):
            return
        with open(path, "rb") as file:
            data = file.read()
        self.add_data(place, data, stat.S_IMODE(mode) & 0o755)
        if libraries and data[:4] == b"\x7fELF":
            self.add_libraries(path)

    def add_libraries(self, path):
        done = subprocess.run(["ldd", path], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False)
        for library in re.findall(r"(/\S+) \(0x", done.stdout):
            self.add_file(library, None, False)

    def add_package(self, name):
        done = subprocess.run(["dpkg", "-L", name], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False)
        if done.returncode != 0:
            raise NoPackage(f"the package {name} is not installed")
        for path in done.stdout.split("\n"):
            if not path or LEFT_OUT.search(path) or not os.path.lexists(path):
                continue
            if os.path.isdir(path) and not os.path.islink(path):
                self.archive.directory("machine/" + self.place(path))
            else:
                self.add_file(path)

    def add_tree(self, directory, place):
        """A directory as it is installed, with its links and the libraries of its programs."""
        for folder, _, files in os.walk(directory):
            for name in files:
                path = os.path.join(folder, name)
                self.add_file(path, os.path.join(place, os.path.relpath(path, directory)))

    def bytes(self):
        return self.archive.bytes()
