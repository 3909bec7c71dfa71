#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""scanhubctl from the outside: every command, wrong calls, what it writes with
which mode, and what it says about a running hub.  Prints TAP.

What the hub answers is played by a control socket of our own where the answer
is the point (not ready, refused, slow); the last cases run a real scanhubd,
without a database, for what counts there is in force without one."""

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get('top_builddir', SOURCE)).resolve()
CTL = BUILD / 'cli' / 'scanhubctl'
HUBD = BUILD / 'hub' / 'scanhubd'
SCANNER = BUILD / 'scanner' / 'scanhub-scanner'
CODE = 'AgentA0000000000000000000000000A'
OTHER_CODE = 'AgentB0000000000000000000000000B'
OK, USAGE, DATAERR, NOINPUT, UNAVAILABLE, SOFTWARE = 0, 64, 65, 66, 69, 70
CANTCREAT, IOERR, TEMPFAIL, NOPERM, CONFIG = 73, 74, 75, 77, 78

cases = []


class Skip(Exception):
    pass


def case(function):
    cases.append(function)
    return function


class Stage:
    """A directory with a configuration; control sockets and hubs in it."""

    def __init__(self):
        self.dir = Path(tempfile.mkdtemp(prefix='scanhub-ctl.'))
        self.dir.chmod(0o755)
        self.registry = self.dir / 'scanners'
        self.control = self.dir / 'control.sock'
        self.config = self.dir / 'scanhub.yaml'
        self.config.write_text(
            f'hub:\n  listen: tcp://127.0.0.1:*\n  key: {self.dir}/hub.cert\n'
            f'  registry: {self.registry}\n  control: {self.control}\n'
            f'database:\n  socket: {self.dir}/no-database.sock\n')
        self.servers = []
        self.hub = None

    def ctl(self, *words, status=OK, says='', error='', **more):
        """Run scanhubctl; check status and what stdout and stderr contain."""
        done = subprocess.run(
            [str(CTL), '--config', str(self.config), *map(str, words)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=60, check=False, **more)
        self.said = f'{words}: {done.returncode}\n{done.stdout}{done.stderr}'
        assert done.returncode == status, self.said
        assert says in done.stdout, self.said
        assert error in done.stderr, self.said
        if status != OK:
            assert done.stderr.strip(), self.said
        return done.stdout

    def status(self, says):
        """Of a hub without its database: it does not work, and says so."""
        done = subprocess.run([str(CTL), '--config', str(self.config),
                               'status'], capture_output=True, text=True,
                              timeout=60, check=False)
        assert done.returncode == 1 and not done.stderr, done
        assert done.stdout.startswith('NOT WORKING: '), done.stdout
        assert says in done.stdout, done.stdout

    def keygen(self, name):
        """A new pair; its public key."""
        out = self.ctl('keygen', self.dir / name)
        return re.search(r'^public-key: (\S{40})$', out, re.M).group(1)

    def play(self, answer):
        """A control socket; 'answer' maps a request to bytes."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.control))
        listener.listen()
        self.servers.append(listener)

        def serve():
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client:
                    request = client.recv(1000)
                    try:
                        client.sendall(answer(request))
                    except OSError:
                        pass
        threading.Thread(target=serve, daemon=True).start()

    def start_hub(self):
        if not (self.dir / 'hub.cert').exists():
            self.keygen('hub.cert')
        self.registry.mkdir(mode=0o755, exist_ok=True)
        log = open(self.dir / 'hub.log', 'ab')
        self.hub = subprocess.Popen([str(HUBD), '--config', str(self.config)],
                                    stdin=subprocess.DEVNULL, stdout=log,
                                    stderr=log)
        deadline = time.monotonic() + 30
        while not self.control.exists():
            assert self.hub.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    def log(self):
        return (self.dir / 'hub.log').read_text(errors='replace')

    def close(self):
        for server in self.servers:
            server.shutdown(socket.SHUT_RDWR)
            server.close()
        if self.hub:
            self.hub.terminate()
            self.hub.wait(30)
        shutil.rmtree(self.dir)


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


def as_nobody():
    if os.geteuid() != 0:
        raise Skip('becoming another user takes root')
    return {'user': 65534, 'group': 65534, 'extra_groups': []}


# --- calls ------------------------------------------------------------------

@case
def help_fits_a_terminal(s):
    for words in (['--help'], ['-h']):
        out = s.ctl(*words, says='usage: scanhubctl')
        lines = out.splitlines()
        assert len(lines) < 24, len(lines)  # and a prompt
        # The default path is as long as ./configure was told.
        assert max(len(line) for line in lines
                   if not line.lstrip().startswith('/')) <= 80, out
    for command in ('keygen', 'scanner add', 'scanner list', 'scanner pending',
                    'scanner revoke', 'subnets', 'scan', 'orders', 'pause',
                    'resume', 'reload', 'ping', 'status'):
        assert f'  {command.split()[0]} ' in out, out
        short = s.ctl(*command.split(), '--help', says=command)
        assert max(map(len, short.splitlines())) <= 80, short


