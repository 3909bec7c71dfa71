# SPDX-License-Identifier: MPL-2.0
"""scanhub-scanner doctor: each finding is broken, seen with its sentence,
repaired, and seen to be gone.  doctor.py plays these cases."""

import contextlib
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import threading

import harness
from doctor_stage import ERROR, GOOD, WARNING, Site, finding, may_be_other
from harness import CODE_A, case, equal, until
from labservers import Dns


def site(s, **config):
    """A scanner whose key the hub knows, with a clean end."""
    one = Site(s, **{'interval': None, **config})
    s.extra.append(one)
    return one


def start(one):
    one.start()
    one.says('connected to the hub')


def needs_root():
    if os.geteuid() != 0:
        raise harness.Skip('needs root')


@case('site: in order, without and with the service, within 80 columns')
def site_in_order(s):
    one = site(s)
    found = one.doctor(status=0)
    finding(found, 'service', WARNING, 'does not run', 'systemctl enable')
    finding(found, 'hubs', GOOD, s.hub.endpoint, 'lets this key in')
    finding(found, 'assignments', GOOD, '1 subnet')
    finding(found, 'clock', GOOD)
    start(one)
    until(lambda: 'subnets: 1' in one.run('status').stdout, 'assignments')
    done = one.run('doctor')
    equal(done.returncode, 0, done.stdout)
    lines = done.stdout.splitlines()
    # A path may be longer than a line.
    assert max(len(line) for line in lines
               if str(one.directory) not in line) <= 80, done.stdout
    assert '\033' not in done.stdout
    assert not any(line.startswith(ERROR) for line in lines), done.stdout
    assert re.fullmatch(r'\d+ good, \d warnings?, 0 errors', lines[-1]), lines
    found = one.doctor(status=0)
    finding(found, 'service', GOOD, 'connected to', s.hub.endpoint)
    finding(found, 'spool', GOOD, '0 waiting')
    finding(found, 'assignments', GOOD, '1 subnet')
    equal(one.count('connected to the hub'), 1, 'its session was left alone')


@case('site: configuration missing, wrong, open, and not ours to read')
def site_configuration(s):
    one = site(s)
    good = one.path.read_text()
    one.path.unlink()
    one.sees('config', ERROR, 'scanhub-scanner join', status=1)
    one.path.write_text(good + 'enginee: nmap\n')
    one.sees('config', ERROR, 'enginee', status=1)
    one.path.write_text(good)
    one.path.chmod(0o666)
    one.sees('config', ERROR, 'chmod o-w')
    one.path.chmod(0o644)
    one.is_well('config')
    one.path.chmod(0o600)
    for path in (s.directory, one.directory):
        path.chmod(0o755)
    other = may_be_other()
    done = subprocess.run(one.command('doctor'), check=False, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True,
                          **other)
    equal(done.returncode, 2, done.stdout + done.stderr)
    assert 'run this as root' in done.stdout, done.stdout


@case('site: the key open, missing, unknown to the hub, revoked')
def site_key(s):
    one = site(s)
    one.cert.chmod(0o644)
    one.sees('key', ERROR, 'scanner.cert', '0600', status=1)
    one.cert.chmod(0o600)
    one.is_well('key')
    s.hub.revoke(one.name)
    s.hub.reload()
    text = one.sees('hubs', ERROR, 'does not know this key', 'approve',
                    status=1)
    fingerprint = re.search(r'approve (\S+) NAME', text)[1]
    s.hub.ctl('scanner', 'approve', fingerprint, one.name, '--code', CODE_A)
    one.is_well('hubs')
    one.cert.unlink()
    found = one.doctor(status=1)
    finding(found, 'key', ERROR, 'scanhub-scanner join')
    assert 'hubs' not in found, found


