# SPDX-License-Identifier: MPL-2.0
"""What the fault harness stands on: network namespaces and small disks that
vanish with the process, programs that can be killed and paused and come back,
and the truth about what was scanned.

    hub, database              in the harness's own namespace, at HUB_ADDRESS
      |  veth: what a cut cuts
    site                       scanner and shim, their spools on a small tmpfs
      |  veth
    targets                    the addresses that come and go
"""

import contextlib
import ctypes
import errno
import ipaddress
import os
import re
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import xml.etree.ElementTree as xml
from pathlib import Path

sys.dont_write_bytecode = True

import harness
from harness import BUILD, Database, Hub, die_with_us, free_port
from http_stage import HTTP, TOKEN
from peer import now_ms

SCANNER = BUILD / 'scanner' / 'scanhub-scanner'
SHIM = BUILD / 'shim' / 'scanhub-shim'
END_PATIENCE = 30  # seconds from SIGTERM to the end
HUB_ADDRESS = '10.78.0.1'
TARGETS = '10.77.0.0/16'

LIBC = ctypes.CDLL(None, use_errno=True)
NEW_NS, NEW_USER, NEW_NET = 0x00020000, 0x10000000, 0x40000000


class Unavailable(Exception):
    """This machine does not let us play; the text says why."""


# --- namespaces and disks --------------------------------------------------

def unshare(flags):
    if LIBC.unshare(flags) != 0:
        number = ctypes.get_errno()
        raise Unavailable('network namespaces cannot be made here: '
                          + os.strerror(number))


def tool(*words, namespace=None, **more):
    """Run a program that must succeed, maybe in another namespace."""
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, timeout=60,
        preexec_fn=namespace.enter if namespace else None, **more)
    if done.returncode:
        raise Unavailable(f'{" ".join(words)}: {done.stderr.strip()}')
    return done.stdout


def enter_own_world():
    """Namespaces of our own for network and mounts: all that gets made in
    them ends with this process and its children, however that ends."""
    for program in ('ip', 'mount', 'nmap', 'mariadbd'):
        if not shutil.which(program, path=harness_path()):
            raise Unavailable(f'there is no program {program}')
    user, group = os.geteuid(), os.getegid()
    if user != 0:
        unshare(NEW_USER)
        for name, text in (('setgroups', 'deny'), ('uid_map', f'0 {user} 1'),
                           ('gid_map', f'0 {group} 1')):
            Path(f'/proc/self/{name}').write_text(text)
    unshare(NEW_NET | NEW_NS)
    tool('mount', '--make-rprivate', '/')
    # the pair of veth is only to see that such can be had
    Namespace.own().ip(f'''link set lo up
addr add {HUB_ADDRESS}/32 dev lo
link add try type veth peer name other
link del try
''')


def harness_path():
    return os.environ.get('PATH', '/usr/bin:/bin') + ':/usr/sbin:/sbin'


class Namespace:
    """A network namespace, held by a descriptor."""

    def __init__(self, descriptor):
        self.descriptor = descriptor
        self.path = f'/proc/{os.getpid()}/fd/{descriptor}'

    @classmethod
    def own(cls):
        return cls(os.open('/proc/self/ns/net', os.O_RDONLY))

    @classmethod
    def new(cls):
        own = cls.own()
        unshare(NEW_NET)
        fresh = cls.own()
        own.enter()
        os.close(own.descriptor)
        fresh.ip('link set lo up\n')
        return fresh

    def enter(self):
        """This thread, or a child before exec."""
        if LIBC.setns(self.descriptor, NEW_NET) != 0:
            raise OSError(ctypes.get_errno(), 'setns')

    def enter_as_child(self):
        self.enter()
        die_with_us()

    def ip(self, script):
        tool('ip', '-batch', '-', namespace=self, input=script)