@case
def the_first_of_two_words_has_help(s):
    for word in ('--help', '-h'):
        out = s.ctl('scanner', word)
        for name in ('add', 'list', 'pending', 'revoke'):
            assert f'  scanner {name}' in out, out
        assert 'reload' not in out, out
    s.ctl('scanner', status=USAGE, error='scanhubctl scanner --help')
    s.ctl('scan', '--help', says='--kind discover|check|both')
    s.ctl('scan', '--help', says='scan --cancel SUBNET|ORDER [--watch]')


@case
def a_file_that_the_caller_may_not_read_is_77(s):
    if os.geteuid() != 0:
        raise Skip('needs root, to be somebody else')
    s.config.chmod(0o600)

    def other():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    for words in (['status'], ['scanner', 'list'], ['ping']):
        s.ctl(*words, status=NOPERM, error='Permission denied',
              preexec_fn=other)
        assert 'goes on' not in s.said, s.said
    s.ctl('reload', status=NOPERM, error='goes on with what it had',
          preexec_fn=other)


@case
def long_lines_are_wrapped(s):
    words = ' '.join(f'word{i}' for i in range(60))
    order = ('s01234567 state=failed subnet=7 network=2001:db8:1234:5678:9abc:'
             'def0:1234:0/112 scanner=' + 'site-' * 12 + ' kind=both total=9 '
             f'age=9 silent=9 cause=probe text={words}\n')
    lines = ('7\t2001:db8:1234:5678::/64\tsite-a\t300\t3600\tsent\t0\tours\t\n'
             '8\t10.0.0.0/24\tBüro\t-\toff\tsubnet-mask\t0\tours\tno\n'
             '9\t2001:db8:1234:5678:9abc:def0:1234:0/112\t' + 'ü' * 30
             + '\t300\t3600\tsent\t-1\tours\t\n'
             '10\t10.0.1.0/24\t' + 'n' * 60 + '\t300\toff\tsent\t0\tours\t\n')
    answers = {b'orders': f'ok\n{order}',
               b'subnet': f'ok\nscanned: no: {words}\nsubnet: 7\n',
               b'subnets': f'ok\n{lines}'}
    s.play(lambda request: answers[request.split()[0]].encode())
    for call in (['orders'], ['subnets', '7'], ['subnets']):
        out = s.ctl(*call)
        assert max(map(len, out.splitlines())) <= 80, out
        if call != ['subnets']:
            assert words in ' '.join(out.split()), out
    pad = ' ' * 47
    equal_lines(out, [
        '    ID  NETWORK             AGENT              CHECK  DISCOVER  STATE',
        '     7  2001:db8:1234:5678::/64  site-a        5 min       1 h  scanned',
        '     8  10.0.0.0/24         Büro                   -       off  '
        'not scanned', '        no',
        '     9  2001:db8:1234:5678:9abc:def0:1234:0/112  ' + 'ü' * 30,
        f'{pad}5 min       1 h  paused',
        '    10  10.0.1.0/24', '        ' + 'n' * 60,
        f'{pad}5 min       off  scanned'])


def equal_lines(text, wanted):
    assert text.splitlines() == wanted, text + '\n'.join(wanted)


@case
def version_names_the_libraries(s):
    out = s.ctl('--version')
    for name in ('scanhubctl', 'libzmq', 'czmq', 'libsodium'):
        assert re.search(rf'^{name} \S+', out, re.M), out


@case
def wrong_calls_are_told(s):
    s.ctl(status=USAGE, error='usage: scanhubctl')
    s.ctl('scaner', 'list', status=USAGE, error="'scanner list'?")
    s.ctl('scanner', 'ad', status=USAGE, error="'scanner add'?")
    s.ctl('statsu', status=USAGE, error="'status'?")
    s.ctl('scanner', status=USAGE, error='second word')
    s.ctl('frobnicate', status=USAGE, error="no command 'frobnicate'")
    s.ctl('x' * 5000, status=USAGE, error='no command')
    s.ctl('--frob', status=USAGE, error='--help')
    s.ctl('keygen', status=USAGE, error='keygen FILE')
    s.ctl('keygen', 'a', 'b', status=USAGE, error='keygen FILE')
    s.ctl('scanner', 'list', 'x', status=USAGE)
    s.ctl('scanner', 'revoke', status=USAGE, error='revoke NAME')
    s.ctl('ping', '--wait', '1s', status=USAGE, error='seconds')
    s.ctl('ping', '--wait', '-1', status=USAGE, error='seconds')
    s.ctl('ping', '--wait', '99999', status=USAGE, error='seconds')
    s.ctl('status', 'now', status=USAGE)
    s.ctl('subnets', '--agent', 'a', '7', status=USAGE, error='usage:')
    s.ctl('scan', status=USAGE, error='usage:')
    s.ctl('scan', '7', '8', status=USAGE, error='usage:')
    s.ctl('scan', '7', '--kind', 'all', status=USAGE, error='check or both')
    s.ctl('pause', status=USAGE, error='usage:')
    s.ctl('pause', '7', '--until', 'then', status=USAGE, error='90m, 8h or 2d')
    s.ctl('resume', '7', '8', status=USAGE, error='usage:')
    s.ctl('orders', 'all', status=USAGE, error='usage:')
    for words, fault in (
            ([], "the scanner's name is missing"),
            (['a', 'b'], 'more than one name'),
            (['a'], '--code CODE is missing'),
            (['a', '--code', CODE], 'the key is missing: --public-key KEY'),
            (['a', '--code', CODE, '--cert', 'x', '--public-key', 'y'],
             'exclude each other')):
        s.ctl('scanner', 'add', *words, status=USAGE, error='usage:')
        assert fault in s.said.splitlines()[1], s.said


