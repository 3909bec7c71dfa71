#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Secrets: who may look into our processes, what is left in their memory, which
files they refuse for being open to others, and what they say about them."""

import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True

import harness
from harness import (BUILD, SCANHUBCTL, SCANHUBD, Skip, Stage, case, equal,
                     free_port, until)

SCANNER = BUILD / 'scanner' / 'scanhub-scanner'
SHIM = BUILD / 'shim' / 'scanhub-shim'
NOBODY = 65534
CONFIG_H = BUILD / 'build-config.h'
SANITIZED = CONFIG_H.exists() and re.search(
    r'^#define SCANHUB_SANITIZED 1', CONFIG_H.read_text(), re.M)

TOKEN = 'token-s3cret-for-http-8f2a'
PASSWORD = 'password-s3cret-for-sql-77c1'
HTTP = '''\
http:
  listen: 127.0.0.1:{port}
  plain_ok: true
  spool: {dir}/shim.spool
  tokens:
    - label: site
      token: ''' + TOKEN + '\n'


def secret_of(path):
    return re.search(r'secret-key = "(.{40})"', Path(path).read_text())[1]


class Secrets(Stage):
    hub_config = {'http': HTTP}

    def open(self):
        super().open()
        # Others may come by, but not look around.
        self.directory.chmod(0o711)

    def place(self, name):
        """A new directory with a copy of the programs, for a process of
        another user, who may not be able to enter the build directory."""
        place = self.directory / name
        place.mkdir()
        for program in (SCANHUBD, SCANNER, SHIM, SCANHUBCTL):
            if program.exists():
                shutil.copy(program, place)
        for key in ('hub', 'scanner', 'shim'):
            self.hub.ctl('keygen', str(place / f'{key}.cert'))
        (place / 'scanners').mkdir()
        self.write(place, 'password', PASSWORD + '\n')
        self.write(place, 'token', TOKEN + '\n')
        self.write(place, 'hub.yaml', f'''\
hub:
  listen: tcp://127.0.0.1:{free_port()}
  key: {place}/hub.cert
  registry: {place}/scanners
  control: {place}/control.sock
database:
  host: 127.0.0.1
  port: {free_port()}
  user: scanhub
  password_file: {place}/password
''')
        link = f'''\
hub:
  endpoint: tcp://127.0.0.1:{free_port()}
  key: '{self.hub.public}'
'''
        self.write(place, 'scanner.yaml', f'{link}key: {place}/scanner.cert\n')
        self.write(place, 'shim.yaml', f'''\
{link}key: {place}/shim.cert
http:
  listen: 127.0.0.1:{free_port()}
  spool: {place}/far.spool
  tokens: [{{label: site, token_file: {place}/token}}]
''')
        return place

    @staticmethod
    def write(place, name, text):
        path = place / name
        path.touch(0o600)
        path.write_text(text)
        path.chmod(0o600)
        return path

    def run_as_nobody(self, place, *command):
        """A process that would be allowed to leave a core."""
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        words = []
        if os.geteuid() == 0:
            for path in (place, *place.rglob('*')):
                os.chown(path, NOBODY, NOBODY)
            words = as_nobody()
        log = open(place / 'log', 'ab')

        def prepare():
            harness.die_with_us()
            resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

        process = subprocess.Popen(
            [*words, *map(str, command)], cwd=place, stdout=log,
            stdin=subprocess.DEVNULL, stderr=log, preexec_fn=prepare)
        log.close()
        self.extra.append(Ended(process))
        return process


class Ended:
    def __init__(self, process):
        self.process = process

    def stop(self):
        harness.end(self.process)


def as_nobody():
    return ['setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}',
            '--clear-groups', '--inh-caps=-all']


def may_read(pid, file):
    """May a process of the same user, with no rights beyond, read this?"""
    words = as_nobody() if os.geteuid() == 0 else []
    return subprocess.run([*words, 'head', '-c', '1', f'/proc/{pid}/{file}'],
                          capture_output=True, check=False).returncode == 0


def core_limit(pid):
    text = Path(f'/proc/{pid}/limits').read_text()
    return re.search(r'^Max core file size +(\S+) +(\S+)', text, re.M).groups()


def is_hardened(process):
    """Not before exec; then as long as it takes to get to main."""
    if process.poll() is not None:
        raise AssertionError(f'it ended with {process.returncode}')
    return core_limit(process.pid) == ('0', '0')


def check_process(s, place, *command):
    """Its memory is closed to its own user too, and no signal leaves any of it
    behind."""
    if not Path(command[0]).exists():
        raise Skip('built without this program')
    process = s.run_as_nobody(place, *command)
    until(lambda: is_hardened(process), 'no core files are allowed')
    if not SANITIZED:
        # /proc/PID of a process that cannot be dumped belongs to root.
        until(lambda: os.stat(f'/proc/{process.pid}/mem').st_uid == 0,
              'the process cannot be dumped')
        for file in ('environ', 'maps', 'auxv'):
            assert not may_read(process.pid, file), file
    os.kill(process.pid, signal.SIGABRT)
    status = os.waitpid(process.pid, 0)[1]
    process.returncode = -signal.SIGABRT
    assert os.WIFSIGNALED(status) and not os.WCOREDUMP(status), status
    equal([path.name for path in place.iterdir() if 'core' in path.name], [])
    said = (place / 'log').read_text(errors='replace')
    assert TOKEN not in said and PASSWORD not in said


@case('this test would notice: another process of the user can be read')
def _(s):
    place = s.place('sleep')
    process = s.run_as_nobody(place, 'sleep', '60')
    until(lambda: may_read(process.pid, 'environ'), 'environ can be read')


@case('nobody looks into scanhubd')
def _(s):
    place = s.place('closed-hub')
    check_process(s, place, place / 'scanhubd', '--config', place / 'hub.yaml')


@case('nobody looks into scanhub-scanner')
def _(s):
    place = s.place('closed-scanner')
    check_process(s, place, place / 'scanhub-scanner', 'run', '--config',
                  place / 'scanner.yaml')


@case('nobody looks into scanhub-shim')
def _(s):
    place = s.place('closed-shim')
    check_process(s, place, place / 'scanhub-shim', '--config',
                  place / 'shim.yaml')


@case('nobody looks into scanhubctl')
def _(s):
    place = s.place('closed-ctl')
    check_process(s, place, place / 'scanhubctl', '--config',
                  place / 'hub.yaml', 'ping', '--wait', '60')


# --- memory -------------------------------------------------------------------

def memory(pid):
    """All that the process can write to, but for what is mapped from files."""
    pieces = []
    with open(f'/proc/{pid}/maps', encoding='ascii') as maps, \
            open(f'/proc/{pid}/mem', 'rb') as mem:
        for line in maps:
            found = re.match(r'([0-9a-f]+)-([0-9a-f]+) rw\S* \S+ \S+ (\d+)',
                             line)
            if not found or found[3] != '0' or '[v' in line:
                continue
            first, last = int(found[1], 16), int(found[2], 16)
            try:
                mem.seek(first)
                pieces.append(mem.read(min(last - first, 1 << 28)))
            except (OSError, OverflowError, ValueError):
                pass  # gone, or a sanitizer's
    return b'\0'.join(pieces)


def check_memory(pid, there, *gone, copies=1):
    """What a file said stays no longer than its value is taken from it, and of
    that there are only the copies in use."""
    def count(text):
        return memory(pid).count(text.encode())

    assert count(there) >= 1, 'the search finds nothing'
    for text in gone:  # it may be reading the file at this moment
        until(lambda: count(text) == 0, f'{text[:12]}... is gone', 5)
    until(lambda: 1 <= count(there) <= copies,
          f'{copies} copies of the secret at most', 5)


def need_root():
    if os.geteuid() != 0:
        raise Skip('needs root, to look into a process')
    if SANITIZED:
        raise Skip('a sanitizer keeps what was freed')


@case('scanhubd keeps no text of its secret files')
def _(s):
    need_root()
    key = secret_of(s.hub.directory / 'hub.cert')
    # The hub's, and the listener's own, which may be the key before.
    check_memory(s.hub.process.pid, key, copies=2)
    check_memory(s.hub.process.pid, TOKEN,
                 f'secret-key = "{key}',
                 f'token: {TOKEN}', s.database.env['DB_PASSWORD'] + '\n')


@case('scanhub-scanner keeps no text of its secret file')
def _(s):
    need_root()
    place = s.place('memory-scanner')
    key = secret_of(place / 'scanner.cert')
    process = s.run_as_nobody(place, place / 'scanhub-scanner', 'run',
                              '--config', place / 'scanner.yaml')
    until(lambda: key.encode() in memory(process.pid), 'the key is loaded')
    check_memory(process.pid, key, f'secret-key = "{key}')


@case('scanhub-shim keeps no text of its secret files')
def _(s):
    need_root()
    if not SHIM.exists():
        raise Skip('built without this program')
    place = s.place('memory-shim')
    key = secret_of(place / 'shim.cert')
    process = s.run_as_nobody(place, place / 'scanhub-shim', '--config',
                              place / 'shim.yaml')
    until(lambda: key.encode() in memory(process.pid)
          and (place / 'far.spool').exists(), 'the key is loaded')
    # The program's, and the session's own.
    check_memory(process.pid, key, f'secret-key = "{key}', f'{TOKEN}\n',
                 copies=2)


# --- files that are open to others --------------------------------------------

def config_test(place, program):
    """Exit status and what it said of its configuration."""
    name = {'scanhubd': 'hub', 'scanhub-scanner': 'scanner',
            'scanhub-shim': 'shim'}[program]
    words = ['-t'] if program != 'scanhub-scanner' else ['check-config']
    done = subprocess.run(
        [str(place / program), *words, '--config',
         str(place / f'{name}.yaml')], capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=60, check=False)
    return done.returncode, done.stderr + done.stdout


def refused_when_wide(s, place, program, file):
    """As it is the file is taken; with any right for others it is refused, by
    its name and with what to do."""
    if not (place / program).exists():
        raise Skip('built without this program')
    path = place / file
    status, said = config_test(place, program)
    equal(status, 0, said)
    for mode in (0o640, 0o604, 0o620, 0o602, 0o644, 0o666):
        path.chmod(mode)
        status, said = config_test(place, program)
        equal(status, 78, f'{mode:o}: {said}')
        assert str(path) in said and 'chmod 0600' in said, said
        for secret in (TOKEN, PASSWORD):
            assert secret not in said, said
    path.chmod(0o600)
    equal(config_test(place, program)[0], 0)


@case('wide modes: the hub\'s key')
def _(s):
    refused_when_wide(s, s.place('wide-hub'), 'scanhubd', 'hub.cert')


@case('wide modes: the scanner\'s key')
def _(s):
    refused_when_wide(s, s.place('wide-scanner'), 'scanhub-scanner',
                      'scanner.cert')


@case('wide modes: the shim\'s key')
def _(s):
    refused_when_wide(s, s.place('wide-shim'), 'scanhub-shim', 'shim.cert')


@case('wide modes: password_file')
def _(s):
    refused_when_wide(s, s.place('wide-password'), 'scanhubd', 'password')


@case('wide modes: token_file of the hub and of the shim')
def _(s):
    place = s.place('wide-token')
    refused_when_wide(s, place, 'scanhub-shim', 'token')
    with open(place / 'hub.yaml', 'a', encoding='ascii') as config:
        config.write(f'http:\n  listen: 127.0.0.1:{free_port()}\n'
                     f'  spool: {place}/s\n  tokens: [{{label: a, token_file: '
                     f'{place}/token}}]\n')
    refused_when_wide(s, place, 'scanhubd', 'token')


@case('wide modes: a configuration with a password in it')
def _(s):
    place = s.place('wide-inline')
    text = (place / 'hub.yaml').read_text()
    s.write(place, 'hub.yaml', text.replace(
        f'password_file: {place}/password', f'password: {PASSWORD}'))
    refused_when_wide(s, place, 'scanhubd', 'hub.yaml')


@case('wide modes: a configuration with a token in it')
def _(s):
    place = s.place('wide-inline-token')
    path = place / 'shim.yaml'
    s.write(place, 'shim.yaml', path.read_text().replace(
        f'token_file: {place}/token', f'token: {TOKEN}'))
    refused_when_wide(s, place, 'scanhub-shim', 'shim.yaml')


@case('wide modes: the certificate\'s key of the HTTP door')
def _(s):
    if not SHIM.exists():
        raise Skip('built without this program')
    place = s.place('wide-tls')
    subprocess.run(
        ['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days',
         '2', '-subj', '/CN=localhost', '-keyout', str(place / 'http.key'),
         '-out', str(place / 'http.pem')], capture_output=True, check=True)
    (place / 'http.key').chmod(0o600)
    text = (place / 'shim.yaml').read_text()
    s.write(place, 'shim.yaml', text + f'  cert: {place}/http.pem\n'
                                       f'  key: {place}/http.key\n')
    (place / 'http.key').chmod(0o640)
    done = subprocess.run(
        [str(place / 'scanhub-shim'), '--config', str(place / 'shim.yaml')],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60,
        check=False)
    equal(done.returncode, 78, done.stderr)
    assert f'{place}/http.key' in done.stderr \
        and 'chmod 0600' in done.stderr, done.stderr


@case('what keygen writes is closed, whatever the umask')
def _(s):
    place = s.place('umask')
    old = os.umask(0)
    try:
        s.hub.ctl('keygen', str(place / 'fresh.cert'))
    finally:
        os.umask(old)
    equal(stat.S_IMODE((place / 'fresh.cert').stat().st_mode), 0o600)


# --- what is said -------------------------------------------------------------

@case('errors in a configuration do not quote its secrets')
def _(s):
    place = s.place('quotes')
    text = (place / 'hub.yaml').read_text()
    inline = f'password: {PASSWORD}'
    good = text.replace(f'password_file: {place}/password', inline)
    http = f'http:\n  tokens: [{{label: a, token: {TOKEN}}}]\n'
    for bad in (good.replace(inline, f'{inline}\n  {inline}'),
                good.replace(inline, f'password: [{PASSWORD}]'),
                good.replace(inline, f'password: {{a: {PASSWORD}}}'),
                good.replace(inline, f'password: "{PASSWORD}'),
                good.replace(inline, f'password: &a {PASSWORD}'),
                good.replace(inline, f'password: !x {PASSWORD}'),
                good.replace(inline, f'password: "{{{{ {PASSWORD} }}}}"'),
                good.replace(inline, f'password: "{PASSWORD}\\0"'),
                good.replace(inline, f'  {inline}'),
                good.replace(inline, f'{inline}\n\t- {PASSWORD}'),
                good.replace(inline, f'pasword: {PASSWORD}'),
                good + http.replace(TOKEN, f'"{TOKEN} {TOKEN}"'),
                good + http.replace(TOKEN, f'[{TOKEN}]'),
                good + http.replace('token:', 'tokken:'),
                good + http + '  listen: nowhere:x\n'):
        s.write(place, 'hub.yaml', bad)
        status, said = config_test(place, 'scanhubd')
        equal(status, 78, f'{bad}: {said}')
        assert said.strip() and PASSWORD not in said and TOKEN not in said, said


@case('a refused password is not in the log')
def _(s):
    wrong = 'wrong-' + PASSWORD
    other = s.new_hub('wrong-password')
    s.extra.append(other)
    other.start(wait=False)
    (other.directory / 'password').write_text(wrong)
    other.stop()
    with open(other.log_path, 'ab') as log:
        other.process = subprocess.Popen(
            [str(SCANHUBD), '--config', str(other.path)], stdout=log,
            stdin=subprocess.DEVNULL, stderr=log,
            preexec_fn=harness.die_with_us)
    until(lambda: 'number=1045' in other.log_from(), 'access denied')
    assert wrong not in other.log_from()


if __name__ == '__main__':
    sys.exit(harness.main(Secrets))
