# SPDX-License-Identifier: MPL-2.0
"""What the integration tests stand on: a private mariadbd, a real scanhubd in
front of it, and cases that are reported as TAP.

A test program defines functions with @case and ends in
    sys.exit(harness.main(Stage, ...))
Each case starts on fresh tables; a hub that died fails its case and is
started again for the next."""

import atexit
import ctypes
import ipaddress
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import typing
from pathlib import Path

import zmq

from peer import Peer, Report, now_ms

SOURCE = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get('top_builddir', SOURCE)).resolve()
PRIVATE_DB = SOURCE / 'scripts' / 'private-db'
SCANHUBD = BUILD / 'hub' / 'scanhubd'
SCANHUBCTL = BUILD / 'cli' / 'scanhubctl'

PATIENCE = 30       # seconds, for anything that is waited for
CASE_PATIENCE = int(os.environ.get('CASE_PATIENCE', 90))  # for a whole case
LOG_SHOWN = 40      # lines of the hub's log below a failed case

CODE_A = 'AgentA0000000000000000000000000A'
CODE_B = 'AgentB0000000000000000000000000B'


# --- small things -----------------------------------------------------------

def packed(address):
    return ipaddress.ip_address(address).packed


def decimal(address):
    """An address as phpIPAM stores it."""
    return str(int(ipaddress.ip_address(address)))


