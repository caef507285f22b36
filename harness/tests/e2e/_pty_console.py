# SPDX-License-Identifier: Apache-2.0
"""A serial console made of a pseudo-terminal: the test is the board's side, the harness opens the other one by a path that stays."""
import os
import pty
import threading
import time
import tty


class PtyConsole:
    """`path` is a link to the slave. received(bytes) is called from a thread with what the harness writes."""

    def __init__(self, path, received=None):
        self.path = path
        self.received = received or (lambda data: None)
        self.scramble = None  # bytes -> bytes: what the line makes of them
        self._lock = threading.Lock()
        self._master = -1
        self.plug()

    def plug(self):
        """The adapter comes: a new terminal under the same path."""
        master, slave = pty.openpty()
        tty.setraw(master)
        name = os.ttyname(slave)
        os.close(slave)  # whoever holds it open keeps what the harness set exclusive
        os.set_blocking(master, False)
        if os.path.islink(self.path):
            os.unlink(self.path)
        os.symlink(name, self.path)
        with self._lock:
            self._master = master
        threading.Thread(target=self._read, args=(master,), daemon=True).start()

    def unplug(self):
        """The adapter goes, with its name."""
        with self._lock:
            master, self._master = self._master, -1
            if os.path.islink(self.path):
                os.unlink(self.path)
            if master >= 0:
                os.close(master)

    def write(self, data):
        """What the board prints; nobody listening loses it, as on a real line."""
        with self._lock:
            if self._master < 0:
                return
            try:
                os.write(self._master, self.scramble(data) if self.scramble else data)
            except OSError:
                pass

    def _read(self, master):
        while True:
            with self._lock:
                if self._master != master:
                    return
                try:
                    data = os.read(master, 4096)
                except OSError:  # nothing there, or nobody has it open
                    data = b""
            if data:
                self.received(data)
            else:
                time.sleep(0.002)