@case('site: no hub there, another key, and one of two')
def site_hubs(s):
    one = site(s)
    good = one.hubs
    nowhere = f'tcp://127.0.0.1:{harness.free_port()}', s.hub.public, None
    one.hubs = [nowhere]
    one.configure()
    one.sees('hubs', ERROR, 'no hub answers', status=1)
    one.hubs = [(s.hub.endpoint, s.hub.keys['site-b'][0], None)]
    one.configure()
    one.sees('hubs', ERROR, 'another key', 'scanner invite', status=1)
    one.hubs = [nowhere, good[0]]
    one.configure()
    found = one.doctor(status=0)
    finding(found, 'hubs', WARNING, 'no hub answers', nowhere[0])
    finding(found, 'hubs', GOOD, s.hub.endpoint)
    one.hubs = [nowhere, nowhere]
    one.configure()
    one.sees('hubs', ERROR, 'none of the 2', status=1)
    one.hubs = good
    one.configure()
    one.is_well('hubs')


@case('site: the service runs and is not connected')
def site_service(s):
    one = site(s)
    start(one)
    one.is_well('service')
    s.hub.stop()
    until(lambda: 'NOT CONNECTED' in one.run('status').stdout, 'it is alone')
    one.sees('service', ERROR, 'is not connected', status=1)
    s.hub.start()
    until(lambda: 'ok connected' in one.run('status').stdout
          or 'connected to' in one.run('status').stdout, 'it is back')
    one.is_well('service')


@case('site: nothing is assigned')
def site_assignments(s):
    one = site(s)
    s.update('subnets', 10, scanAgent=0)
    s.hub.reload()
    until(lambda: any(result == WARNING for result, _
                      in one.doctor().get('assignments', [])),
          'the hub has read it')
    one.sees('assignments', WARNING, 'assigns no subnet')
    s.update('subnets', 10, scanAgent=2)
    until(lambda: all(result == GOOD for result, _
                      in one.doctor()['assignments']), 'and again')


@case('site: a spool that cannot be made')
def site_spool_nowhere(s):
    one = site(s, spool=s.directory / 'no' / 'such' / 'spool')
    one.sees('spool', WARNING, 'more than one directory is missing')
    (s.directory / 'no').mkdir()
    one.sees('spool', GOOD, 'is made when it is needed')


@case('site: the spool, with what waits, broken, in use, none', long=True)
def site_spool(s):
    one = site(s)
    one.sees('spool', GOOD, 'is made when it is needed')
    one.spool.parent.mkdir(mode=0o700)
    one.spool.write_bytes(b'this is no database' * 100)
    one.sees('spool', ERROR, 'is no spool', status=1)
    equal(one.spool.read_bytes()[:7], b'this is', 'nothing was changed')
    one.spool.unlink()
    done = one.once()  # makes it; nothing of it waits
    assert one.spool.exists(), done.said
    one.sees('spool', GOOD, '0 waiting')
    with contextlib.closing(sqlite3.connect(one.spool)) as db:
        stamp = harness.ago(3 * 86400)
        db.execute('INSERT INTO report (label, put) VALUES (?, ?)',
                   ('x', stamp))
        db.commit()
        one.sees('spool', GOOD, 'in use')
    one.sees('spool', WARNING, '1 waiting', '3 d')
    with contextlib.closing(sqlite3.connect(one.spool)) as db:
        db.execute('DELETE FROM report')
        db.commit()
    one.is_well('spool')
    one.configure(spool='none')
    one.sees('spool', WARNING, 'lost at a restart')


@case('site: rights: a user without any, and an engine that is not there')
def site_rights(s):
    one = site(s)
    for path in (s.directory, one.directory):
        path.chmod(0o755)
    one.path.chmod(0o644)
    other = may_be_other()
    done = subprocess.run(one.command('doctor'), check=False, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True,
                          **other)
    equal(done.returncode, 0, done.stdout + done.stderr)
    text = ' '.join(done.stdout.split())
    assert 'warning rights builtin, as the user who runs this: no right' \
        in text, done.stdout
    assert 'scanner.cert cannot be looked at' in text, done.stdout
    one.configure(engine='nmap', nmap='{program: /nowhere/nmap}')
    one.sees('rights', ERROR, 'nmap', '/nowhere/nmap', status=1)
    one.configure(engine=None, nmap=None)
    found = one.doctor(status=0)
    if os.geteuid() == 0:
        equal([result for result, _ in found['rights']], [GOOD], found)