@case
def a_wrong_configuration_is_told(s):
    good = s.config.read_text()
    s.config.write_text('hub:\n  registri: /x\n')
    s.ctl('scanner', 'list', status=CONFIG, error='scanhub.yaml:2: unknown')
    s.config.unlink()
    s.ctl('scanner', 'list', status=CONFIG, error='--config')
    s.config.write_text(good + '  password: secret\n')
    s.config.chmod(0o644)
    s.ctl('scanner', 'list', status=NOPERM, error='chmod 0600')


@case
def output_that_cannot_be_written_is_told(s):
    with open('/dev/full', 'wb') as full:
        done = subprocess.run([str(CTL), '--version'], stdout=full,
                              stderr=subprocess.PIPE, check=False)
    assert done.returncode == IOERR, done
    assert b'cannot write the output' in done.stderr


# --- keygen -----------------------------------------------------------------

@case
def keygen_writes_a_pair(s):
    old = os.umask(0)
    try:
        key = s.keygen('site-a.cert')
    finally:
        os.umask(old)
    secret, public = s.dir / 'site-a.cert', s.dir / 'site-a.cert.pub'
    assert mode(secret) == 0o600 and mode(public) == 0o644
    assert f'public-key = "{key}"' in secret.read_text()
    assert f'public-key = "{key}"' in public.read_text()
    assert 'secret-key = "' in secret.read_text()
    assert 'secret-key' not in public.read_text()
    printed = re.search(r'^fingerprint: (\S+)$', s.said, re.M).group(1)
    s.ctl('scanner', 'add', 'site-a', '--code', CODE, '--cert', public)
    table = s.ctl('scanner', 'list').splitlines()
    assert table[0].split()[-1] == 'FINGERPRINT', table
    assert table[1].split()[-1] == printed, table
    assert secret.read_text().split('secret-key = "')[1][:40] not in s.said


@case
def keygen_never_overwrites(s):
    s.keygen('a')
    before = (s.dir / 'a').read_bytes(), (s.dir / 'a.pub').read_bytes()
    s.ctl('keygen', s.dir / 'a', status=CANTCREAT, error='stays as it is')
    assert before == ((s.dir / 'a').read_bytes(),
                      (s.dir / 'a.pub').read_bytes())
    (s.dir / 'b.pub').write_text('mine')
    s.ctl('keygen', s.dir / 'b', status=CANTCREAT, error='b.pub exists')
    assert not (s.dir / 'b').exists()
    (s.dir / 'c').symlink_to('/nowhere')
    s.ctl('keygen', s.dir / 'c', status=CANTCREAT, error='exists')
    s.ctl('keygen', s.dir / 'no' / 'x', status=NOINPUT, error='No such')


# --- what a scanner does with such a pair -----------------------------------

class Scanner:
    """scanhub-scanner with a configuration that leads to no hub."""

    def __init__(self, s):
        self.config = s.dir / 'scanner.yaml'
        self.hub_key = s.keygen('hub')
        s.keygen('own')
        self.use(s.dir / 'own')

    def use(self, key, hub_key=None):
        self.config.write_text(
            'hub:\n  endpoint: tcp://127.0.0.1:1\n'
            f"  key: '{hub_key or self.hub_key}'\nkey: {key}\n"
            'nmap: {program: /bin/sh}\n')

    def check(self, status, says='', **more):
        done = subprocess.run(
            [str(SCANNER), '-c', str(self.config), 'check-config'],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=60, check=False, **more)
        said = f'{done.returncode}\n{done.stdout}{done.stderr}'
        assert done.returncode == status and says in said, said
        return said


@case
def the_scanner_prints_the_fingerprint_that_the_hub_lists(s):
    scanner = Scanner(s)
    s.ctl('scanner', 'add', 'a', '--code', CODE, '--cert', s.dir / 'own.pub')
    listed = s.ctl('scanner', 'list').splitlines()[1].split()[-1]
    scanner.check(OK, f'fingerprint: {listed}\n')


@case
def the_scanner_says_what_is_wrong_with_its_files(s):
    scanner = Scanner(s)
    scanner.use(s.dir / 'own.pub')
    said = scanner.check(CONFIG, 'name the file without .pub')
    assert 'chmod' not in said, said
    scanner.use('own')
    scanner.check(CONFIG, "'key' must be an absolute path")
    scanner.use(s.dir / 'own', '0' * 40)
    scanner.check(CONFIG, "'key' is still the example's")
    scanner.config.unlink()
    scanner.check(CONFIG, 'copy scanner.yaml.example there')
    scanner.use(s.dir / 'own')
    scanner.config.chmod(0o644)
    scanner.check(CONFIG, 'run as its owner', **as_nobody())


