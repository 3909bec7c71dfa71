# SPDX-License-Identifier: MPL-2.0
"""What systemd does for a service, as far as it can be played without systemd
as process 1: a socket for its notices, and a thread that stands still."""

import ctypes
import os
import select
import socket
import time

from harness import PATIENCE

SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.setblocking(False)

    def environment(self, watchdog=None):
        """'watchdog' in seconds."""
        more = {'WATCHDOG_USEC': str(int(watchdog * 1e6))} if watchdog else {}
        return {'NOTIFY_SOCKET': self.path, **more}

    def hear(self, patience=PATIENCE):
        """The next notice, or None."""
        ready, _, _ = select.select([self.socket], [], [], patience)
        return self.socket.recv(4096).decode() if ready else None

    def hears(self, text, patience=PATIENCE):
        """Wait for a notice that begins so; the notice."""
        deadline = time.monotonic() + patience
        heard = []
        while (left := deadline - time.monotonic()) > 0:
            notice = self.hear(left)
            heard.append(notice)
            if notice and notice.startswith(text):
                return notice
        raise AssertionError(f'not within {patience} s: {text!r}, '
                             f'but {heard[-20:]}')

    def count(self, text, seconds):
        """How often such a notice comes in the time to come."""
        deadline = time.monotonic() + seconds
        count = 0
        while (left := deadline - time.monotonic()) > 0:
            notice = self.hear(left)
            count += bool(notice and notice.startswith(text))
        return count

    def close(self):
        self.socket.close()
        os.unlink(self.path)


class Frozen:
    """One thread of another process that stands still, by ptrace(2); the
    kernel lets it go when we end.  OSError where we may not."""

    def __init__(self, thread):
        self.thread = thread
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.libc.ptrace.argtypes = [ctypes.c_long] * 4
        self.libc.ptrace.restype = ctypes.c_long
        self.call(SEIZE)
        self.call(INTERRUPT)
        os.waitpid(thread, 0x40000000)  # __WALL

    def call(self, request):
        if self.libc.ptrace(request, self.thread, 0, 0) < 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))

    def close(self):
        self.call(DETACH)


def thread_named(pid, name):
    for thread in os.listdir(f'/proc/{pid}/task'):
        with open(f'/proc/{pid}/task/{thread}/comm') as comm:
            if comm.read() == f'{name}\n':
                return int(thread)
    raise AssertionError(f'no thread {name!r} in process {pid}')