def wall(ms):
    """Epoch milliseconds as the wall clock of UTC, in seconds."""
    return time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(ms // 1000))


def ago(seconds):
    """Epoch ms of so many seconds ago, at a full second."""
    return (now_ms() // 1000 - seconds) * 1000


def host(address, seen=None, **more):
    """A host entry of a report."""
    return {'ip': packed(address), 'seen': now_ms() if seen is None else seen,
            **more}


def until(condition, what, patience=PATIENCE):
    """Wait for a condition; its value."""
    deadline = time.monotonic() + patience
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f'not within {patience} s: {what}')
        time.sleep(0.02)
    return value


def equal(got, wanted, what=''):
    if got != wanted:
        raise AssertionError(f'{what + ": " if what else ""}got {got!r}, '
                             f'wanted {wanted!r}')


def free_port():
    """Below the range that the kernel takes for outgoing connections."""
    while True:
        port = random.randrange(12000, 20000)
        with socket.socket() as probe:
            if probe.connect_ex(('127.0.0.1', port)) != 0:
                return port


def connects(port):
    with socket.socket() as probe:
        return probe.connect_ex(('127.0.0.1', port)) == 0


def die_with_us():
    """In a child before exec: SIGTERM when the test program is gone."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def end(process, patience=PATIENCE):
    """SIGTERM, wait, at last SIGKILL; the exit status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


def cpu_of(pid):
    """CPU seconds that a process has used."""
    with open(f'/proc/{pid}/stat') as stat:
        fields = stat.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


# --- the database -----------------------------------------------------------

class SqlError(Exception):
    pass


class Session:
    """A client that stays connected, so that transactions can stay open."""

    def __init__(self, database, user=None):
        who = ['--user=root'] if user is None else [
            f'--user={user}', f'--password={database.env["DB_PASSWORD"]}']
        self.process = subprocess.Popen(
            ['mariadb', '--no-defaults', *who,
             f'--socket={database.env["DB_SOCKET"]}',
             '--default-character-set=utf8mb4', '--batch', '--force',
             '--skip-column-names', '--unbuffered', database.env['DB_NAME']],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, preexec_fn=die_with_us)
        self.count = 0

    def rows(self, sql):
        """The result's rows as tuples of texts; NULL is None."""
        self.count += 1
        mark = f'-- end of {self.count} --'
        self.process.stdin.write(f"{sql};\nSELECT '{mark}';\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            line = line.rstrip('\n')
            if line == mark:
                break
            lines.append(line)
        else:
            raise SqlError('the client ended: ' + ' '.join(lines))
        errors = [line for line in lines if line.startswith('ERROR ')]
        if errors:
            raise SqlError(f'{errors[0]} in {sql[:300]}')
        return [tuple(None if field == 'NULL' else field
                      for field in line.split('\t')) for line in lines]

    def row(self, sql):
        rows = self.rows(sql)
        equal(len(rows), 1, f'rows of {sql}')
        return rows[0]

    def value(self, sql):
        return self.row(sql)[0]

    def close(self):
        end(self.process)


def literal(value):
    if value is None:
        return 'NULL'
    if isinstance(value, (int, bool)):
        return str(int(value))
    return "'" + value.replace('\\', '\\\\').replace("'", "\\'") + "'"


class Database:
    """A mariadbd of our own, with phpIPAM's tables and the minimal grants.
    'options' are for private-db, and behind a '--' for mariadbd."""

    def __init__(self, directory, zone='UTC', options=()):
        self.directory = directory
        self.zone = zone
        self.options = options
        self.start()

    def command(self):
        return [str(PRIVATE_DB), 'serve', str(self.directory), '--tz',
                self.zone, *self.options]

    def start(self):
        """Also again after stop: the same socket and rows."""
        self.process = subprocess.Popen(
            self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_us)
        try:
            ready = self.process.stdout.readline() == 'ready\n'
        except BaseException:  # interrupted: who would end it?
            end(self.process)
            raise
        if not ready:
            raise RuntimeError('the private database did not start')
        text = (Path(self.directory) / 'db.env').read_text()
        self.env = dict(re.findall(r'^(\w+)=(.*)$', text, re.M))
        self.root = Session(self)

    def session(self):
        return Session(self)

    def blocked(self):
        """Does a transaction wait for a row lock?  innodb_trx would not do:
        who reads it more often than every 0.1 s sees the same for ever."""
        status = self.root.row(
            "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'")
        return status[1] != '0'

    def cpu(self):
        return cpu_of(self.env['DB_PID'])

    def stop(self):
        self.root.close()
        end(self.process)

    def kill(self):
        """End it by SIGKILL; start works as after stop."""
        os.kill(int(self.env['DB_PID']), signal.SIGKILL)
        self.stop()

    def close(self):
        self.stop()


# --- the hub ----------------------------------------------------------------

class Hub:
    """A scanhubd with a directory of its own."""

    def __init__(self, directory, database, **config):
        self.directory = Path(directory)
        self.database = database
        self.keys = {}
        self.process = None
        self.environment = {}  # of the process, besides ours
        self.config = {'timezone': 'auto', 'policy': '', 'tz': 'UTC0',
                       'workers': 2, 'http': '', 'hub': '', 'log': 'debug',
                       **config}
        self.registry = self.directory / 'scanners'
        self.registry.mkdir(parents=True)
        self.path = self.directory / 'hub.yaml'
        self.log_path = self.directory / 'hub.log'
        self.port = free_port()
        self.http_port = free_port()
        self.metrics_port = free_port()
        self.endpoint = f'tcp://127.0.0.1:{self.port}'
        self.ctl('keygen', str(self.directory / 'hub.cert'))
        text = (self.directory / 'hub.cert.pub').read_text()
        self.public = re.search(r'public-key = "(.{40})"', text)[1]

    def ctl(self, *args, check=True):
        done = subprocess.run(
            [str(SCANHUBCTL), '--config', str(self.path), *args], text=True,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE * 2,
            check=False)
        if check and done.returncode:
            raise AssertionError(f'scanhubctl {" ".join(args)}: exit '
                                 f'{done.returncode}: {done.stderr.strip()}')
        return done

    def http_section(self):
        """The 'http' section; its text may say {port} and {dir}."""
        return self.config['http'].format(port=self.http_port,
                                          dir=self.directory)

    def database_place(self):
        """Where the hub finds the database, as lines of the section."""
        return f'  socket: {self.database.env["DB_SOCKET"]}'

    def command(self):
        return [str(SCANHUBD), '--config', str(self.path)]

    def write_config(self, text=None):
        env = self.database.env
        password = self.directory / 'password'
        password.write_text(env['DB_PASSWORD'])
        password.chmod(0o600)
        self.path.touch(0o600)  # there may be tokens in it
        self.path.write_text(text or f'''\
hub:
  listen: {self.endpoint}
  key: {self.directory}/hub.cert
  registry: {self.registry}
  control: {self.directory}/control.sock
  workers: {self.config['workers']}
  {self.config['hub']}
database:
{self.database_place()}
  name: {env['DB_NAME']}
  user: {env['DB_USER']}
  password_file: {password}
metrics:
  listen: 127.0.0.1:{self.metrics_port}
phpipam_timezone: {self.config['timezone']}
{self.config['policy']}
{self.http_section()}
log_level: {self.config['log']}
''')

    def start(self, wait=True):
        self.write_config()
        with open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen(
                self.command(), stdout=log, stdin=subprocess.DEVNULL,
                stderr=subprocess.STDOUT,
                env={**os.environ, 'TZ': self.config['tz'],
                     'STATE_DIRECTORY': str(self.directory),
                     **self.environment},
                preexec_fn=die_with_us)
        if wait:
            self.ready()

    def ready(self):
        self.ctl('ping', '--wait', str(PATIENCE))

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def cpu(self):
        return cpu_of(self.process.pid)

    def died(self):
        """Did it end without being asked to?"""
        return self.process is not None and self.process.poll() is not None

    def stop(self):
        """Its exit status."""
        status = end(self.process) if self.process else 0
        self.process = None
        return status

    def restart(self, **config):
        status = self.stop()
        self.config.update(config)
        self.start()
        return status

    def policy(self, text):
        """Put a policy in force."""
        if self.config['policy'] != text:
            self.config['policy'] = text
            self.write_config()
            self.reload()

    def reload(self):
        self.ctl('reload')

    def scanner(self, name, *codes, more=''):
        """Register a new key; it is in force after reload or start."""
        public, secret = (key.decode() for key in zmq.curve_keypair())
        self.keys[name] = public, secret
        self.register(name, public, *codes, more=more)
        return public, secret

    def register(self, name, public, *codes, more=''):
        fresh = self.registry / f'.{name}.new'
        lines = ''.join(f'    code = "{code}"\n' for code in codes)
        fresh.write_text(f'metadata\n{lines}{more}curve\n'
                         f'    public-key = "{public}"\n')
        fresh.rename(self.registry / f'{name}.cert')

    def revoke(self, name):
        (self.registry / f'{name}.cert').unlink()

    def peer(self, name='site-a', patience=PATIENCE, **hello):
        return Peer(self.endpoint, self.public, *self.keys[name],
                    patience=patience, **hello)

    def log_from(self, mark=0):
        try:
            return self.log_path.read_bytes()[mark:].decode(errors='replace')
        except FileNotFoundError:
            return ''

    def log_mark(self):
        return len(self.log_path.read_bytes()) if self.log_path.exists() else 0

    def status(self):
        """What the hub says about itself, working or not."""
        done = self.ctl('status', '--json', check=False)
        if done.returncode not in (0, 1):
            raise AssertionError(f'status: {done.stderr.strip()}')
        return json.loads(done.stdout)

    def counter(self, word):
        return self.status()['counters'][word]


# --- the stage that a case is played on --------------------------------------

class Stage:
    """Database and hub; what a test program changes, it overrides."""

    zone = 'UTC'  # mariadbd's own
    hub_config = {}

    def __init__(self):
        # Not under a long TMPDIR: a socket's path may have 107 bytes.
        self.directory = Path(tempfile.mkdtemp('', 'scanhub-test.', '/tmp'))
        self.database = self.hub = None
        self.peers = {}
        self.extra = []  # what a case opened: has close() or stop()

    def open(self):
        self.database = Database(self.directory / 'db', self.zone)
        self.hub = self.new_hub('hub')
        self.reset()
        self.hub.start()

    def new_hub(self, name, **config):
        hub = Hub(self.directory / name, self.database,
                  **{**self.hub_config, **config})
        hub.scanner('site-a', CODE_A)
        hub.scanner('site-b', CODE_B)
        return hub

    def close(self):
        self.end_case()
        status = self.hub.stop() if self.hub and self.hub.alive() else 0
        if self.database:
            self.database.close()
        shutil.rmtree(self.directory, ignore_errors=True)
        return status

    @property
    def sql(self):
        return self.database.root

    # Between cases.

    def end_case(self):
        for peer in self.peers.values():
            peer.socket.close()
        self.peers = {}
        for thing in reversed(self.extra):
            (getattr(thing, 'close', None) or thing.stop)()
        self.extra = []

    def revive(self):
        """Start the hub if it is not running."""
        if not self.hub.alive():
            self.hub.start()

    def reset(self):
        """phpIPAM's stock rows, two agents and one subnet."""
        for table in ('scanAgents', 'subnets', 'ipaddresses', 'nameservers'):
            self.sql.rows(f'TRUNCATE {table}')
        self.sql.rows('UPDATE settings SET updateTags = 0')
        self.sql.rows('DELETE FROM ipTags')
        self.sql.rows("INSERT INTO ipTags (id, type, locked, updateTag) VALUES "
                      "(1, 'Offline', 'Yes', 1), (2, 'Used', 'Yes', 1), "
                      "(3, 'Reserved', 'Yes', 1), (4, 'DHCP', 'Yes', 1)")
        self.insert('scanAgents', id=1, name='localhost', type='direct')
        self.agent(2, 'site-a', CODE_A)
        self.agent(3, 'site-b', CODE_B)
        self.subnet(10, '10.0.0.0/24')

    # Rows.

    def insert(self, table, **columns):
        names = ', '.join(columns)
        values = ', '.join(literal(value) for value in columns.values())
        self.sql.rows(f'INSERT INTO {table} ({names}) VALUES ({values})')

    def agent(self, ident, name, code, type='mysql'):
        self.insert('scanAgents', id=ident, name=name, code=code, type=type)

    def subnet(self, ident, cidr, **columns):
        """A subnet of agent 2, with check and discovery on."""
        network = ipaddress.ip_network(cidr)
        self.insert('subnets', **{
            'id': ident, 'subnet': str(int(network.network_address)),
            'mask': str(network.prefixlen), 'sectionId': 1, 'scanAgent': 2,
            'pingSubnet': 1, 'discoverSubnet': 1, **columns})

    def address(self, address, subnet=10, **columns):
        """A row made by hand; its id."""
        self.insert('ipaddresses', **{'subnetId': subnet,
                                      'ip_addr': decimal(address), **columns})
        return int(self.sql.value('SELECT LAST_INSERT_ID()'))

    def seen_row(self, address, seen, subnet=10, **columns):
        return self.address(address, subnet, lastSeen=wall(seen), **columns)

    def update(self, table, ident, **columns):
        changes = ', '.join(f'{name} = {literal(value)}'
                            for name, value in columns.items())
        self.sql.rows(f'UPDATE {table} SET {changes} WHERE id = {ident}')

    def columns(self, names, address, subnet=10):
        """Some columns of an address: a tuple, or None without such a row."""
        rows = self.sql.rows(f"SELECT {names} FROM ipaddresses WHERE subnetId "
                             f"= {subnet} AND ip_addr = '{decimal(address)}'")
        return rows[0] if rows else None

    def column(self, name, address, subnet=10):
        row = self.columns(name, address, subnet)
        assert row, f'no row for {address} in subnet {subnet}'
        return row[0]

    def times(self, subnet=10):
        return self.sql.row('SELECT lastScan, lastDiscovery FROM subnets '
                            f'WHERE id = {subnet}')

    def count(self, subnet=10):
        return int(self.sql.value('SELECT COUNT(*) FROM ipaddresses WHERE '
                                  f'subnetId = {subnet}'))

    def next_id(self):
        """The id that the next new address gets."""
        return int(self.sql.value(
            "SELECT AUTO_INCREMENT FROM information_schema.tables WHERE "
            "table_schema = DATABASE() AND table_name = 'ipaddresses'"))

    def tables(self):
        """All that is in the tables, but for last_access."""
        return {table: self.sql.rows(f'SELECT {what} FROM {table} ORDER BY id')
                for table, what in (
                    ('scanAgents', 'id, name, description, type, code'),
                    ('subnets', '*'), ('ipaddresses', '*'), ('ipTags', '*'),
                    ('settings', '*'), ('nameservers', '*'), ('logs', '*'))}

    def last_access(self, agent=2):
        return self.sql.value('SELECT last_access FROM scanAgents WHERE id = '
                              f'{agent}')

    # Reports.

    def peer(self, name='site-a'):
        """A session that stays until the case or the hub ends."""
        key = name, self.hub.process.pid
        if key not in self.peers:
            self.peers[key] = self.hub.peer(name)
        return self.peers[key]

    def report(self, subnet=10, cidr='10.0.0.0/24', **fields):
        return Report(subnet, cidr, **fields)

    def hosts(self, *hosts, peer='site-a', **fields):
        """Report hosts in one part; the verdict."""
        message = self.report(**fields).part(list(hosts))
        return self.peer(peer).deliver(message)[0]

    def applied(self, *hosts, **fields):
        verdict = self.hosts(*hosts, **fields)
        equal(verdict['result'], 'applied', f'verdict {verdict}')
        return verdict

    def closing(self, covered=(), report=None, peer='site-a', complete=True,
                up=1, **fields):
        """Send a closing part only; it must be applied."""
        report = report or self.report(**fields)
        message = report.closing(covered, complete=complete, up=up)
        verdict = self.peer(peer).deliver(message)[0]
        equal(verdict['result'], 'applied', f'verdict {verdict}')
        return verdict

    def refused(self, cause, *hosts, touches=True, agent=2, **fields):
        """A report is refused with a cause, and nothing is written but
        last_access, or not even that."""
        if not touches:  # that of the case before is written apart
            time.sleep(0.3)
            self.sql.rows('UPDATE scanAgents SET last_access = NULL')
        before = self.tables()
        verdict = self.hosts(*(hosts or [host('10.0.0.5')]), **fields)
        equal((verdict['result'], verdict.get('cause')), ('refused', cause),
              'verdict')
        if touches:
            until(lambda: self.last_access(agent), 'last_access is written')
        else:
            time.sleep(0.2)
            equal(self.sql.rows('SELECT last_access FROM scanAgents WHERE '
                                'last_access IS NOT NULL'), [], 'last_access')
        equal(self.tables(), before, 'tables')


# --- TAP --------------------------------------------------------------------

CASES = []


class CaseTimeout(BaseException):
    pass


class Skip(Exception):
    """A case cannot be played here; the text says why."""


class Case(typing.NamedTuple):
    name: str
    function: typing.Callable
    patience: int  # seconds
    long: bool     # played in ./check alone


def case(name, patience=CASE_PATIENCE, long=False):
    def take(function):
        CASES.append(Case(name, function, patience, long))
        return function
    return take


def comment(text):
    for line in text.rstrip('\n').split('\n'):
        print('#', line)


def on_alarm(_number, _frame):
    raise CaseTimeout


def on_term(_number, _frame):
    sys.exit(143)


def play(stage, one):
    """One case; what went wrong as text, or None, and why it was skipped."""
    if one.long and too_long():
        return None, TOO_LONG
    mark = stage.hub.log_mark()
    signal.alarm(one.patience)
    fault = skipped = None
    try:
        stage.revive()
        stage.reset()
        stage.hub.policy('')
        one.function(stage)
    except Skip as reason:
        skipped = str(reason)
    except CaseTimeout:
        fault = f'{traceback.format_exc()}\nover {one.patience} s'
    except Exception:
        fault = traceback.format_exc()
    finally:
        signal.alarm(0)
    try:
        stage.end_case()
        if stage.hub.died():
            status = stage.hub.stop()
            fault = (fault or '') + f'\nthe hub died with status {status}'
    except Exception:
        fault = (fault or '') + traceback.format_exc()
    if fault:
        log = stage.hub.log_from(mark).splitlines()[-LOG_SHOWN:]
        fault += '\nthe hub\'s log:\n' + '\n'.join(log)
    return fault, skipped


def secrets_in_logs(stage):
    """Which logs of our programs, below the stage's directory, have a secret in
    them; for people."""
    secrets = {stage.database.env['DB_PASSWORD'],
               *(pair[1] for pair in stage.hub.keys.values())}
    for path in stage.directory.glob('*/*.cert'):
        secrets.update(re.findall(r'secret-key = "(.{40})"', path.read_text()))
    for path in stage.directory.glob('*/*.yaml'):
        # Short ones are words that a log may well have.
        secrets.update(re.findall(
            r'(?:auth_token|token|password): *["\']?([^\s"\',}]{8,})',
            path.read_text(errors='replace')))
    return [f'{path.name}: {secret[:4]}...'
            for path in stage.directory.glob('*/*.log') for secret in secrets
            if secret in path.read_text(errors='replace')]


def show(number, name, fault, skipped=None):
    reason = f' # SKIP {skipped}' if skipped and not fault else ''
    print(f'{"not ok" if fault else "ok"} {number} - {name}{reason}',
          flush=True)
    if fault:
        comment(fault)


TOO_LONG = 'takes long; ./check plays it, or SCANHUB_LONG=1'


def too_long():
    """Is what takes long left out, as in a plain "make check"?"""
    return os.environ.get('SCANHUB_LONG') != '1' and len(sys.argv) < 2


def too_slow():
    """And what is played under sanitizers as well, as ./check does it?"""
    return os.environ.get('SCANHUB_LONG') != 'slow' and too_long()


def leave_out(name):
    """The whole program is not for "make check"; the exit status."""
    print(f'1..0 # SKIP {name} {TOO_LONG}')
    return 77


def main(kind=Stage, long=False, slow=False):
    """Play all cases, or those whose names have a word of the command line
    in them; the exit status.  A long program is played in ./check alone, and
    there once; a slow one in ./check alone, and under sanitizers, too."""
    if (long and too_long()) or (slow and too_slow()):
        return leave_out(os.path.basename(sys.argv[0]))
    signal.signal(signal.SIGALRM, on_alarm)
    signal.signal(signal.SIGTERM, on_term)
    cases = [one for one in CASES if len(sys.argv) < 2
             or any(word in one.name for word in sys.argv[1:])]
    stage = kind()
    closed = []

    def close():
        if not closed:
            closed.append(True)
            return stage.close()
        return 0

    atexit.register(close)
    try:
        stage.open()
    except Exception:
        comment(traceback.format_exc())
        if stage.hub:
            comment(stage.hub.log_from())
        print('Bail out! no stage to play on')
        return 1
    failed = 0
    for number, one in enumerate(cases, 1):
        fault, skipped = play(stage, one)
        failed += bool(fault)
        show(number, one.name, fault, skipped)
    log = stage.hub.log_from()
    leaks = secrets_in_logs(stage)
    status = close()
    fault = None
    if status:
        fault = f'exit status {status}; the hub\'s log ends:\n{log[-4000:]}'
    elif 'runtime error:' in log or 'Sanitizer' in log:
        fault = 'a sanitizer spoke:\n' + log[-4000:]
    elif leaks:
        fault = 'secrets are in the log: ' + ', '.join(leaks)
    show(len(cases) + 1, 'the hub ends in order', fault)
    print(f'1..{len(cases) + 1}')
    return 1 if failed or fault else 0