@case
def the_running_scanner_says_that_it_stops(s):
    scanner = Scanner(s)
    for number in (signal.SIGTERM, signal.SIGINT):
        run = subprocess.Popen(
            [str(SCANNER), '-c', str(scanner.config), 'run'],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        first = run.stderr.readline()  # the signals are blocked by now
        run.send_signal(number)
        rest = run.communicate(timeout=30)[1]
        assert run.returncode == OK, first + rest
        assert 'stopping' in rest.splitlines()[-1], first + rest


# --- scanner add ------------------------------------------------------------

@case
def add_makes_the_directory_and_the_entry(s):
    key = s.keygen('site-a.cert')
    old = os.umask(0o077)
    try:
        s.ctl('scanner', 'add', 'site-a', '--code', CODE,
              '--cert', s.dir / 'site-a.cert.pub',
              says='created the registry directory')
    finally:
        os.umask(old)
    assert 'not running' in s.said
    entry = s.registry / 'site-a.cert'
    assert mode(s.registry) == 0o755 and mode(entry) == 0o644
    text = entry.read_text()
    assert f'public-key = "{key}"' in text and f'code = "{CODE}"' in text
    assert [entry] == list(s.registry.iterdir())


@case
def add_takes_the_public_part_only(s):
    key = s.keygen('a')
    s.ctl('scanner', 'add', 'a', '--code', CODE, '--cert', s.dir / 'a')
    text = (s.registry / 'a.cert').read_text()
    assert key in text and 'secret-key' not in text


@case
def add_by_key_and_with_several_codes(s):
    key = s.keygen('a')
    out = s.ctl('scanner', 'add', '--public-key', key, 'shim', '--code',
                '-_=', '--code', CODE, '--code', CODE, says='added shim')
    text = (s.registry / 'shim.cert').read_text()
    assert text.count('code = ') == 2 and 'code = "-_="' in text
    assert re.search(r'key [0-9a-f]{4}(-[0-9a-f]{4}){3}\)', out), out


@case
def add_refuses_what_is_wrong(s):
    key = s.keygen('a')
    add = ('scanner', 'add')
    by_key = ('--public-key', key)
    for words in ([], ['a'], ['a', *by_key], ['a', '--code', CODE],
                  ['a', 'b', '--code', CODE, *by_key],
                  ['a', '--code', CODE, *by_key, '--cert', s.dir / 'a']):
        s.ctl(*add, *words, status=USAGE, error='usage')
    for code in ('', 'with blank', 'a.b', CODE + 'A', 'ä'):
        s.ctl(*add, 'a', '--code', code, *by_key, status=DATAERR,
              error='A-Z a-z 0-9 - _ =')
    for name in ('', '.a', '-a', 'a/b', '../a', 'a b', 'a' * 65):
        s.ctl(*add, '--code', CODE, *by_key, '--', name, status=DATAERR,
              error="cannot be a scanner's name")
    for bad in ('', key[:39], key + 'a', key[:39] + '"'):
        s.ctl(*add, 'a', '--code', CODE, '--public-key', bad, status=DATAERR,
              error='is no public key')
    s.ctl(*add, 'a', '--code', CODE, '--cert', s.dir / 'no', status=NOINPUT,
          error='No such file')
    s.ctl(*add, 'a', '--code', CODE, '--cert', s.config, status=DATAERR)
    assert not s.registry.exists()


@case
def add_refuses_what_is_taken(s):
    key, other = s.keygen('a'), s.keygen('b')
    add = ('scanner', 'add')
    s.ctl(*add, 'a', '--code', CODE, '--public-key', key)
    before = (s.registry / 'a.cert').read_bytes()
    s.ctl(*add, 'a', '--code', CODE, '--public-key', key, status=CANTCREAT,
          error="a scanner 'a' already")
    s.ctl(*add, 'a', '--code', CODE, '--public-key', other, status=CANTCREAT,
          error="a scanner 'a' already")
    s.ctl(*add, 'b', '--code', CODE, '--public-key', key, status=CANTCREAT,
          error="is scanner 'a' already")
    (s.registry / 'c.cert').write_text('metadata\n')
    s.ctl(*add, 'c', '--code', CODE, '--public-key', other, status=CANTCREAT,
          error='exists already')
    assert (s.registry / 'a.cert').read_bytes() == before
    assert sorted(p.name for p in s.registry.iterdir()) == ['a.cert', 'c.cert']


@case
def add_warns_of_a_code_that_is_taken(s):
    key, other = s.keygen('a'), s.keygen('b')
    s.ctl('scanner', 'add', 'a', '--code', CODE, '--public-key', key)
    assert 'warning' not in s.said
    s.ctl('scanner', 'add', 'b', '--code', CODE, '--public-key', other,
          error="warning: scanner 'a' has the code")
    assert (s.registry / 'b.cert').exists()


@case
def add_writes_what_kind_of_entry_it_is(s):
    def text(name, *words):
        s.ctl('scanner', 'add', name, '--code', f'code-of-{name}',
              '--public-key', s.keygen('k' + name), *words, says='added')
        assert 'warning' not in s.said
        return (s.registry / f'{name}.cert').read_text()

    plain = text('plain')
    assert 'kind' not in plain and 'legacy_http' not in plain, plain
    shim = text('shim', '--shim')
    assert 'kind = "shim"' in shim and 'legacy_http' not in shim, shim
    both = text('both', '--legacy-http')
    assert 'legacy_http = "true"' in both and 'kind' not in both, both
    several = text('several', '--code', OTHER_CODE)
    assert 'kind = "shim"' in several and several.count('code = ') == 2


@case
def legacy_http_is_for_scanners_only(s):
    words = ('scanner', 'add', 'a', '--code', CODE, '--public-key',
             s.keygen('k'), '--legacy-http')
    s.ctl(*words, '--shim', status=USAGE, error='--shim makes a shim')
    s.ctl(*words, '--code', OTHER_CODE, status=USAGE,
          error='several --code make a shim')
    s.ctl(*words, '--legacy-http=off', status=USAGE)
    assert not s.registry.exists()


@case
def add_warns_of_codes_that_a_shim_may_not_speak_for(s):
    def add(name, code, *words, error=''):
        s.ctl('scanner', 'add', name, '--code', code, '--public-key',
              s.keygen('k' + name), *words, error=error)

    add('a', CODE)
    add('b', OTHER_CODE, '--legacy-http')
    add('s1', CODE, '--shim', error='will refuse the code ' + CODE)
    assert "scanner 'a' has a key of its own" in s.said
    add('s2', OTHER_CODE, '--shim')
    assert 'warning' not in s.said, s.said
    add('s3', 'third', '--code', 'fourth')
    assert 'warning' not in s.said, s.said
    add('c', 'fourth', error="refuses the code fourth from shim 's3'")
    assert '--legacy-http' in s.said
    add('d', 'third', '--legacy-http')
    assert 'warning' not in s.said, s.said


@case
def two_adds_at_once_do_not_take_one_key(s):
    key = s.keygen('a')
    s.registry.mkdir()
    runs = [subprocess.Popen([str(CTL), '--config', str(s.config), 'scanner',
                              'add', f'n{i}', '--code', CODE, '--public-key',
                              key], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL) for i in range(6)]
    status = sorted(run.wait(60) for run in runs)
    assert status == [OK] + [CANTCREAT] * 5, status
    assert len(list(s.registry.iterdir())) == 1


@case
def add_without_rights_or_parent_is_told(s):
    key = s.keygen('a')
    words = ('scanner', 'add', 'a', '--code', CODE, '--public-key', key)
    nobody = as_nobody()
    s.ctl(*words, status=NOPERM, error='cannot create', **nobody)
    s.registry.mkdir(mode=0o755)
    s.ctl(*words, status=NOPERM, error='run this as root', **nobody)
    s.registry.rmdir()
    s.config.write_text(f'hub:\n  registry: {s.dir}/no/scanners\n')
    s.ctl(*words, status=CANTCREAT, error='cannot create')
    assert not (s.dir / 'no').exists()


@case
def a_registry_open_to_everybody_is_refused(s):
    key = s.keygen('a')
    s.registry.mkdir()
    s.registry.chmod(0o777)
    words = ('scanner', 'add', 'a', '--code', CODE, '--public-key', key)
    s.ctl(*words, status=CONFIG, error='chmod o-w')
    s.ctl('scanner', 'list', status=CONFIG, error='chmod o-w')
    assert not list(s.registry.iterdir())


# --- scanner list -----------------------------------------------------------

@case
def list_shows_who_may_come_in(s):
    s.ctl('scanner', 'list', status=CONFIG, error='install -d')
    s.registry.mkdir()
    s.ctl('scanner', 'list', says='no scanner is registered')
    s.ctl('scanner', 'add', 'b', '--code', CODE, '--public-key',
          s.keygen('kb'))
    s.ctl('scanner', 'add', 'a' * 64, '--code', CODE, '--code', OTHER_CODE,
          '--public-key', s.keygen('ka'))
    lines = s.ctl('scanner', 'list').splitlines()
    assert max(map(len, lines)) <= 80, lines
    assert lines[0].split() == [
        'NAME', 'KIND', 'CODE', 'FINGERPRINT']
    assert lines[1] == 'a' * 64
    assert lines[2].split()[:2] == ['shim', CODE]
    assert lines[3].split() == [OTHER_CODE]
    assert lines[2].index(CODE) == lines[3].index(OTHER_CODE)
    assert lines[4].split()[:3] == ['b', 'scanner', CODE]
    assert re.fullmatch(r'[0-9a-f]{4}(-[0-9a-f]{4}){3}', lines[4].split()[3])


@case
def list_tells_shims_from_scanners(s):
    for name, words in (('one', ['--shim']), ('two', ['--legacy-http']),
                        ('three', []), ('four', ['--code', OTHER_CODE])):
        s.ctl('scanner', 'add', name, '--code', name, '--public-key',
              s.keygen('k' + name), *words)
    lines = s.ctl('scanner', 'list').splitlines()[1:]
    kinds = {line.split()[0]: line.split()[1] for line in lines
             if line and line[0] not in ' d'}
    assert kinds == {'one': 'shim', 'two': 'scanner', 'three': 'scanner',
                     'four': 'shim'}, lines


@case
def list_tells_what_is_wrong(s):
    key = s.keygen('k')
    s.ctl('scanner', 'add', 'good', '--code', CODE, '--public-key', key)
    s.ctl('scanner', 'add', 'open', '--code', CODE, '--public-key',
          s.keygen('k2'))
    (s.registry / 'open.cert').chmod(0o666)
    (s.registry / 'empty.cert').write_text('')
    (s.registry / 'evil\x1b[31m.cert').write_text('')
    (s.registry / 'notes.txt').write_text('not an entry')
    out = s.ctl('scanner', 'list', status=1, error='open.cert: everybody')
    assert 'empty.cert: no public-key' in s.said and '\x1b' not in s.said
    assert 'good' in out and 'open' not in out and 'notes' not in s.said
    shutil.copy(s.registry / 'good.cert', s.registry / 'twin.cert')
    out = s.ctl('scanner', 'list', status=1, error='the same key')
    assert CODE not in out


# --- the old server's file --------------------------------------------------

LEGACY = ('ansible: true\nnofusscomputing_phpipam_scan_server:\n'
          '  mysql_host: 127.0.0.1\n  mysql_user: u\n'
          '  mysql_password: 12345\n  frobnicate: 1\n')


@case
def the_old_servers_file_will_do(s):
    s.config.write_text(LEGACY)
    s.config.chmod(0o644)
    env = dict(os.environ, STATE_DIRECTORY=str(s.dir / 'state'),
               RUNTIME_DIRECTORY=str(s.dir))
    s.ctl('scanner', 'list', status=CONFIG, error=f'{s.dir}/state/scanners',
          env=env)
    (s.dir / 'state').mkdir()
    s.ctl('scanner', 'add', 'a', '--code', CODE, '--public-key',
          s.keygen('k'), env=env, says='added a')
    assert (s.dir / 'state' / 'scanners' / 'a.cert').exists()
    assert 'frobnicate' not in s.said and 'ansible' not in s.said
    s.play(lambda _: b'ok ready\n')
    s.ctl('ping', says='ok ready', env=env)
    s.config.write_text(LEGACY.replace('mysql_user', 'mysql_usr'))
    s.ctl('ping', status=CONFIG, error="'mysql_user' is missing", env=env)


@case
def the_daemon_checks_the_old_servers_file(s):
    def check(text, status, says):
        s.config.write_text(text)
        s.config.chmod(0o644)
        env = dict(os.environ, STATE_DIRECTORY=str(s.dir / 'state'),
                   RUNTIME_DIRECTORY=str(s.dir / 'run'))
        done = subprocess.run([str(HUBD), '--config', str(s.config), '-t'],
                              stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60, check=False, env=env)
        assert done.returncode == status, done
        assert says in done.stdout + done.stderr, done
        return done.stderr

    log = check(LEGACY, OK, 'public-key: ')
    for word in ('frobnicate', 'ansible', 'chmod 0600', '127.0.0.1:5000',
                 'http_listen', 'http_plain_ok', "made the hub's key"):
        assert word in log, (word, log)
    assert '12345' not in log
    assert mode(s.dir / 'state') == 0o700
    assert mode(s.dir / 'state' / 'hub.cert') == 0o600
    assert mode(s.dir / 'state' / 'scanners') == 0o755
    log = check(LEGACY, OK, 'public-key: ')
    assert 'made' not in log, log
    check(LEGACY.replace('mysql_password', 'mysql_pass'), CONFIG,
          "'mysql_password' is missing")
    check(LEGACY + '  auth_token: "{{ token }}"\n', CONFIG, "'auth_token'")
    check(LEGACY.replace('12345', '!vault |\n    $ANSIBLE_VAULT;1.1\n'),
          CONFIG, "'mysql_password'")


# --- scanner revoke ---------------------------------------------------------

@case
def revoke_removes_the_entry(s):
    s.ctl('scanner', 'add', 'a', '--code', CODE, '--public-key',
          s.keygen('ka'))
    s.ctl('scanner', 'add', 'b', '--code', OTHER_CODE, '--public-key',
          s.keygen('kb'))
    out = s.ctl('scanner', 'revoke', 'a', says=f'removed {s.registry}/a.cert')
    assert out.count('removed') == 1
    assert [p.name for p in s.registry.iterdir()] == ['b.cert']
    s.ctl('scanner', 'revoke', 'a', status=NOINPUT, error="no scanner 'a'")


@case
def revoke_removes_every_file_with_the_key(s):
    s.ctl('scanner', 'add', 'a', '--code', CODE, '--public-key',
          s.keygen('ka'))
    entry = s.registry / 'a.cert'
    (s.registry / 'twin.cert').write_text(
        entry.read_text().replace('"a"', '"z"'))
    (s.registry / 'open.cert').write_text(entry.read_text())
    (s.registry / 'open.cert').chmod(0o666)
    s.ctl('scanner', 'add', 'b', '--code', OTHER_CODE, '--public-key',
          s.keygen('kb'))
    out = s.ctl('scanner', 'revoke', 'z')
    assert out.count('removed') == 3, out
    assert [p.name for p in s.registry.iterdir()] == ['b.cert']


@case
def revoke_goes_by_the_name_in_the_file(s):
    for name in ('a', 'b'):
        s.ctl('scanner', 'add', name, '--code', CODE, '--public-key',
              s.keygen('k' + name))
    (s.registry / 'a.cert').rename(s.registry / 'tmp')
    (s.registry / 'b.cert').rename(s.registry / 'a.cert')
    (s.registry / 'tmp').rename(s.registry / 'b.cert')
    s.ctl('scanner', 'revoke', 'a', says='b.cert')
    assert [p.name for p in s.registry.iterdir()] == ['a.cert']
    s.ctl('scanner', 'revoke', 'a', says='a.cert')  # the file's, as no other
    assert not list(s.registry.iterdir())


@case
def revoke_removes_a_bad_file_too(s):
    s.registry.mkdir()
    (s.registry / 'a.cert').write_text('rubbish')
    s.ctl('scanner', 'revoke', 'a', says='removed',
          error='had no readable key')
    assert not list(s.registry.iterdir())


@case
def revoke_without_rights_is_told(s):
    s.ctl('scanner', 'add', 'a', '--code', CODE, '--public-key',
          s.keygen('ka'))
    s.ctl('scanner', 'revoke', 'a', status=NOPERM,
          error='all keys stay as they are', **as_nobody())
    assert (s.registry / 'a.cert').exists()


@case
def a_read_only_registry_is_told(s):
    s.ctl('scanner', 'add', 'a', '--code', CODE, '--public-key',
          s.keygen('ka'))
    done = subprocess.run(
        ['unshare', '-m', 'sh', '-c', 'mount --bind "$1" "$1" && mount -o '
         'remount,bind,ro "$1" || exit 9; shift; exec "$@"', 'sh',
         str(s.registry), str(CTL), '--config', str(s.config), 'scanner',
         'revoke', 'a'],
        capture_output=True, text=True, timeout=30, check=False)
    if done.returncode in (1, 9):
        raise Skip('no mount of our own is to be had here')
    assert done.returncode == NOPERM, done.stderr
    assert (s.registry / 'a.cert').exists()
    assert 'make the file system writable' in done.stderr, done.stderr


# --- the running hub --------------------------------------------------------

@case
def no_hub_is_69(s):
    for words in (['ping'], ['reload'], ['status']):
        s.ctl(*words, status=UNAVAILABLE, error='is scanhubd running?')
    began = time.monotonic()
    s.ctl('ping', '--wait', '1', status=UNAVAILABLE, error='running?')
    assert 0.7 <= time.monotonic() - began < 10


@case
def ping_passes_the_hubs_answer_on(s):
    s.play(lambda request: b'ok ready\n' if request == b'ping\n' else b'?')
    s.ctl('ping', says='ok ready')


@case
def ping_waits_until_the_hub_is_ready(s):
    since = time.monotonic()

    def answer(_request):
        if time.monotonic() - since > 2:
            return b'ok ready\n'
        return b'error not ready: no database\n'
    s.play(answer)
    s.ctl('ping', status=TEMPFAIL, error='not ready: no database')
    s.ctl('ping', '--wait', '30', says='ok ready')
    assert 'not ready' not in s.said


@case
def ping_waits_until_there_is_a_hub(s):
    threading.Timer(1, lambda: s.play(lambda _: b'ok\n')).start()
    s.ctl('ping', '--wait', '30', says='ok')


@case
def ping_that_is_not_answered_ends(s):
    s.play(lambda _: time.sleep(8) or b'ok\n')
    began = time.monotonic()
    s.ctl('ping', status=TEMPFAIL, error='no answer came in time')
    assert time.monotonic() - began < 8


@case
def reload_says_what_the_hub_says(s):
    s.play(lambda request: b'ok reloaded\n' if request == b'reload\n' else b'')
    s.ctl('reload', says='ok reloaded')


@case
def a_refused_reload_is_1(s):
    s.play(lambda _: b'error scanhub.yaml:3: unknown key\n')
    s.ctl('reload', status=1,
          error='scanhubctl: scanhub.yaml:3: unknown key')


@case
def a_status_of_another_version_is_told(s):
    s.play(lambda _: b'ok scanhubd 1\ndatabase: fine\n')
    s.ctl('status', status=SOFTWARE, error='of another version')


@case
def an_answer_that_breaks_off_is_told(s):
    s.play(lambda _: b'')
    s.ctl('status', status=IOERR, error='the answer is empty')


@case
def no_rights_for_the_socket_are_told(s):
    s.play(lambda _: b'ok\n')
    s.control.chmod(0o660)
    nobody = as_nobody()
    s.ctl('ping', status=NOPERM, error='mode is 0660', **nobody)
    assert 'group is root' in s.said and 'root' in s.said
    began = time.monotonic()
    s.ctl('ping', '--wait', '30', status=NOPERM, **nobody)
    assert time.monotonic() - began < 10  # waiting would not help


@case
def a_hub_that_does_not_take_a_key_up_is_told(s):
    s.play(lambda request: b'error not in force\n')
    s.ctl('scanner', 'add', 'a', '--code', CODE, '--public-key',
          s.keygen('k'), error='has not taken that up')
    s.ctl('scanner', 'revoke', 'a', says='no longer')


@case
def pending_keys_are_shown_with_what_to_do(s):
    s.ctl('scanner', 'pending', status=UNAVAILABLE, error='nobody answers')
    key = s.keygen('k')
    lines = [f'{key} ::1 3 1700000000000 1700000061000\n']
    s.play(lambda request: ('ok\n' + ''.join(lines)).encode()
           if request == b'pending\n' else b'error what?\n')
    out = s.ctl('scanner', 'pending')
    assert re.search(r'^([0-9a-f]{4}-){3}[0-9a-f]{4}  ::1 +3  2023-11-1', out,
                     re.M), out
    assert 'scanner approve FINGERPRINT NAME --code CODE' in out, out
    assert max(map(len, out.splitlines())) <= 80, out
    [one] = json.loads(s.ctl('scanner', 'pending', '--json'))
    assert (one['key'], one['knocks']) == (key, 3), one
    lines.append('nonsense\n')
    s.ctl('scanner', 'pending', status=70, error='makes no sense')
    lines.clear()
    s.ctl('scanner', 'pending', says='no unknown key has knocked')


@case
def revoke_says_which_hub_it_asked(s):
    answers = {b'hub\n': b'ok pid 7, key 12-34, tcp://[::]:5766\n'}
    s.play(lambda request: answers.get(request, b'error not in force\n'))
    for which in (', pid 7, key 12-34, tcp://[::]:5766\n', '\n'):
        s.ctl('scanner', 'add', 'a', '--code', CODE, '--public-key',
              s.keygen(f'k{len(which)}'), error='has not taken that up')
        s.ctl('scanner', 'revoke', 'a',
              says=f'asked: the hub at {s.control}{which}')
        answers.clear()  # a hub that does not know the question


@case
def a_real_hub_lets_a_key_in_and_out_again(s):
    s.start_hub()
    s.ctl('ping', status=TEMPFAIL, error='not ready')
    s.ctl('scanner', 'add', 'a', '--code', CODE, '--public-key',
          s.keygen('k'), says='in force: the running hub lets it in from now')
    s.ctl('scanner', 'list', says=CODE)
    s.status(says='hub: scanhubd')
    s.ctl('reload', says='ok')
    s.ctl('scanner', 'revoke', 'a', says='lets it in no longer')
    assert s.hub.poll() is None, s.log()


@case
def a_real_hub_refuses_a_bad_reload_and_goes_on(s):
    s.start_hub()
    good = s.config.read_text()
    s.config.write_text(good.replace('hub:\n', 'hub:\n  workers: 5\n'))
    s.ctl('reload', status=1, error='scanhubctl: not reloaded: ')
    assert 'hub.workers' in s.said
    s.config.write_text(good + 'nonsense: 1\n')
    s.ctl('reload', status=CONFIG, error="unknown key 'nonsense'")
    s.ctl('reload', status=CONFIG,
          error='; the running hub goes on with what it had')
    for words in (['ping'], ['status'], ['orders'], ['scanner', 'list']):
        s.ctl(*words, status=CONFIG)
        assert 'goes on' not in s.said
    s.config.write_text(good)
    s.ctl('reload', says='ok')


@case
def a_second_hub_does_not_start_beside_the_first(s):
    s.start_hub()
    done = subprocess.run([str(HUBD), '--config', str(s.config)],
                          capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode != 0
    assert 'another scanhubd is running' in done.stderr, done.stderr
    s.status(says='hub: scanhubd')


def run(function):
    """'' or why it failed."""
    stage = Stage()
    try:
        function(stage)
        return ''
    except Skip:
        raise
    except Exception:  # whatever it is, the other cases shall run
        return traceback.format_exc()
    finally:
        stage.close()


def main():
    chosen = [c for c in cases if len(sys.argv) < 2 or c.__name__ in sys.argv]
    failed = 0
    print(f'1..{len(chosen)}')
    for number, function in enumerate(chosen, 1):
        name = function.__name__
        try:
            why = run(function)
        except Skip as reason:
            print(f'ok {number} - {name} # SKIP {reason}', flush=True)
            continue
        print(f'{"not ok" if why else "ok"} {number} - {name}', flush=True)
        for line in why.splitlines():
            print(f'# {line}', flush=True)
        failed += bool(why)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
