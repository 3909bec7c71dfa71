#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""The life of keys: a site is invited, joins and is approved, gets another key
while it works, and the hub gets another one while sites work.  Real scanners, a
real hub; what can be done by dropping files is done so once."""

import re
import subprocess
import sys
import time

import harness
from harness import BUILD, CODE_A, CODE_B, SCANHUBCTL, case, equal, until
from service import Scanner

SCANNER = BUILD / 'scanner' / 'scanhub-scanner'
FINGERPRINT = r'[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}'
TEMPFAIL, USAGE, NOINPUT, CANTCREAT, DATAERR = 75, 64, 66, 73, 65


class Stage(harness.Stage):
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
    said = s.ctl('scanner', 'approve', fingerprint[:9], 'x', '--code', CODE_A,
                 status=DATAERR)
    assert 'all of the 16 digits' in said, said
    said = s.ctl('scanner', 'reject', fingerprint, status=NOINPUT)
    assert 'has knocked lately' in said, said


if __name__ == '__main__':
    sys.exit(harness.main(Stage))
