#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""What a unit's sandbox forbids, without systemd as process 1, for programs of
the tests: another user, the capabilities of the unit, no new privileges, its
list of system calls and of address families, no memory that becomes code, and a
file system to be read only.

usage: sandbox.py UNIT COMMAND...   (applies the filter and runs the command)

What is left out are the namespaces for devices, users and /proc, and limits."""

import ctypes
import errno
import os
import socket
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

USER = 65534
ALLOW = 0x7fff0000
EQUAL = 4


def settings(unit, key):
    """All values of a key, as systemd adds lists up."""
    lines = Path(unit).read_text().splitlines()
    return [line.partition('=')[2] for line in lines
            if line.startswith(f'{key}=')]


@lru_cache(None)
def members(name):
    """The system calls of a set such as @basic-io."""
    if not name.startswith('@'):
        return {name}
    text = subprocess.run(['systemd-analyze', 'syscall-filter', name],
                          check=True, capture_output=True, text=True).stdout
    found = set()
    for line in text.splitlines()[1:]:
        word = line.strip()
        if word and not word.startswith('#'):
            found |= members(word)
    return found


def allowed(unit):
    calls = set()
    for value in settings(unit, 'SystemCallFilter'):
        some = set().union(*map(members, value.lstrip('~').split()))
        calls = calls - some if value.startswith('~') else calls | some
    return calls


class Compare(ctypes.Structure):
    _fields_ = [('arg', ctypes.c_uint), ('op', ctypes.c_int),
                ('a', ctypes.c_uint64), ('b', ctypes.c_uint64)]


def forbid_new_code(unit):
    """As MemoryDenyWriteExecute= does it, where the kernel is 6.3 or newer."""
    if 'yes' in settings(unit, 'MemoryDenyWriteExecute'):
        ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)  # PR_SET_MDWE


def load_filter(unit):
    """Everything else fails with EPERM, as in the unit."""
    library = ctypes.CDLL('libseccomp.so.2')
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(0x00050000 | errno.EPERM))
    families = [getattr(socket, name) for name in
                settings(unit, 'RestrictAddressFamilies')[0].split()]
    for name in allowed(unit):
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            continue  # not of this architecture
        rules = [Compare(0, EQUAL, family, 0) for family in families]
        for rule in rules if name == 'socket' else [None]:
            if library.seccomp_rule_add_array(
                    context, ALLOW, number, rule is not None,
                    ctypes.byref(rule) if rule else None):
                raise OSError(f'no rule for {name}')
    if library.seccomp_load(context):
        raise OSError('the filter cannot be loaded')


def prefix(unit, writable):
    """What to put before a command to run it in the unit's sandbox; it may
    write to the directories 'writable', which are the user's then."""
    capabilities = settings(unit, 'AmbientCapabilities')[0].lower()
    caps = '-all' + ''.join(',+' + word.removeprefix('cap_')
                            for word in capabilities.split())
    mounts = ' && '.join(f'mount --bind {one} {one}' for one in writable)
    return ['unshare', '--mount', '--', 'sh', '-c',
            f'{mounts} && mount -o remount,bind,ro / && exec "$@"', 'sh',
            'setpriv', f'--reuid={USER}', f'--regid={USER}', '--clear-groups',
            f'--inh-caps={caps}', f'--ambient-caps={caps}',
            f'--bounding-set={caps}', '--no-new-privs',
            sys.executable, os.path.abspath(__file__), str(unit)]


def main():
    forbid_new_code(sys.argv[1])
    load_filter(sys.argv[1])
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == '__main__':
    main()