class Disk:
    """A small file system that can be filled."""

    def __init__(self, path, size='12m'):
        self.path = path
        path.mkdir()
        tool('mount', '-t', 'tmpfs', '-o', f'size={size},mode=0700', 'none',
             str(path))
        self.filler = path / 'filler'
        self.until = None
        self.fills = 0

    def fill(self, seconds):
        self.until = time.monotonic() + seconds
        self.fills += 1
        with open(self.filler, 'wb', buffering=0) as file:
            for size in (65536, 4096):
                try:
                    while file.write(b'x' * size) == size:
                        pass
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def empty(self):
        if self.until is not None:
            self.filler.unlink()
            self.until = None

    def tick(self, now):
        if self.until is not None and now >= self.until:
            self.empty()

    def close(self):
        subprocess.run(['umount', '--lazy', str(self.path)], check=False)


# --- addresses that come and go --------------------------------------------

class Subnet:
    """One that a scanner scans.  The first address is always up, so that nmap
    learns how quick answers are; 'width' others are up at a time, each for a
    while, then the next ones: the row of one that is gone stays as the only
    witness of the report that it was in."""

    def __init__(self, ident, cidr, width, pick, section=1):
        self.ident, self.cidr, self.width = ident, cidr, width
        self.section = section
        hosts = [str(host) for host in ipaddress.ip_network(cidr).hosts()]
        self.hosts = [host for at, host in enumerate(hosts) if pick(at)]
        self.always = self.hosts.pop(0)
        self.manual = self.hosts[:2]
        self.at = 0
        self.up = []

    def step(self, dice):
        """Lines for ip: the next ones come, the oldest go."""
        lines = []
        for _ in range(dice.randint(1, 2)):
            fresh = self.hosts[self.at % len(self.hosts)]
            self.at += 1
            if fresh not in self.up:
                self.up.append(fresh)
                lines.append(f'addr add {fresh}/32 dev lo')
        while len(self.up) > self.width:
            lines.append(f'addr del {self.up.pop(0)}/32 dev lo')
        return lines


class Site:
    """A namespace with scanner and shim, and one behind it with the addresses
    that they find."""

    def __init__(self, number, directory, subnets, own):
        self.number, self.subnets, self.own = number, subnets, own
        self.directory = directory
        directory.mkdir()
        self.inside, self.targets = Namespace.new(), Namespace.new()
        self.disk = Disk(directory / 'disk')
        self.until = None
        self.cut_at = None
        self.cuts = 0
        self.connect()

    def connect(self):
        n, inside, targets = self.number, self.inside.path, self.targets.path
        self.own.ip(f'''link add site{n} type veth peer name hub
link set hub netns {inside}
addr add 10.78.{n}.1/30 dev site{n}
link set site{n} up
''')
        self.inside.ip(f'''addr add 10.78.{n}.2/30 dev hub
link add far type veth peer name near
link set near netns {targets}
addr add 10.79.{n}.1/30 dev far
link set far up
route add {TARGETS} via 10.79.{n}.2
''')
        self.join('inside')
        self.targets.ip(f'''addr add 10.79.{n}.2/30 dev near
link set near up
route add blackhole {TARGETS}
''' + ''.join(f'addr add {one.always}/32 dev lo\n' for one in self.subnets))

    def join(self, end):
        if end == 'own':
            self.own.ip(f'link set site{self.number} up\n')
        else:
            self.inside.ip(f'''link set hub up
route replace {HUB_ADDRESS} via 10.78.{self.number}.1
''')

    def cut(self, seconds, end):
        self.until = time.monotonic() + seconds
        self.cut_at = end
        self.cuts += 1
        if end == 'own':
            self.own.ip(f'link set site{self.number} down\n')
        else:
            self.inside.ip('link set hub down\n')

    def mend(self):
        if self.until is not None:
            self.join(self.cut_at)
            self.until = None

    def tick(self, now):
        self.disk.tick(now)
        if self.until is not None and now >= self.until:
            self.mend()

    def step(self, dice):
        lines = [line for one in self.subnets for line in one.step(dice)]
        if lines:
            self.targets.ip('\n'.join(lines) + '\n')
            with open(self.directory / 'addresses.log', 'a',
                      encoding='utf-8') as log:
                log.write(f'{now_ms()} {"; ".join(lines)}\n')