@case('site: no way to a subnet, no interface')
def site_ways(s):
    needs_root()
    if not shutil.which('unshare'):
        raise harness.Skip('needs unshare')
    s.subnet(15, '127.0.1.0/29')
    s.hub.reload()
    one = site(s)
    start(one)
    until(lambda: 'subnets: 2' in one.run('status').stdout, 'assignments')
    found = one.doctor(prefix=('unshare', '-n'))
    finding(found, 'ways', ERROR, '10.0.0.0/24', 'no route')
    finding(found, 'interfaces', WARNING, 'none but the loopback')
    found = one.doctor()
    assert not any('127.0.1.0/29' in text for _, text in found['ways']), found
    finding(found, 'ways', GOOD, 'on links of this machine')


@case('site: name servers that answer, refuse, and are silent', long=True)
def site_names(s):
    class Here:
        inside = contextlib.nullcontext
    try:
        server = Dns(Here, '127.9.9.9', {})
    except OSError as reason:
        raise harness.Skip(f'port 53 cannot be had: {reason}')
    s.extra.append(server)
    s.insert('nameservers', id=4, name='ours', namesrv1='127.9.9.9')
    s.update('subnets', 10, resolveDNS=1, nameserverId=4)
    s.hub.reload()
    one = site(s)
    until(lambda: 'names' in one.doctor(), 'the hub has read it')
    one.sees('names', GOOD, '127.9.9.9 answers')
    server.mood = 'servfail'
    one.sees('names', WARNING, '127.9.9.9', 'refuses')
    server.mood = 'silent'
    one.sees('names', WARNING, '127.9.9.9', 'does not answer')
    server.mood = 'good'
    one.is_well('names')
    one.configure(resolve='never')
    one.sees('names', GOOD, 'not asked')


@case("site: an old agent's line in a crontab")
def site_old_agent(s):
    needs_root()
    if not shutil.which('unshare'):
        raise harness.Skip('needs unshare')
    one = site(s)
    crontabs = s.directory / 'cron.d'
    crontabs.mkdir(exist_ok=True)
    prefix = ('unshare', '--mount', 'sh', '-ec',
              f'mount --bind {crontabs} /etc/cron.d; exec "$@"', 'sh')
    if subprocess.run([*prefix, 'true'], check=False,
                      capture_output=True).returncode:
        raise harness.Skip('no mount namespaces, or no /etc/cron.d')
    finding(one.doctor(prefix=prefix), 'old-agent', GOOD)
    line = crontabs / 'agent'
    line.write_text('*/5 * * * * root ansible-playbook '
                    'nofusscomputing.phpipam_scan_agent.agent\n')
    finding(one.doctor(prefix=prefix), 'old-agent', WARNING,
            '/etc/cron.d/agent', 'phpipam_scan_agent', 'remove')
    line.unlink()
    finding(one.doctor(prefix=prefix), 'old-agent', GOOD)


class Played:
    """The control socket of a service that says what a case wants."""

    def __init__(self, path, answer):
        self.answer = answer
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            with client:
                client.recv(100)
                client.sendall(self.answer.encode() + b'\n')

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


@case('site: what the service says: its clock, many reports, another version')
def site_clock(s):
    one = site(s)
    facts = {'connected': True, 'hub': s.hub.endpoint, 'why': '',
             'offset': -600_000, 'waiting': 5000, 'subnets': [], 'more': 0}
    service = Played(one.directory / 'control.sock',
                     'ok ' + json.dumps(facts))
    s.extra.append(service)
    found = one.doctor(status=0)
    finding(found, 'clock', WARNING, '10 min ahead of the hub', 'NTP')
    finding(found, 'spool', WARNING, '5000 waiting')
    service.answer = 'ok ' + json.dumps({**facts, 'offset': 90_000})
    finding(one.doctor(), 'clock', WARNING, '90 s behind the hub')
    service.answer = 'ok ' + json.dumps({**facts, 'offset': 0, 'waiting': 0})
    one.is_well('clock')
    one.is_well('spool')
    for answer in ('error unknown request', 'ok {}', 'ok {"connected": 1'):
        service.answer = answer
        one.sees('service', ERROR, 'restart it after an upgrade', status=1)
