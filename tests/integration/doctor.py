#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""scanhubctl doctor against a real hub and a real database: each finding is
broken, seen with its sentence, repaired, and seen to be gone.  Prints TAP."""

import contextlib
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys

sys.dont_write_bytecode = True

import doctor_site  # noqa: F401  its cases are played as well
import harness
from doctor_stage import (DAY, ERROR, GOOD, WARNING, Stage, finding,
                          may_be_other)
from harness import CODE_B, PATIENCE, SCANHUBCTL, ago, case, equal, wall


# --- the whole ----------------------------------------------------------------

@case('a hub in order: nothing but good, exit 0, within 80 columns')
def in_order(s):
    done = s.run_doctor()
    equal((done.returncode, done.stderr), (0, ''), done.stdout)
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80, done.stdout
    assert '\033' not in done.stdout
    bad = [line for line in lines if line.startswith((WARNING, ERROR))]
    equal(bad, [], done.stdout)
    assert re.fullmatch(r'\d+ good, 0 warnings, 0 errors', lines[-1]), lines
    found = s.doctor(status=0)
    assert len(found) >= 20, found


@case('colour on a terminal only, and not with NO_COLOR')
def colour(s):
    def on_terminal(**env):
        leader, follower = os.openpty()
        process = subprocess.Popen(
            [str(SCANHUBCTL), '--config', str(s.hub.path), 'doctor'],
            stdin=subprocess.DEVNULL, stdout=follower, stderr=follower,
            env={**os.environ, 'TERM': 'xterm', **env})
        os.close(follower)
        text = b''
        while True:
            try:
                piece = os.read(leader, 4096)
            except OSError:
                break
            text += piece
            if not piece:
                break
        os.close(leader)
        process.wait(PATIENCE)
        return text
    assert b'\033[32mgood\033[0m' in on_terminal(NO_COLOR='')
    assert b'\033[' not in on_terminal(NO_COLOR='1')


@case('a wrong call is told')
def misuse(s):
    equal(s.run_doctor('--frob').returncode, 64)
    equal(s.run_doctor('now').returncode, 64)


# --- files --------------------------------------------------------------------

@case('configuration: missing, wrong, open, and not ours to read')
def configuration(s):
    copy = s.hub.directory / 'copy.yaml'
    s.sees('config', ERROR, 'copy.yaml', '--config FILE', config=copy,
           status=1)
    copy.write_text(s.hub.path.read_text().replace('workers:', 'wokers:'))
    s.sees('config', ERROR, 'copy.yaml:', 'wokers', config=copy, status=1)
    copy.write_text(s.hub.path.read_text())
    copy.chmod(0o666)
    s.sees('config', ERROR, 'chmod o-w', config=copy)
    copy.chmod(0o644)
    found = s.doctor(config=copy, status=0)
    equal([result for result, _ in found['config']], [GOOD])
    copy.chmod(0o600)
    s.hub.directory.chmod(0o755)
    s.directory.chmod(0o755)
    s.sees('config', ERROR, 'run this as root', config=copy, status=2,
           **may_be_other())


@case('a user without rights sees what there is to see')
def another_user(s):
    copy = s.hub.directory / 'copy.yaml'
    copy.write_text(s.hub.path.read_text())
    copy.chmod(0o644)
    s.hub.directory.chmod(0o755)
    s.directory.chmod(0o755)
    found = s.doctor(config=copy, status=0, **may_be_other())
    for check in ('config', 'key', 'hub', 'database'):
        result, text = found[check][0]
        equal(result, WARNING, f'{check}: {text}')
    assert 'as root' in found['config'][0][1], found['config']
    equal(found['zap'][0][0], GOOD, found['zap'])
    equal(found['ports'][0][0], GOOD, found['ports'])
    assert 'tables' not in found


@case('the password file: open to others, then closed')
def password(s):
    path = s.hub.directory / 'password'
    path.chmod(0o644)
    s.sees('config', ERROR, 'password', 'chmod', status=1)
    path.chmod(0o600)
    s.is_well('config')


@case("the hub's key: open, gone, and a public half of another")
def key(s):
    path = s.hub.directory / 'hub.cert'
    public = s.hub.directory / 'hub.cert.pub'
    path.chmod(0o640)
    s.sees('key', ERROR, 'hub.cert', '0600')
    path.chmod(0o600)
    s.is_well('key')
    path.rename(s.hub.directory / 'aside')
    s.sees('key', ERROR, 'scanhubctl keygen')
    (s.hub.directory / 'aside').rename(path)
    text = public.read_text()
    s.hub.ctl('keygen', str(s.hub.directory / 'other.cert'))
    public.write_text((s.hub.directory / 'other.cert.pub').read_text())
    s.sees('key', ERROR, 'not of the same key', s.hub.public)
    public.unlink()
    s.sees('key', WARNING, 'hub.cert.pub')
    public.write_text(text)
    s.is_well('key')


@case('registry: an entry that is wrong, two with one key, none, no directory')
def registry(s):
    bad = s.hub.registry / 'bad.cert'
    bad.write_text('curve\n    public-key = "short"\n')
    s.sees('registry', ERROR, 'lets nobody in', 'bad.cert', status=1)
    bad.unlink()
    s.is_well('registry')
    twin = s.hub.registry / 'twin.cert'
    twin.write_text((s.hub.registry / 'site-a.cert').read_text())
    s.sees('registry', ERROR, 'twin.cert', 'site-a.cert', 'remove one')
    twin.unlink()
    s.is_well('registry')
    aside = s.hub.directory / 'aside'
    s.hub.registry.rename(aside)
    s.sees('registry', ERROR, str(s.hub.registry))
    s.hub.registry.mkdir()
    s.sees('registry', WARNING, 'scanhubctl scanner invite')
    s.hub.registry.rmdir()
    aside.rename(s.hub.registry)
    s.is_well('registry')


@case('state files: a directory that is not there')
def state(s):
    env = {**os.environ, 'TZ': 'UTC0',
           'STATE_DIRECTORY': str(s.directory / 'nowhere')}
    s.sees('state', ERROR, 'nowhere', 'install -d', env=env)
    copy = s.directory / 'elsewhere.yaml'
    copy.write_text(re.sub(r'^hub:\n', 'hub:\n  retired: /nowhere/retired\n',
                           s.hub.path.read_text(), flags=re.M))
    copy.chmod(0o600)
    s.sees('state', ERROR, '/nowhere', 'keys that were replaced', config=copy)
    s.is_well('state')


# --- the hub ------------------------------------------------------------------

@case('the hub is not running; its port is free, or somebody else has it')
def down(s):
    s.hub.stop()
    text = s.sees('hub', ERROR, 'not running', 'systemctl start', status=1)
    assert str(s.hub.directory / 'control.sock') in text, text
    found = s.doctor()
    assert 'zap' not in found and 'is free' in found['ports'][0][1], found
    equal(found['rights'][0][0], GOOD, 'the database is looked at all the same')
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(('127.0.0.1', s.hub.port))
        other.listen()
        s.sees('ports', ERROR, 'python', str(os.getpid()), str(s.hub.port))
    s.hub.start()
    s.is_well('hub')
    s.is_well('ports')


@case('the control socket is open to everybody')
def open_socket(s):
    control = s.hub.directory / 'control.sock'
    mode = control.stat().st_mode & 0o777
    control.chmod(0o666)
    s.sees('hub', ERROR, 'everybody', 'restart the hub', status=1)
    control.chmod(mode)
    s.sees('hub', GOOD, 'members of the group')
    s.is_well('hub')


@case('ports: the file has one that the running hub does not listen on')
def ports(s):
    copy = s.hub.directory / 'copy.yaml'
    free = harness.free_port()
    copy.write_text(s.hub.path.read_text().replace(
        s.hub.endpoint, f'tcp://127.0.0.1:{free}'))
    s.sees('ports', ERROR, 'nobody listens', str(free), config=copy)
    s.sees('zap', ERROR, 'no hub answers', config=copy)
    s.is_well('ports')


@case('strangers: refused by 400, and another key of the hub is seen')
def strangers(s):
    s.sees('zap', GOOD, 'refuses an unknown one', s.hub.endpoint)
    pending = json.loads(s.hub.ctl('scanner', 'pending', '--json').stdout)
    equal(pending, [], 'no trace of it is left')
    key, public = s.hub.directory / 'hub.cert', s.hub.directory / 'hub.cert.pub'
    old = key.read_text(), public.read_text()
    s.hub.ctl('keygen', str(s.hub.directory / 'fresh.cert'))
    key.write_text((s.hub.directory / 'fresh.cert').read_text())
    public.write_text((s.hub.directory / 'fresh.cert.pub').read_text())
    s.sees('zap', ERROR, 'another key', status=1)
    key.write_text(old[0])
    public.write_text(old[1])
    s.is_well('zap')


@case('strangers: a server that lets everybody in is found out')
def open_door(s):
    import zmq
    context = zmq.Context()
    server = context.socket(zmq.ROUTER)
    server.linger = 0
    server.curve_server = True
    server.curve_secretkey = re.search(
        r'secret-key = "(.{40})"',
        (s.hub.directory / 'hub.cert').read_text())[1].encode()
    port = server.bind_to_random_port('tcp://127.0.0.1')
    copy = s.hub.directory / 'copy.yaml'
    copy.write_text(s.hub.path.read_text().replace(
        s.hub.endpoint, f'tcp://127.0.0.1:{port}'))
    try:
        s.sees('zap', ERROR, 'nobody registered', config=copy)
    finally:
        server.close()
        context.term()


@case('not ready: the database is not what the hub can use', long=True)
def not_ready(s):
    s.sql.rows('RENAME TABLE ipTags TO ipTags_aside')
    try:
        harness.until(lambda: s.hub.ctl('ping', check=False).returncode,
                      'the hub notices')
        s.sees('hub', ERROR, 'not ready', 'keep their reports')
        s.sees('rights', ERROR, 'GRANT SELECT (id, updateTag)', 'ipTags')
    finally:
        s.sql.rows('RENAME TABLE ipTags_aside TO ipTags')
    s.hub.ready()
    s.is_well('hub')
    s.is_well('rights')


@case('limits: a hub that may open few files')
def limits(s):
    s.is_well('limits')
    subprocess.run(['prlimit', f'--pid={s.hub.process.pid}', '--nofile=200:'],
                   check=True)
    s.sees('limits', WARNING, '200', 'LimitNOFILE')
    subprocess.run(['prlimit', f'--pid={s.hub.process.pid}',
                    '--nofile=16384:'], check=True)
    s.is_well('limits')


@case('scanners: older and newer ones than the hub')
def scanners(s):
    s.is_well('scanners')
    for version, words in (('scanhub-scanner 0.0.9', 'older than this hub'),
                           ('scanhub-scanner 99.0.0', 'newer than this hub')):
        peer = s.hub.peer(version=version)
        s.sees('scanners', WARNING, words, 'site-a')
        peer.socket.close()
    s.peer()  # of no known version, and in its place
    harness.until(lambda: all(result == GOOD for result, _
                              in s.doctor()['scanners']), 'it took over')


@case('clocks: one that is wrong')
def clocks(s):
    peer = s.hub.peer('site-b', now=ago(90))
    s.sees('clocks', WARNING, "'site-b'", '90 s slow', 'NTP')
    peer.socket.close()
    s.peer('site-b')
    harness.until(lambda: all(result == GOOD for result, _
                              in s.doctor()['clocks']), 'it took over')


@case('held reports: the brake has one, until it is dropped')
def held(s):
    s.is_well('held')
    s.update('subnets', 10, lastScan=wall(ago(3600)),
             lastDiscovery=wall(ago(3600)))
    s.hub.policy('policy:\n  max_new: 1\n')
    s.applied(*(harness.host(f'10.0.0.{number}') for number in (5, 6, 7)))
    s.sees('held', WARNING, 'changes are held: 1;', 'scanhubctl preview list')
    s.hub.ctl('preview', 'drop', '--all')
    s.is_well('held')


@case('held reports: the HTTP spool of a hub that is down', long=True)
def spool(s):
    s.hub.restart(http='http:\n  listen: 127.0.0.1:{port}\n'
                  '  spool: {dir}/shim.spool\n  plain_ok: true\n'
                  '  tokens: [{{label: a, token: something-long}}]')
    s.is_well('ports')
    s.hub.stop()
    s.sees('held', GOOD, 'shim.spool: no report waits')
    path = s.hub.directory / 'shim.spool'
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute('INSERT INTO report (label, put) VALUES (?, ?)', ('a', 1))
        db.commit()
    s.sees('held', WARNING, '1 report of HTTP clients waits')
    path.write_bytes(b'no database' * 100)
    s.sees('held', ERROR, 'is no spool', 'sets it aside')
    path.unlink()
    s.hub.config['http'] = ''
    s.hub.start()
    s.is_well('held')


@case("the registry's digest is compared with another hub's")
def digests(s):
    found = json.loads(s.hub.ctl('scanner', 'list', '--json').stdout)
    digest = found['digest']
    s.sees('digests', GOOD, f'--digest {digest}')
    s.hub.stop()  # the directory is looked at then
    s.sees('digests', GOOD, f'--digest {digest}')
    s.hub.start()
    finding(s.doctor('--digest', digest, status=0), 'digests', GOOD,
            'the same registry')
    other = '0000' + digest[4:]
    finding(s.doctor('--digest', digest, '--digest', other, status=1),
            'digests', ERROR, other, digest)


@case('the old scan server is seen where it runs')
def old_server(s):
    s.is_well('old-server')
    process = subprocess.Popen(
        [sys.executable, '-c', 'import time; time.sleep(60)',
         'ansible-rulebook', '-r',
         'nofusscomputing.phpipam_scan_agent.agent_receive'],
        stdin=subprocess.DEVNULL)
    try:
        s.sees('old-server', WARNING, str(process.pid), 'end it')
    finally:
        process.kill()
        process.wait()
    s.is_well('old-server')


# --- the database -------------------------------------------------------------

@case('the database: down, and a password that is wrong')
def database(s):
    copy = s.hub.directory / 'copy.yaml'
    text = s.hub.path.read_text()
    copy.write_text(re.sub(r'socket: \S+', 'socket: /nowhere/db.sock', text))
    s.sees('database', ERROR, '/nowhere/db.sock', config=copy, status=1)
    wrong = s.hub.directory / 'wrong'
    wrong.write_text('not it')
    wrong.chmod(0o600)
    copy.write_text(re.sub(r'password_file: \S+', f'password_file: {wrong}',
                           text))
    s.sees('database', ERROR, 'Access denied', config=copy)
    s.is_well('database')


@case('the database: read-only')
def read_only(s):
    s.sql.rows('SET GLOBAL read_only = 1')
    try:
        s.sees('database', ERROR, 'read-only', 'database.host')
    finally:
        s.sql.rows('SET GLOBAL read_only = 0')
    s.hub.ready()
    s.is_well('database')


@case('TLS: none beyond this machine is warned about, here it is not')
def tls(s):
    s.is_well('tls')
    copy = s.hub.directory / 'copy.yaml'
    env = s.database.env
    address = '127.0.0.1'
    text = s.hub.path.read_text()
    copy.write_text(re.sub(r'  socket: \S+', f'  host: {address}\n'
                           f'  port: {env["DB_PORT"]}\n  tls: off', text))
    found = s.doctor(config=copy)
    equal(found['tls'][0][0], GOOD, found['tls'])
    # The same server by a name that is not known to be of this machine.
    name = socket.gethostname()
    try:
        if not socket.gethostbyname(name).startswith('127.'):
            raise harness.Skip('the host name is not on the loopback')
    except OSError as reason:
        raise harness.Skip(f'the host name has no address: {reason}')
    copy.write_text(copy.read_text().replace(f'host: {address}',
                                             f'host: {name}'))
    s.sees('tls', WARNING, 'not encrypted', 'verify-full', config=copy)


@case('phpIPAM: its version, too old, too new, and maintenance')
def tables(s):
    version = s.sql.value('SELECT version FROM settings')
    s.sees('tables', GOOD, 'version 1.8.2')
    try:
        s.sql.rows("UPDATE settings SET version = '1.32'")
        s.sees('tables', ERROR, '1.3.2 is too old')
        s.sql.rows("UPDATE settings SET version = '1.9'")
        s.sees('tables', WARNING, '1.9.0 is newer than 1.8.2')
        s.sql.rows(f"UPDATE settings SET version = '{version}', "
                   'maintaneanceMode = 1')
        s.sees('tables', WARNING, 'maintenance mode')
    finally:
        s.sql.rows(f"UPDATE settings SET version = '{version}', "
                   'maintaneanceMode = 0')
    s.is_well('tables')


RIGHTS = (('scanAgents', 'UPDATE', 'last_access', ERROR),
          ('subnets', 'SELECT', 'masterSubnetId', ERROR),
          ('subnets', 'UPDATE', 'lastScan', ERROR),
          ('ipaddresses', 'SELECT', 'excludePing', ERROR),
          ('ipaddresses', 'INSERT', 'mac', ERROR),
          ('ipaddresses', 'UPDATE', 'editDate', ERROR),
          ('settings', 'SELECT', 'updateTags', ERROR),
          ('nameservers', 'SELECT', 'namesrv1', ERROR),
          ('settings', 'SELECT', 'maintaneanceMode', WARNING),
          ('subnets', 'SELECT', 'isPool', WARNING))


@case('rights: each that is missing is named, and its GRANT mends it')
def rights(s):
    s.sees('rights', GOOD, 'has all')
    for table, privilege, column, result in RIGHTS:
        s.sql.rows(f'REVOKE {privilege} ({column}) ON {table} FROM '
                   f'{s.account()}')
        text = s.sees('rights', result, column, table)
        grant = re.search(r'GRANT .*;', text)[0]
        equal(grant, f"GRANT {privilege} ({column}) ON "
              f"{s.database.env['DB_NAME']}.{table} TO {s.account()};")
        s.sql.rows(grant.rstrip(';'))
    s.is_well('rights')
    s.hub.ready()


@case("rights: phpIPAM's Events page takes one more, where it is wanted")
def events_right(s):
    copy = s.hub.directory / 'copy.yaml'
    copy.write_text(s.hub.path.read_text() + 'phpipam_log: events\n')
    text = s.sees('rights', WARNING, 'phpipam_log', 'logs', config=copy)
    s.sql.rows(re.search(r'GRANT .*;', text)[0].rstrip(';'))
    s.sees('rights', GOOD, 'has all', config=copy)
    s.sql.rows(f'REVOKE ALL ON logs FROM {s.account()}')
    s.is_well('rights')


@case('extra rights: DELETE, SUPER and the whole database are warned about')
def excess(s):
    name = s.database.env['DB_NAME']
    s.is_well('excess')
    for right, place, words in (
            ('DELETE', 'ipaddresses', 'DELETE on ipaddresses'),
            ('SUPER', '*.*', 'SUPER on the whole server'),
            ('SELECT', f'{name}.*', f'SELECT on all of {name}'),
            ('ALL', f'{name}.*', f'all rights on all of {name}')):
        s.sql.rows(f'GRANT {right} ON {place} TO {s.account()}')
        s.sees('excess', WARNING, words)
        s.sql.rows(f'REVOKE {right} ON {place} FROM {s.account()}')
    s.is_well('excess')


@case('own columns: one that is NOT NULL without a default')
def own_columns(s):
    s.is_well('columns')
    s.sql.rows('ALTER TABLE ipaddresses ADD custom_owner VARCHAR(9) NOT NULL')
    try:
        before = s.next_id(), s.count()
        text = s.sees('columns', ERROR, 'ipaddresses.custom_owner')
        equal((s.next_id(), s.count()), before, 'nothing was inserted')
        s.sql.rows(re.search(r'ALTER TABLE .*;', text)[0].rstrip(';'))
        s.is_well('columns')
    finally:
        s.sql.rows('ALTER TABLE ipaddresses DROP custom_owner')


@case('time zones: a database in another zone than phpIPAM is taken for')
def zones(s):
    s.seen_row('10.0.0.7', ago(5))
    text = s.sees('zones', GOOD, 'the newest lastSeen is')
    assert re.search(r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d, and it is', text), text
    s.sql.rows("SET GLOBAL time_zone = '+02:00'")
    try:
        s.sees('zones', WARNING, '+02:00', '+00:00', 'phpipam_timezone')
        env = {**os.environ, 'TZ': 'XXX-2',
               'STATE_DIRECTORY': str(s.hub.directory)}
        found = s.doctor(env=env)  # this machine has that zone, too
        equal(found['zones'][0][0], GOOD, found['zones'])
    finally:
        s.sql.rows("SET GLOBAL time_zone = 'SYSTEM'")
    s.is_well('zones')


# --- what phpIPAM says --------------------------------------------------------

@case('agents without a key, keys without an agent')
def agents(s):
    s.is_well('agents')
    other = 'AgentX0000000000000000000000000X'
    s.agent(7, 'site-x', other)
    s.sees('agents', WARNING, "'site-x'", 'no key', 'scanner invite')
    s.update('scanAgents', 7, code=None)
    s.sees('agents', WARNING, "'site-x'", 'no code')
    s.sql.rows('DELETE FROM scanAgents WHERE id = 7')
    s.is_well('agents')
    s.update('scanAgents', 3, code=CODE_B.lower())
    s.sees('agents', WARNING, "'site-b'", 'capital letters')
    s.update('scanAgents', 3, code=CODE_B, type='direct')
    s.sees('agents', WARNING, "'site-b'", 'mysql or api')
    s.sql.rows('DELETE FROM scanAgents WHERE id = 3')
    s.sees('agents', WARNING, "'site-b'", 'no scan agent in phpIPAM', CODE_B)
    s.agent(3, 'site-b', CODE_B)
    s.is_well('agents')


@case('subnets that are assigned and cannot be scanned')
def subnets(s):
    s.sees('subnets', GOOD, '1 to scan')
    s.insert('subnets', id=11, subnet='junk', mask='24', sectionId=1,
             scanAgent=2, pingSubnet=1)
    s.sees('subnets', WARNING, '11', 'no usable network')
    s.sql.rows('DELETE FROM subnets WHERE id = 11')
    s.subnet(12, '10.0.0.0/25', masterSubnetId=10, scanAgent=0, pingSubnet=0,
             discoverSubnet=0)
    s.sees('subnets', WARNING, '10 (10.0.0.0/24)', 'split')
    s.sql.rows('DELETE FROM subnets WHERE id = 12')
    s.is_well('subnets')


@case('subnets that nobody scans')
def unscanned(s):
    s.is_well('unscanned')
    s.subnet(13, '10.3.0.0/24', scanAgent=None)
    s.sees('unscanned', WARNING, 'no scan agent', '10.3.0.0/24')
    s.update('subnets', 13, scanAgent=99)
    s.sees('unscanned', WARNING, 'no longer in phpIPAM', '10.3.0.0/24')
    s.update('subnets', 13, scanAgent=1)
    s.sees('unscanned', WARNING, 'direct', '10.3.0.0/24')
    s.update('scanAgents', 1, last_access=wall(ago(60)))
    s.is_well('unscanned')
    for number in range(7):
        s.subnet(20 + number, f'10.4.{number}.0/24', scanAgent=0)
    s.sees('unscanned', WARNING, '10.4.4.0/24 and 2 more')


@case('agents that are silent, with the day of the clean-up')
def silent(s):
    s.is_well('silent')
    last = ago(2 * DAY)
    s.update('scanAgents', 2, last_access=wall(last))
    s.sees('silent', WARNING, "'site-a'", '2 d ago', wall(last),
           wall(last + 7000 * DAY)[:10])
    s.update('scanAgents', 2, last_access=wall(ago(4 * DAY)))
    s.sees('silent', ERROR, "'site-a'", '4 d ago', status=1)
    s.update('scanAgents', 2, last_access=None)
    s.sees('silent', WARNING, "'site-a'", 'never heard of')
    s.update('scanAgents', 2, last_access=wall(ago(0)))
    s.is_well('silent')


@case('a lastSeen in the future, with an example')
def future(s):
    s.seen_row('10.0.0.8', ago(5))
    s.is_well('future')
    ident = s.seen_row('10.0.0.9', ago(-7200))
    s.sees('future', WARNING, '1 of 2', '10.0.0.9')
    s.update('ipaddresses', ident, lastSeen=wall(ago(1)))
    s.is_well('future')
    s.sees('future', GOOD, '2 addresses')


@case('PowerDNS: subnets of which phpIPAM keeps records')
def powerdns(s):
    s.sql.rows(f'REVOKE SELECT (DNSrecords) ON subnets FROM {s.account()}')
    text = s.sees('powerdns', WARNING, 'GRANT SELECT (DNSrecords)')
    s.sql.rows(re.search(r'GRANT .*;', text)[0].rstrip(';'))
    s.sees('powerdns', GOOD, 'no subnet')
    s.update('subnets', 10, DNSrecords=1)
    s.sees('powerdns', WARNING, '10.0.0.0/24')
    s.update('subnets', 10, DNSrecords=0)
    s.is_well('powerdns')


if __name__ == '__main__':
    sys.exit(harness.main(Stage))
