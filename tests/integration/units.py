#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""The units of packaging/systemd: what systemd says about them, and the
programs in the sandbox that they describe, as far as it can be had without
systemd as process 1 (sandbox.py says how).  Prints TAP."""

import os
import re
import shutil
import signal
import subprocess
import sys

sys.dont_write_bytecode = True

import harness
import http_stage
import sandbox
import service
from harness import case, equal, host, until
from service import Scanner

UNITS = harness.SOURCE / 'packaging' / 'systemd'
HUB, SCANNER, SHIM = (UNITS / f'{name}.service' for name in (
    'scanhubd', 'scanhub-scanner', 'scanhub-shim'))
MOST = {HUB: 1.5, SHIM: 1.5, SCANNER: 2.0}  # exposure
SANITIZED = b'__asan_init' in harness.SCANHUBD.read_bytes()


def own(directory):
    for folder, _, files in os.walk(directory):
        for path in (folder, *(os.path.join(folder, file) for file in files)):
            os.chown(path, sandbox.USER, sandbox.USER, follow_symlinks=False)


class SandboxedHub(harness.Hub):
    """As the unit runs it: it owns its state; what it is given is root's."""

    def command(self):
        return [*sandbox.prefix(HUB, [self.directory]), *super().command()]

    def write_config(self, text=None):
        super().write_config(text)
        own(self.directory)


class Stage(harness.Stage):
    def new_hub(self, name, **config):
        (self.directory / name).mkdir()
        self.directory.chmod(0o755)
        self.database.directory.chmod(0o711)
        hub = SandboxedHub(self.directory / name, self.database, **config)
        hub.scanner('site-a', harness.CODE_A)
        hub.scanner('site-b', harness.CODE_B)
        return hub


def systemd(*args):
    if not shutil.which('systemd-analyze'):
        raise harness.Skip('there is no systemd-analyze')
    return subprocess.run(['systemd-analyze', *map(str, args)], check=False,
                          text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60)


@case('systemd finds nothing wrong with the units')
def verified(stage):
    place = stage.directory / 'units'
    place.mkdir(exist_ok=True)
    for unit in MOST:
        program = re.search(r'^ExecStart=(\S+)', unit.read_text(), re.M)[1]
        stand_in = place / os.path.basename(program)
        shutil.copy('/bin/true', stand_in)
        (place / unit.name).write_text(
            unit.read_text().replace(program, str(stand_in)))
    done = systemd('verify', '--man=no', *(place / one.name for one in MOST))
    equal((done.returncode, done.stdout), (0, ''))


@case('the units expose little')
def exposure(_stage):
    for unit, most in MOST.items():
        said = systemd('security', '--offline=yes', '--no-pager', unit).stdout
        found = re.search(r'Overall exposure level for \S+: ([\d.]+)', said)
        assert found and float(found[1]) <= most, f'{unit}: {said[-300:]}'


@case('the units of the build are those of the sources, with its places')
def built(_stage):
    for unit in MOST:
        text = (harness.BUILD / 'units' / unit.name)
        if not text.exists():
            raise harness.Skip('configured without units')
        text = text.read_text()
        program = re.search(r'^ExecStart=(\S+)', text, re.M)[1]
        equal(os.path.basename(program), unit.stem)
        settings = [line for line in text.splitlines() if '/' not in line]
        equal(settings, [line for line in unit.read_text().splitlines()
                         if '/' not in line])


@case('the hub does its work in its sandbox')
def hub_in_sandbox(stage):
    stage.applied(host('10.0.0.5'))
    equal(stage.count(), 1)
    stage.hub.process.send_signal(signal.SIGHUP)
    until(lambda: 'ok reloaded' in stage.hub.log_from(), 'a reload')
    status = f'/proc/{stage.hub.process.pid}/status'
    text = open(status).read()
    fields = dict(re.findall(r'^(\w+):\s+(\S+)', text, re.M))
    equal((fields['Uid'], fields['Seccomp'], fields['NoNewPrivs'],
           int(fields['CapEff'], 16), int(fields['CapBnd'], 16)),
          (str(sandbox.USER), '2', '1', 0, 0))


