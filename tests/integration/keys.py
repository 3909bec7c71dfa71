#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""The life of keys: a site is invited, joins and is approved, gets another key
while it works, and the hub gets another one while sites work.  Real scanners, a
real hub; what can be done by dropping files is done so once."""

import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
import time

import zmq
import zmq.utils.z85

import harness
from harness import BUILD, CODE_A, CODE_B, case, equal, until
from peer import HubError, Peer
from service import Scanner

SCANNER = BUILD / 'scanner' / 'scanhub-scanner'
FINGERPRINT = r'[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}'
TEMPFAIL, USAGE, NOINPUT, CANTCREAT, DATAERR, IOERR = 75, 64, 66, 73, 65, 74


class Stage(harness.Stage):
    def new_hub(self, name, **config):
        # scanhubctl does not have the hub's $STATE_DIRECTORY.
        state = self.directory / name / 'retired'
        return super().new_hub(name, hub=f'retired: {state}', **config)

    def ctl(self, *words, status=0):
        done = self.hub.ctl(*map(str, words), check=False)
        said = done.stdout + done.stderr
        equal(done.returncode, status, f'scanhubctl {words}: {said}')
        assert max(map(len, done.stdout.splitlines() or [''])) <= 80 or \
            'scanhub://' in said or str(self.directory) in said, said
        return said

    def invitation(self):
        return re.search(r"join '(scanhub://[^']+)'",
                         self.ctl('scanner', 'invite', '--host',
                                  f'127.0.0.1:{self.hub.port}'))[1]

    def pending(self):
        return re.findall(FINGERPRINT, self.ctl('scanner', 'pending'))


class Site:
    """A machine on which nothing is yet."""

    def __init__(self, s, name='site'):
        self.directory = s.directory / f'{name}-{time.monotonic_ns()}'
        self.path = self.directory / 'etc' / 'scanner.yaml'
        self.cert = self.directory / 'etc' / 'scanner.cert'
        self.directory.mkdir()
        self.process = None
        s.extra.append(self)

    def command(self, *words):
        return [str(SCANNER), '--config', str(self.path), *map(str, words)]

    def run(self, *words, status=0):
        done = subprocess.run(
            self.command(*words), stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
            check=False)
        equal(done.returncode, status, f'{words}: {done.stdout}')
        return done.stdout

    def start(self, *words):
        self.process = subprocess.Popen(
            self.command(*words), stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            preexec_fn=harness.die_with_us)

    def close(self):
        if self.process:
            harness.end(self.process)
            self.process = None


def fingerprint_in(text):
    return re.search(rf'fingerprint: ({FINGERPRINT})', text)[1]


@case('a site is invited, joins, waits and is approved')
def _(s):
    site = Site(s)
    site.start('join', s.invitation(), '--wait', '60')
    until(s.pending, 'the knock is listed')
    [fingerprint] = s.pending()
    listed = s.ctl('scanner', 'pending')
    assert '127.0.0.1' in listed and 'scanner approve' in listed, listed
    s.ctl('scanner', 'approve', fingerprint.upper(), 'new-site', '--code',
          CODE_A)
    said = site.process.communicate(timeout=30)[0]
    equal(site.process.returncode, 0, said)
    site.process = None
    equal(fingerprint_in(said), fingerprint)
    assert f'scanner approve {fingerprint} ' in said, said
    assert 'approved' in said and 'systemctl enable' in said, said
    equal(site.cert.stat().st_mode & 0o777, 0o600)
    equal(s.pending(), [])
    # What was made works, and is left alone by a second run.
    before = site.path.read_bytes(), site.cert.read_bytes()
    said = site.run('join', s.invitation(), '--wait', '0')
    assert 'approved' in said and 'made' not in said, said
    equal((site.path.read_bytes(), site.cert.read_bytes()), before)
    assert fingerprint in site.run('check-config')
    assert fingerprint in s.ctl('scanner', 'list')
    said = s.ctl('scanner', 'approve', fingerprint, 'x', '--code', CODE_A,
                 status=CANTCREAT)
    assert "registered already, as 'new-site'" in said, said


@case('a code with a wrong letter is said when it is typed')
def _(s):
    site = Site(s)
    site.run('join', s.invitation(), '--wait', '0', status=TEMPFAIL)
    [fingerprint] = s.pending()
    wrong = CODE_A[:-1] + ('b' if CODE_A[-1] == 'a' else 'a')
    said = s.ctl('scanner', 'approve', fingerprint, 'typo', '--code', wrong)
    assert f'no scan agent with the code {wrong}' in said, said
    s.ctl('scanner', 'revoke', 'typo')
    site.run('join', s.invitation(), '--wait', '0', status=TEMPFAIL)
    said = s.ctl('scanner', 'approve', fingerprint, 'typo', '--code', CODE_A)
    assert re.search(r'^scan agent: .+, \d+ subnets? to scan$', said, re.M), said
    assert 'no scan agent' not in said, said


@case('who is not approved yet gets 75, and the same key a second time')
def _(s):
    site = Site(s)
    first = site.run('join', s.invitation(), '--wait', '0', status=TEMPFAIL)
    assert 'not approved yet' in first, first
    second = site.run('join', s.invitation(), '--wait', '0', '--name', 'Büro 7',
                      status=TEMPFAIL)
    equal(fingerprint_in(first), fingerprint_in(second))
    assert f'{fingerprint_in(first)} B--ro-7 --code CODE' in second, second
    equal(s.pending().count(fingerprint_in(first)), 1)


@case('an old agent\'s name and code are taken over')
def _(s):
    site = Site(s)
    old = site.directory / 'scan_agent.yaml'
    old.write_text('nofusscomputing_phpipam_scan_agent:\n'
                   '  api_url: https://ipam.example\n'
                   f'  client_token: t0ken\n  client_name: harbour east\n'
                   f'  scanagent_code: {CODE_B}\n')
    said = site.run('join', s.invitation(), '--from', old, '--wait', '0',
                    status=TEMPFAIL)
    assert f' harbour-east --code {CODE_B}' in said, said
    assert 'remove the old agent from cron' in said, said
    assert 't0ken' not in said, said
    old.write_text('something: else\n')
    said = Site(s).run('join', s.invitation(), '--from', old, status=78)
    assert "no section 'nofusscomputing_phpipam_scan_agent'" in said, said
    # What is no code does not get into a line for somebody's shell.
    for code in ('"x; reboot"', '"$(reboot)"', '"\\e[31m"'):
        old.write_text('nofusscomputing_phpipam_scan_agent:\n'
                       f'  scanagent_code: {code}\n')
        site = Site(s)
        said = site.run('join', s.invitation(), '--from', old, status=78)
        assert "'scanagent_code' is no code" in said, said
        assert 'approve' not in said and not site.cert.exists(), said


@case('with several hubs, a scanner gets another key at all of them')
def _(s):
    site = Site(s)
    site.run('join', s.invitation(), '--wait', '0', status=TEMPFAIL)
    alone = site.run('rotate', '--wait', '0', status=TEMPFAIL)
    assert 'On the hub, ' in alone and 'every hub' not in alone, alone
    other = f'tcp://127.0.0.1:{harness.free_port()}'
    text = site.path.read_text()
    one = re.search(r"hub:\n  (endpoint: \S+)\n  (key: '.*')\n", text)
    site.path.write_text(text.replace(
        one[0], f'hub:\n  - {one[1]}\n    {one[2]}\n  - endpoint: {other}\n'
        f'    {one[2]}\n'))
    said = site.run('rotate', '--wait', '0', status=TEMPFAIL)
    assert 'On every hub of the list' in said and 'lock it out' in said, said


@case('a configuration may lie anywhere')
def _(s):
    site = Site(s)
    site.path = site.directory / "it's #1: a b" / 'scanner.yaml'
    site.run('join', s.invitation(), '--wait', '0', status=TEMPFAIL)
    assert 'in order' in site.run('check-config')
    site.path = site.directory / 'a\nb' / 'scanner.yaml'
    site.run('join', s.invitation(), '--wait', '0', status=USAGE)


@case('a wrong invitation leaves nothing behind that the right one minds')
def _(s):
    site = Site(s)
    right = s.invitation()
    place = f'127.0.0.1:{s.hub.port}'
    for wrong, text in ((right[:-1], 'not whole'),
                        (right.replace('scanhub:', 'http:'), 'begins with'),
                        (f'scanhub://{place}', 'has no key'),
                        (f'scanhub://{place}/{s.hub.public}',
                         'not whole or not escaped')):
        said = site.run('join', wrong, status=USAGE)
        assert text in said, said
        assert not site.cert.exists(), said
    other = f'scanhub://{place}/' + 'a' * 40
    said = site.run('join', other, status=69)
    assert 'another key' in said, said
    assert not site.path.exists(), said
    site.run('join', right, '--wait', '0', status=TEMPFAIL)
    # A configuration that names something else is not touched.
    before = site.path.read_bytes()
    said = site.run('join', other, '--wait', '0', status=70)
    assert 'nothing was changed' in said, said
    equal(site.path.read_bytes(), before)


@case('two who approve at the same time, and others who may not')
def _(s):
    site = Site(s)
    said = site.run('join', s.invitation(), '--wait', '0', status=TEMPFAIL)
    fingerprint = fingerprint_in(said)
    both = [subprocess.Popen(
        [str(BUILD / 'cli' / 'scanhubctl'), '--config', str(s.hub.path),
         'scanner', 'approve', fingerprint, name, '--code', CODE_A],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True) for name in ('one', 'other')]
    said = [process.communicate(timeout=30)[0] for process in both]
    equal(sorted(process.returncode for process in both), [0, CANTCREAT], said)
    assert 'this key is scanner' in ''.join(said) or \
        'has knocked lately' in ''.join(said), said
    found = [name for name in ('one', 'other')
             if (s.hub.registry / f'{name}.cert').exists()]
    equal(len(found), 1)
    s.ctl('scanner', 'revoke', found[0])
    if os.geteuid() != 0:
        return
    # Somebody else's machine: no rights, and a sentence that says so.
    other = Site(s)
    other.directory.chmod(0o755)
    s.directory.chmod(0o755)
    done = subprocess.run(
        other.command('join', s.invitation()), stdin=subprocess.DEVNULL,
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=60, user=65534, group=65534, extra_groups=[], check=False)
    equal(done.returncode, 78, done.stdout)
    assert 'run this as root' in done.stdout, done.stdout
    assert not other.path.parent.exists()


@case('a rejected key is not listed again, and stays out')
def _(s):
    site = Site(s)
    said = site.run('join', s.invitation(), '--wait', '0', status=TEMPFAIL)
    fingerprint = fingerprint_in(said)
    assert fingerprint in s.pending()
    s.ctl('scanner', 'reject', fingerprint)
    assert fingerprint not in s.pending()
    site.run('join', s.invitation(), '--wait', '0', status=TEMPFAIL)
    assert fingerprint not in s.pending()
    said = s.ctl('scanner', 'approve', fingerprint, 'x', '--code', CODE_A,
                 status=NOINPUT)
    assert 'no unknown key with the fingerprint' in said, said
    assert 'rejected' in said and 'check-config' in said, said
    said = s.ctl('scanner', 'approve', fingerprint[:9], 'x', '--code', CODE_A,
                 status=DATAERR)
    assert 'all of the 16 digits' in said, said
    said = s.ctl('scanner', 'reject', fingerprint, status=NOINPUT)
    assert 'has knocked lately' in said, said


def refused_at_the_door(s, pair):
    """Is this key let in no more?"""
    try:
        said_hello(s, pair, patience=2)
    except (HubError, TimeoutError, zmq.ZMQError):
        return True
    return False


def said_hello(s, pair, **more):
    """A session, of which only the hello is of interest."""
    peer = Peer(s.hub.endpoint, s.hub.public, *pair, **more)
    s.extra.append(Closing(peer))
    return peer


class Closing:
    def __init__(self, peer):
        self.peer = peer

    def close(self):
        self.peer.socket.close()


def pair_of(path):
    text = path.read_text()
    return tuple(re.search(rf'{half}-key = "(.{{40}})"', text)[1]
                 for half in ('public', 'secret'))


@case('a scanner gets another key while it works')
def _(s):
    scanner = Scanner(s)
    s.extra.append(scanner)
    name, old = scanner.name, pair_of(scanner.cert)
    scanner.start()
    scanner.says('connected to the hub')
    done = scanner.run('rotate')
    equal(done.returncode, TEMPFAIL, done.stdout)
    fingerprint = fingerprint_in(done.stdout)
    assert f'scanner rotate NAME {fingerprint}' in done.stdout, done.stdout
    fresh = scanner.cert.with_name('scanner.cert.next')
    equal(fresh.stat().st_mode & 0o777, 0o600)
    assert fingerprint in s.pending()
    new = pair_of(fresh)

    said = s.ctl('scanner', 'rotate', name, fingerprint)
    assert 'both keys are good' in said, said
    listed = s.ctl('scanner', 'list')
    assert len(re.findall(rf'^{name}$', listed, re.M)) == 2, listed
    assert '  next  ' in listed, listed
    said = s.ctl('scanner', 'rotate', name, '--public-key', 'x' * 40,
                 status=CANTCREAT)
    assert 'has two keys already' in said, said

    done = scanner.run('rotate', '--wait', '20')
    equal(done.returncode, 0, done.stdout)
    assert 'the running scanner uses this key now' in done.stdout, done.stdout
    scanner.says('going over to our next key')
    until(lambda: scanner.count('connected to the hub') == 2, 'a new session')
    assert not fresh.exists()
    equal(pair_of(scanner.cert), new)
    until(lambda: not (s.hub.registry / f'{name}.cert').exists(),
          'the file of the former key is gone')
    listed = s.ctl('scanner', 'list')
    assert fingerprint in listed and '  next  ' not in listed, listed
    digest = re.search(r'^digest: (\S+)$', listed, re.M)[1]
    equal(json.loads(s.ctl('status', '--json'))['registry']['digest'], digest)
    equal(json.loads(s.ctl('scanner', 'list', '--json'))['digest'], digest)
    assert old[0] in (s.hub.directory / 'retired').read_text()
    assert refused_at_the_door(s, old)

    # For good: after a restart, and when the file is put there again.
    s.hub.restart()
    s.hub.register(name, old[0], CODE_A)
    s.hub.reload()
    assert refused_at_the_door(s, old)
    said = s.ctl('scanner', 'list', status=1)
    assert 'has another key by now' in said, said
    assert fingerprint_of(old[0]) not in s.pending()
    (s.hub.registry / f'{name}.cert').unlink()
    said = s.ctl('scanner', 'add', 'again', '--code', CODE_A, '--public-key',
                 old[0], status=CANTCREAT)
    assert 'was replaced by another one' in said, said
    until(lambda: scanner.count('connected to the hub') == 3, 'it is back')


def fingerprint_of(key):
    raw = zmq.utils.z85.decode(key.encode())
    text = hashlib.blake2b(raw, digest_size=32).hexdigest()[:16]
    return '-'.join(text[i:i + 4] for i in range(0, 16, 4))


@case('the same by dropping a file, and a crash before the files are turned',
      long=True)
def _(s):
    old = s.hub.scanner('by-hand', CODE_A)
    scanner = Scanner(s, keys=old)
    s.extra.append(scanner)
    s.hub.reload()
    scanner.start()
    scanner.says('connected to the hub')
    new = tuple(key.decode() for key in zmq.curve_keypair())
    s.hub.register('by-hand-2', new[0], CODE_A,
                   more='    name = "by-hand"\n'
                        f'    replaces = "{old[0]}"\n')
    s.hub.reload()
    said_hello(s, new)
    scanner.says('no longer has our key')
    until(lambda: not (s.hub.registry / 'by-hand.cert').exists(), 'it is gone')
    # The scanner that has the former key in KEY finds the other one.
    fresh = scanner.cert.with_name('scanner.cert.next')
    fresh.touch(0o600)
    fresh.write_text(scanner.cert.read_text().replace(old[0], new[0])
                     .replace(old[1], new[1]))
    scanner.says('the hub has accepted our next key', 70)
    until(lambda: scanner.count('connected to the hub') == 2, 'it is back')
    equal(pair_of(scanner.cert), new)
    assert not fresh.exists()


@case('a scanner gets another name, and its session goes on')
def _(s):
    scanner = Scanner(s)
    s.extra.append(scanner)
    scanner.start()
    scanner.says('connected to the hub')
    mark = s.hub.log_mark()
    s.ctl('scanner', 'rename', scanner.name, 'harbour')
    assert 'name:         harbour' in s.ctl('scanner', 'show', 'harbour')
    until(lambda: 'registry entry' in s.hub.log_from(mark), 'the hub knows')
    assert not (s.hub.registry / f'{scanner.name}.cert').exists()
    time.sleep(1)
    equal(scanner.count('connected to the hub'), 1)
    assert 'is over' not in s.hub.log_from(mark), s.hub.log_from(mark)
    for wrong, status, text in (('a/b', DATAERR, 'cannot be a scanner'),
                                ('a\x1b[m', DATAERR, 'cannot be a scanner'),
                                ('site-b', CANTCREAT, 'already')):
        assert text in s.ctl('scanner', 'rename', 'harbour', wrong,
                             status=status)
    said = s.ctl('scanner', 'rename', 'nobody', 'x', status=NOINPUT)
    assert "no scanner 'nobody'" in said, said
    # A link is somebody else's.
    real = s.hub.directory / 'elsewhere'
    (s.hub.registry / 'harbour.cert').rename(real)
    (s.hub.registry / 'harbour.cert').symlink_to(real)
    said = s.ctl('scanner', 'rename', 'harbour', 'port', status=DATAERR)
    assert 'is a link' in said, said
    s.ctl('scanner', 'revoke', 'harbour')


@case('a registry is exported, compared and imported, all or nothing')
def _(s):
    s.ctl('scanner', 'add', 'shim-x', '--shim', '--code', CODE_A, '--code',
          CODE_B, '--public-key', zmq.curve_keypair()[0].decode())
    exported = s.directory / 'registry.json'
    exported.unlink(missing_ok=True)
    s.ctl('scanner', 'export', exported)
    document = json.loads(exported.read_text())
    before = {path.name: path.read_text()
              for path in s.hub.registry.glob('*.cert')}
    equal(len(document['scanners']), len(before))
    equal(json.loads(s.ctl('scanner', 'export')), document)
    said = s.ctl('scanner', 'import', exported)
    assert f'0 to change, {len(before)} stay' in said, said
    said = s.ctl('scanner', 'import', s.hub.path, status=DATAERR)
    assert 'is no document of scanhubctl scanner export' in said, said

    def load(change, *words, status=0):
        fresh = json.loads(exported.read_text())
        change(fresh['scanners'])
        path = s.directory / 'changed.json'
        path.write_text(json.dumps(fresh))
        return s.ctl('scanner', 'import', path, *words, status=status)

    new = {'name': 'plant', 'codes': ['c'],
           'key': zmq.curve_keypair()[0].decode()}
    said = load(lambda all: all.append(new), '--dry-run')
    assert re.search(r'^new +plant ', said, re.M), said
    equal({path.name: path.read_text() for path in s.hub.registry.iterdir()},
          before)
    # One that is wrong, and nothing of the others.
    other = {**new, 'name': 'quay',
             'key': zmq.curve_keypair()[0].decode()}
    for wrong, text in (({**new, 'name': '../x'}, 'name cannot be'),
                        ({**new, 'key': 'short'}, 'no public key'),
                        ({**new, 'codes': ['a b']}, 'codes are not good'),
                        ({**new, 'codes': []}, 'codes are not good'),
                        ({**new, 'kind': 'boss'}, 'neither scanner nor shim'),
                        ({**new, 'replaces': new['key']}, 'no other public'),
                        ({'name': 'x'}, 'no name, key and codes'),
                        ({**other, 'key': document['scanners'][0]['key']},
                         'the same key'),
                        ({**new, 'name': 'site-a'}, 'the same name')):
        said = load(lambda all: all.extend([other, wrong]), status=DATAERR)
        assert text in said, said
    said = load(lambda all: all.__setitem__(
        slice(None), [{**new, 'name': 'site-a'}]), status=CANTCREAT)
    assert 'has another key here' in said, said
    # Something is in the way of the last of several: the others are put back.
    def all_renamed(all):
        for entry in all:
            entry['name'] += '-2'
        all.insert(0, new)
    last = document['scanners'][-1]['fingerprint']
    for name in (f'.{last}.import', f'.{last}.was'):
        (s.hub.registry / name).mkdir()
        said = load(all_renamed, status=IOERR)
        (s.hub.registry / name).rmdir()
        equal({path.name: path.read_text()
               for path in s.hub.registry.iterdir()}, before, name)
    # A file that is called so already stays.
    (s.hub.registry / 'quay.cert').mkdir()
    load(lambda all: all.extend([new, other]))
    assert re.search('^quay', s.ctl('scanner', 'list', status=1), re.M)
    (s.hub.registry / 'quay.cert').rmdir()

    # The whole of it again, in place of what is there.
    said = s.ctl('scanner', 'import', exported, '--replace')
    assert 'removed plant' in said and 'removed quay' in said, said
    equal({path.name: path.read_text() for path in s.hub.registry.iterdir()},
          before)

    def rename(all):
        all[0]['name'] = 'renamed'
    said = load(rename)
    assert re.search(r'^changed renamed ', said, re.M), said
    equal(len(list(s.hub.registry.iterdir())), len(before))
    s.ctl('scanner', 'import', exported)
    equal(json.loads(s.ctl('scanner', 'export'))['digest'],
          document['digest'])
    s.ctl('scanner', 'revoke', 'shim-x')


@case('a rename that was killed between two keys is done again')
def _(s):
    now, fresh = ([part.decode() for part in zmq.curve_keypair()]
                  for _ in range(2))
    s.ctl('scanner', 'add', 'berth', '--code', CODE_A, '--public-key', now[0])
    s.ctl('scanner', 'rotate', 'berth', '--public-key', fresh[0])
    for path in s.hub.registry.glob('berth*'):
        if fresh[0] in path.read_text().split('curve')[1]:
            path.write_text(path.read_text().replace('"berth"', '"dock"'))
    assert 'there is a scanner' in s.ctl('scanner', 'rename', 'site-a', 'dock',
                                         status=CANTCREAT)
    s.ctl('scanner', 'rename', 'berth', 'dock')
    until(lambda: 'berth' not in s.ctl('scanner', 'list'), 'both are renamed')
    time.sleep(0.5)
    s.hub.keys['dock'] = fresh
    s.hub.peer('dock').socket.close()
    until(lambda: now[0] in (s.directory / 'hub' / 'retired').read_text(),
          'the former key is out of force')
    s.ctl('scanner', 'revoke', 'dock')


@case('a list of replaced keys that cannot be written is told once')
def _(s):
    now, fresh = ([part.decode() for part in zmq.curve_keypair()]
                  for _ in range(2))
    s.ctl('scanner', 'add', 'jetty', '--code', CODE_A, '--public-key', now[0])
    s.ctl('scanner', 'rotate', 'jetty', '--public-key', fresh[0])
    path = s.directory / 'hub' / 'retired'
    path.unlink(missing_ok=True)
    path.mkdir()  # in its place
    mark = s.hub.log_mark()
    s.hub.keys['jetty'] = fresh
    s.hub.peer('jetty').socket.close()
    time.sleep(2.5)
    equal(s.hub.log_from(mark).count('cannot be written down'), 1)
    path.rmdir()
    until(path.is_file, 'it is written later')
    assert now[0] in path.read_text()
    until(lambda: 'is written down now' in s.hub.log_from(mark), 'told')
    s.ctl('scanner', 'revoke', 'jetty')


@case('who revokes and rotates at the same time leaves no key behind')
def _(s):
    for _round in range(4):
        s.ctl('scanner', 'add', 'pier', '--code', CODE_A, '--public-key',
              zmq.curve_keypair()[0].decode())
        at_once = [('rotate', 'pier', '--public-key',
                    zmq.curve_keypair()[0].decode()) for _ in range(3)]
        at_once.insert(2, ('revoke', 'pier'))
        held = os.open(s.hub.registry, os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_EX)
        running = [subprocess.Popen(
            [str(harness.SCANHUBCTL), '--config', str(s.hub.path), 'scanner',
             *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True) for words in at_once]
        time.sleep(0.3)  # all of them have looked, and wait
        os.close(held)
        said = [one.communicate(timeout=30)[1] for one in running]
        codes = [one.returncode for one in running]
        equal(codes[2], 0, said)
        assert codes.count(0) <= 2, said
        left = [path.name for path in s.hub.registry.glob('pier*')]
        equal(left, [], f'{codes} {said}')


def rotate_hub(s, seconds):
    """Announce another key of the hub; what is said."""
    return s.ctl('hub', 'rotate', '--at', f'{seconds}s')


def now_key(s):
    return pair_of(s.hub.directory / 'hub.cert')[0]


@case('the hub gets another key, with a scanner there and one away', long=True)
def _(s):
    stays, away, stranger = Scanner(s), Scanner(s), Scanner(s)
    for scanner in (stays, away, stranger):
        scanner.configure(hub_keys=scanner.directory / 'hubs')
        s.extra.append(scanner)
    stays.start()
    stays.says('connected to the hub')
    away.start()
    away.says('connected to the hub')
    former = s.hub.public
    said = rotate_hub(s, 4)
    began = time.monotonic()
    try:
        fresh = re.search(rf'next key: +({FINGERPRINT}), from ', said)[1]
        assert 'that is soon' in said, said
        for scanner in (stays, away):
            scanner.says('the hub announces another key')
        until(lambda: 'told so far:   2 of 2' in s.ctl('hub', 'rotate'),
              'both were told')
        said = s.ctl('hub', 'rotate', '--at', '2d', status=CANTCREAT)
        assert 'announced already' in said, said
        away.stop()
        away.process = None

        stays.says('the hub has the key now that it had announced', 30)
        assert time.monotonic() - began >= 3
        until(lambda: stays.count('connected to the hub') == 2, 'it is back')
        s.hub.public = now_key(s)
        equal(fingerprint_of(s.hub.public), fresh)
        assert s.hub.public in (s.hub.directory / 'hub.cert.pub').read_text()
        assert not (s.hub.directory / 'hub.cert.next').exists()
        assert fresh in s.ctl('hub', 'rotate')
        assert fresh in s.ctl('scanner', 'invite', '--host', '127.0.0.1:1')

        away.start()  # its configuration has the former key
        until(lambda: away.count('connected to the hub') == 2, 'it is in')
        stranger.start()
        stranger.says('hub key in our configuration is probably wrong')
        # What was learnt holds after restarts of both.
        s.hub.restart()
        until(lambda: stays.count('connected to the hub') == 3, 'it is back')
        stays.stop()
        stays.start()
        until(lambda: stays.count('connected to the hub') == 4, 'it is in')
        assert former in stays.path.read_text()
        # So does what only knocks.
        done = stays.run('rotate')
        equal(done.returncode, TEMPFAIL, done.stdout)
        said = stays.run('doctor').stdout
        assert 'lets this key in' in said, said
        done = stays.run('join', s.invitation(), '--wait', '0')
        equal(done.returncode, 0, done.stdout)
    finally:
        s.hub.public = now_key(s)


@case('an announcement is taken back, or made by dropping a file', long=True)
def _(s):
    scanner = Scanner(s)
    scanner.configure(hub_keys=scanner.directory / 'hubs')
    s.extra.append(scanner)
    scanner.start()
    scanner.says('connected to the hub')
    before = now_key(s)
    s.ctl('hub', 'rotate', '--at', '1h')
    scanner.says('the hub announces another key')
    said = s.ctl('hub', 'rotate', '--cancel')
    assert 'no other key is announced' in said, said
    scanner.says('the hub keeps its key')
    s.ctl('hub', 'rotate', '--cancel', status=NOINPUT)
    for wrong in ('2020-01-01', 'soon', '-1h'):
        s.ctl('hub', 'rotate', '--at', wrong, status=USAGE)

    dropped = s.hub.directory / 'hub.cert.next'
    s.ctl('keygen', dropped)
    said = s.ctl('reload', status=1)
    assert 'from when on it counts' in said, said
    text = dropped.read_text()
    when = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(time.time() + 3600))
    dropped.write_text(text.replace('metadata\n',
                                    f'metadata\n    at = "{when}"\n'))
    s.ctl('reload')
    until(lambda: scanner.count('the hub announces another key') == 2,
          'it is told')
    # The time comes while the hub is down.
    s.hub.stop()
    dropped.write_text(dropped.read_text().replace(when,
                                                   '2026-01-01T00:00:00Z'))
    s.hub.start()
    try:
        until(lambda: scanner.count('connected to the hub') == 2, 'it is in')
        assert now_key(s) != before
        assert not dropped.exists()
    finally:
        s.hub.public = now_key(s)


if __name__ == '__main__':
    sys.exit(harness.main(Stage))