# --- programs that get killed ----------------------------------------------

class Victim:
    """A program that is killed and paused, and comes back.  Subclasses have
    launch(), which gives a Popen."""

    kind = None
    spool = None

    def __init__(self, name, log):
        self.name, self.log = name, Path(log)
        self.process = self.back_at = self.until = None
        self.begin = 0
        self.ending = None  # (deadline, how long it stays away)
        self.kills = self.pauses = self.ends = 0
        self.surprises = []  # how it ended without having been killed

    def spawn(self, words, namespace=None, **more):
        with open(self.log, 'ab') as log:
            return subprocess.Popen(
                [str(word) for word in words], stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, preexec_fn=namespace.
                enter_as_child if namespace else die_with_us, **more)

    def start(self):
        self.process = self.launch()
        self.ending = None
        self.begin = time.monotonic()
        self.back_at = None

    def pid(self):
        """Whom the signals go to; None when there is nobody."""
        running = self.process is not None and self.process.poll() is None
        return self.process.pid if running else None

    def is_fair_game(self):
        return self.pid() is not None and self.until is None

    def kill(self, delay):
        """Without warning; back after so many seconds."""
        os.kill(self.pid(), signal.SIGKILL)
        self.process.wait()
        self.kills += 1
        self.ending = None
        self.back_at = time.monotonic() + delay

    def end(self, delay):
        """In order, as a service manager does."""
        os.kill(self.pid(), signal.SIGTERM)
        self.ends += 1
        self.ending = time.monotonic() + END_PATIENCE, delay

    def pause(self, seconds):
        os.kill(self.pid(), signal.SIGSTOP)
        self.pauses += 1
        self.until = time.monotonic() + seconds

    def resume(self):
        if self.until is not None:
            self.until = None
            if self.pid() is not None:
                os.kill(self.pid(), signal.SIGCONT)

    def tick(self, now):
        if self.until is not None and now >= self.until:
            self.resume()
        if self.back_at is None and self.process.poll() is not None:
            self.back_at = now + (self.ending[1] if self.ending else 0.2)
            self.judge_end(self.process.returncode)
        elif self.ending and self.until is None and now > self.ending[0]:
            self.surprises.append(f'{self.name} does not end when told to')
            self.kill(0)
        if self.back_at is not None and now >= self.back_at:
            self.start()

    def judge_end(self, status):
        told, self.ending = self.ending is not None, None
        if not told:
            self.surprises.append(f'{self.name} ended by itself, status '
                                  f'{status}')
        # At first it may have had no time to get ready for signals.
        elif status and (status != -signal.SIGTERM
                         or time.monotonic() - self.begin > 3):
            self.surprises.append(f'{self.name} ended with status {status}')

    def stop(self):
        """In order."""
        self.resume()
        if self.process:
            self.ending = self.ending or (0, 0)
            self.judge_end(harness.end(self.process))
        self.process = None

    def said(self):
        if not self.log.exists():
            return ''
        return self.log.read_text(errors='replace')

    def waiting(self):
        """Reports in the spool; the program must have ended."""
        if not self.spool or not self.spool.exists():
            return 0
        with contextlib.closing(sqlite3.connect(self.spool)) as file:
            return file.execute('SELECT count(*) FROM report').fetchone()[0]

    def set_aside(self):
        return [path.name for path in self.spool.parent.iterdir()
                if path.name.startswith(f'{self.spool.name}.broken')
                ] if self.spool else []