@case('a peer without rights gets a clear no from the hub')
def no_rights(stage):
    control = stage.hub.directory / 'control.sock'
    meta = control.stat()
    equal((meta.st_mode & 0o777, meta.st_gid), (0o660, sandbox.USER))
    done = subprocess.run(
        ['setpriv', '--reuid=65533', '--regid=65533', '--clear-groups',
         *map(str, [harness.SCANHUBCTL, '--config', stage.hub.path, 'ping'])],
        text=True, capture_output=True, check=False, timeout=30)
    equal(done.returncode, 77, done.stderr)
    # The configuration itself may be what it must not read.
    stage.hub.path.chmod(0o644)
    done = subprocess.run(done.args, text=True, capture_output=True,
                          check=False, timeout=30)
    equal((done.returncode, done.stdout), (77, ''), done.stderr)
    assert 'control.sock: permission denied: its mode is 0660' in done.stderr \
        and 'as a member of that group' in done.stderr, done.stderr


def scan(stage, **config):
    """A scanner in the sandbox that has scanned six addresses."""
    stage.sql.rows('DELETE FROM subnets')
    stage.subnet(20, '127.0.0.0/29')
    scanner = Scanner(stage, interval=1, **config)
    scanner.prefix = sandbox.prefix(SCANNER, [scanner.directory])
    own(scanner.directory)
    scanner.start()
    stage.extra.append(scanner)
    scanner.says('subnet scanned')
    equal(stage.count(20), 6)
    return scanner


@case('nmap and fping do theirs in the scanner\'s sandbox')
def engines_in_sandbox(stage):
    for engine in 'nmap', 'fping':
        if not shutil.which(engine):
            raise harness.Skip(f'there is no {engine}')
        scan(stage, engine=engine).stop()


@case('the scanner does its work in its sandbox')
def scanner_in_sandbox(stage):
    scanner = scan(stage)
    until(lambda: scanner.status('CapEff') == 0, 'no capability')
    equal((scanner.status('Seccomp'), scanner.status('Uid')),
          (2, sandbox.USER))
    assert 'no right' not in scanner.log(), scanner.log()


@case('the old server\'s file, which is root\'s alone, comes as a credential')
def legacy_file(stage):
    given = stage.directory / 'credentials'
    given.mkdir()
    (given / 'scan_server.yaml').write_text(
        'nofusscomputing_phpipam_scan_server:\n  mysql_host: localhost\n'
        '  mysql_user: u\n  mysql_password: p\n')
    (given / 'scan_server.yaml').chmod(0o440)
    (stage.directory / 'state').mkdir()
    own(given)
    own(stage.directory / 'state')
    said = subprocess.run(
        [*sandbox.prefix(HUB, [stage.directory / 'state']),
         str(harness.SCANHUBD), '-t'], text=True, check=False, timeout=60,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, 'CREDENTIALS_DIRECTORY': str(given),
             'STATE_DIRECTORY': str(stage.directory / 'state'),
             'RUNTIME_DIRECTORY': str(stage.directory / 'state')})
    equal(said.returncode, 0, said.stdout)
    assert f'{given}/scan_server.yaml: good' in said.stdout, said.stdout


@case('the shim does its work in its sandbox')
def shim_in_sandbox(stage):
    stage.agent(4, 'old', http_stage.CODE)
    stage.subnet(20, http_stage.CIDR, scanAgent=4)
    if not service.SHIM.exists():
        raise harness.Skip('built without the shim')
    shim = service.Shim(stage, [http_stage.CODE])
    shim.prefix = sandbox.prefix(SHIM, [shim.directory])
    own(shim.directory)
    stage.extra.append(shim)
    shim.start()
    said = http_stage.Answer(http_stage.exchange(
        shim.port, http_stage.request(http_stage.report(
            http_stage.entry('10.0.7.9')))))
    equal((said.status, stage.count(20)), (200, 1), said)


def may():
    """Why none of this can be tried here, or None."""
    if os.geteuid() != 0:
        return 'only root can play systemd'
    if SANITIZED:
        return 'sanitizers need more than the sandbox allows'
    tried = subprocess.run(['unshare', '--mount', 'true'], check=False)
    return 'no mount namespaces here' if tried.returncode else None


if __name__ == '__main__':
    why_not = may()
    if why_not:
        print(f'1..0 # SKIP {why_not}')
        sys.exit(77)
    sys.exit(harness.main(Stage))