class HubVictim(Victim):
    kind = 'hub'

    def __init__(self, hub):
        super().__init__(hub.directory.name, hub.log_path)
        self.hub = hub
        self.spool = hub.directory / 'shim.spool'

    def launch(self):
        self.hub.start(wait=False)
        return self.hub.process


class FaultDatabase(Database):
    def start(self):
        """Its parent, a shell, would say aloud who was killed."""
        saved = os.dup(2)
        with open(self.directory.parent / 'private-db.log', 'ab') as log:
            os.dup2(log.fileno(), 2)
        try:
            super().start()
        finally:
            os.dup2(saved, 2)
            os.close(saved)


class DatabaseVictim(Victim):
    """Signals go to mariadbd itself; private-db, its parent, ends with it."""

    kind = 'database'

    def __init__(self, database):
        super().__init__('database', Path(database.directory) / 'db.log')
        self.database = database
        self.process = database.process
        self.ready = True

    def launch(self):
        """As Database.start, without waiting."""
        self.ready = False
        return subprocess.Popen(
            [str(harness.PRIVATE_DB), 'serve', str(self.database.directory),
             '--tz', self.database.zone], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            preexec_fn=die_with_us)

    def pid(self):
        if super().pid() is None or not self.ready:
            return None
        text = (Path(self.database.directory) / 'db.env').read_text()
        return int(re.search(r'^DB_PID=(\d+)$', text, re.M)[1])

    def tick(self, now):
        super().tick(now)
        if not self.ready and select.select([self.process.stdout], [], [],
                                            0)[0]:
            # At its end it says nothing, which is then a surprise.
            self.ready = self.process.stdout.readline() == 'ready\n'

    def kill(self, delay):
        super().kill(delay)
        self.process.stdout.close()

    def connect(self):
        """A session for the harness; it lasts until the next kill."""
        self.database.process = self.process
        self.database.root = harness.Session(self.database)
        return self.database.root


class Keeper(Victim):
    """One with a spool on its site's disk."""

    def __init__(self, name, site):
        super().__init__(name, site.directory / f'{name}.log')
        self.site = site
        self.spool = site.disk.path / f'{name}.spool'


class ScannerVictim(Keeper):
    """A scanner whose nmap is watched."""

    kind = 'scanner'

    def __init__(self, name, site, hubs):
        super().__init__(name, site)
        self.runs = site.directory / f'{name}.runs'
        self.runs.mkdir()
        self.config = site.directory / f'{name}.yaml'
        self.wrapper = site.directory / f'{name}-nmap'
        self.wrapper.write_text(WRAPPER.format(
            runs=str(self.runs), nmap=shutil.which('nmap')))
        self.wrapper.chmod(0o755)
        self.public = make_key(hubs[0], site.directory / f'{name}.cert')
        self.hubs = hub_list(hubs)
        self.write_config(interval=1)

    def write_config(self, interval):
        self.config.write_text(f'''{self.hubs}
key: {self.site.directory}/{self.name}.cert
interval: {interval}
engine: nmap
nmap:
  program: {self.wrapper}
spool: {self.spool}
log_level: info
''')

    def launch(self):
        return self.spawn([SCANNER, '-c', self.config, 'run'],
                          self.site.inside)

    def calm(self):
        """End it in order; when it is started again it will scan everything
        once and no more."""
        self.stop()
        self.write_config(interval=86400)


class ShimVictim(Keeper):
    kind = 'shim'

    def __init__(self, name, site, hubs):
        super().__init__(name, site)
        self.port = free_port()
        self.config = site.directory / f'{name}.yaml'
        self.public = make_key(hubs[0], site.directory / f'{name}.cert')
        self.config.touch(0o600)
        self.config.write_text(f'''{hub_list(hubs)}
key: {site.directory}/{name}.cert
http:
  listen: 127.0.0.1:{self.port}
  spool: {self.spool}
  tokens:
    - label: old-scanners
      token: {TOKEN}
log_level: info
''')

    def launch(self):
        return self.spawn([SHIM, '--config', self.config], self.site.inside)


def make_key(hub, path):
    """A secret certificate; its public key."""
    hub.ctl('keygen', str(path))
    return re.search(r'public-key = "(.{40})"',
                     Path(f'{path}.pub').read_text())[1]


def hub_list(hubs):
    return 'hub:\n' + '\n'.join(f"  - endpoint: {hub.endpoint}\n"
                                f"    key: '{hub.public}'" for hub in hubs)


class FaultHub(Hub):
    """Where every site reaches it; with an HTTP door of its own, and without
    the brake, for hosts go in crowds here and nobody is there to apply it."""

    def __init__(self, directory, database):
        super().__init__(directory, database, http=HTTP,
                         policy='policy: {max_new: off, max_offline: off}')
        self.endpoint = f'tcp://{HUB_ADDRESS}:{self.port}'


# --- what was scanned ------------------------------------------------------

# In nmap's place.  A record is complete under its name before the scanner
# sees the end of the output, so a report that the scanner made has one.
WRAPPER = '''\
#!/usr/bin/python3 -SE
import os, subprocess, sys, time
start = time.time()
asked = sys.stdin.buffer.read()
child = subprocess.Popen(['{nmap}'] + sys.argv[1:], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE)
child.stdin.write(asked)
child.stdin.close()
said = b''
held = b''
while piece := os.read(child.stdout.fileno(), 65536):
    said += piece
    held += piece
    # All but the end goes on at once, so that hosts keep their times.
    at = held.find(b'<runstats>')
    cut = at if at >= 0 else max(0, len(held) - 10)
    os.write(1, held[:cut])
    held = held[cut:]
status = child.wait()
name = '{runs}/%d-%d' % (start * 1000000, os.getpid())
with open(name + '.new', 'wb') as file:
    file.write(b'%d %d %d %d\\n' % (start * 1000, time.time() * 1000, status,
                                   len(asked)))
    file.write(asked + said)
os.rename(name + '.new', name + '.run')
os.write(1, held)
sys.exit(status if status >= 0 else 128 - status)
'''


class Run:
    """One run of nmap, as the wrapper recorded it."""

    def __init__(self, path):
        head, _, rest = path.read_bytes().partition(b'\n')
        self.start, self.end, status, size = (int(w) for w in head.split())
        self.ok = status == 0
        self.asked = rest[:size].decode().split()
        self.first = int(ipaddress.ip_interface(self.asked[0]).ip) \
            if self.asked else 0
        self.up = set()
        for host in self.hosts(rest[size:]):
            if host.find('status').get('state') == 'up':
                self.up.add(host.find('address').get('addr'))

    def hosts(self, text):
        try:
            return xml.fromstring(text).findall('host')
        except xml.ParseError:
            self.ok = False
            return []

    def is_of(self, subnet):
        return self.first in range(
            int(ipaddress.ip_network(subnet.cidr).network_address),
            int(ipaddress.ip_network(subnet.cidr).broadcast_address) + 1)


def read_runs(scanner):
    return sorted((Run(path) for path in scanner.runs.glob('*.run')),
                  key=lambda run: run.start)


KEPT = re.compile(r'report kept\b.* subnet=(\S+).* started=(\d+)')


def kept_runs(scanner, runs, subnets):
    """The runs of which the scanner said that their report is on disk, and
    lines that belong to no run."""
    kept, orphans = [], []
    by_cidr = {one.cidr: [run for run in runs if run.is_of(one)]
               for one in subnets}
    for cidr, started in KEPT.findall(scanner.said()):
        after = [run for run in by_cidr[cidr] if run.start >= int(started)]
        if after and after[0].start - int(started) < 10000:
            kept.append(after[0])
        else:
            orphans.append(f'{scanner.name}: {cidr} {started}')
    return kept, orphans
