# SPDX-License-Identifier: MPL-2.0
"""The real scanhub-scanner and scanhub-shim of a test: directory, key and
configuration, and their runs."""

import os
import re
import subprocess
import time

import harness
from harness import (BUILD, CODE_A, connects, end, equal, free_port, until)
from http_stage import HTTP
from peer import now_ms

SCANNER = BUILD / 'scanner' / 'scanhub-scanner'
SHIM = BUILD / 'shim' / 'scanhub-shim'


class Scanner:
    """A scanhub-scanner with a directory and a key of its own.  'hubs' are
    (endpoint, public key of the hub, SOCKS proxy or None), by default the
    stage's hub; 'keys' is a pair that the hubs know already."""

    def __init__(self, stage, hubs=None, keys=None, prefix=(), **config):
        self.directory = stage.directory / f'scanner-{time.monotonic_ns()}'
        self.directory.mkdir()
        self.name = self.directory.name
        self.prefix = list(prefix)
        self.path = self.directory / 'scanner.yaml'
        self.log_path = self.directory / 'log'
        self.spool = self.directory / 'state' / 'spool'
        self.process = None
        if not keys:
            keys = stage.hub.scanner(self.name, CODE_A)
            stage.hub.reload()
        self.cert = self.directory / 'scanner.cert'
        self.cert.touch(0o600)
        self.cert.write_text(f'curve\n    public-key = "{keys[0]}"\n'
                             f'    secret-key = "{keys[1]}"\n')
        self.hubs = hubs or [(stage.hub.endpoint, stage.hub.public, None)]
        self.settings = {'interval': 1, 'spool': self.spool,
                         'control': self.directory / 'control.sock', **config}
        self.configure()

    def configure(self, **changes):
        """Write the configuration, with changes; None leaves a key out."""
        self.settings.update(changes)
        hubs = ''.join(f"  - endpoint: {endpoint}\n    key: '{public}'\n"
                       + (f"    socks: '{proxy}'\n" if proxy else '')
                       for endpoint, public, proxy in self.hubs)
        self.path.write_text(
            f'hub:\n{hubs}key: {self.cert}\n'
            + ''.join(f'{key}: {value}\n' for key, value
                      in self.settings.items() if value is not None))

    def command(self, *args):
        return [*self.prefix, str(SCANNER), '-c', str(self.path), *args]

    def start(self, **environment):
        with open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen(
                self.command('run'), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env={**os.environ, **environment},
                preexec_fn=harness.die_with_us)

    def run(self, *args, timeout=60, **environment):
        """Another command; standard output and error in one."""
        return subprocess.run(
            self.command(*args), text=True, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=timeout,
            env={**os.environ, **environment})

    def once(self, wait=20):
        """Standard output and error apart; 'took' is in seconds."""
        began = time.monotonic()
        done = subprocess.run(
            self.command('--wait', str(wait), 'once'), text=True, check=False,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=80)
        done.took = time.monotonic() - began
        done.said = done.stdout + done.stderr
        return done

    def log(self):
        return self.log_path.read_text(errors='replace')

    def count(self, text):
        return self.log().count(text)

    def after(self, text, more=1, patience=harness.PATIENCE):
        """Wait until the log has a line more often than now."""
        now = self.count(text)
        until(lambda: self.count(text) >= now + more,
              f'{text!r} {more} times more in\n{self.log()[-3000:]}',
              patience)

    def says(self, text, patience=harness.PATIENCE):
        """Wait until the log has a line."""
        until(lambda: text in self.log(),
              f'{text!r} in\n{self.log()[-3000:]}', patience)

    def status(self, field):
        """A number of /proc/PID/status."""
        text = open(f'/proc/{self.process.pid}/status').read()
        return int(re.search(rf'^{field}:\s+(\w+)', text, re.M)[1],
                   16 if field.startswith('Cap') else 10)

    def descriptors(self):
        return len(os.listdir(f'/proc/{self.process.pid}/fd'))

    def threads(self):
        return len(os.listdir(f'/proc/{self.process.pid}/task'))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process:
            end(self.process)

    def close(self):
        if self.process:
            equal(end(self.process), 0, 'exit status of the scanner')


class Shim:
    """A scanhub-shim before the stage's hub, with a key of its own."""

    def __init__(self, stage, codes, http=HTTP, register=True, prefix=()):
        self.stage, self.hub = stage, stage.hub
        self.directory = stage.directory / f'shim-{now_ms()}'
        self.directory.mkdir()
        self.port = free_port()
        self.path = self.directory / 'shim.yaml'
        self.log_path = self.directory / 'shim.log'
        self.process = None
        self.prefix = list(prefix)
        self.hub.ctl('keygen', str(self.directory / 'shim.cert'))
        text = (self.directory / 'shim.cert.pub').read_text()
        self.public = re.search(r'public-key = "(.{40})"', text)[1]
        self.path.touch(0o600)
        self.path.write_text(f'''\
hub:
  endpoint: {self.hub.endpoint}
  key: '{self.hub.public}'
key: {self.directory}/shim.cert
{http.format(port=self.port, dir=self.directory)}
log_level: debug
''')
        if register:
            words = [word for code in codes for word in ('--code', code)]
            self.hub.ctl('scanner', 'add', 'far', '--shim', *words,
                         '--public-key', self.public)

    def start(self, wait=True, **environment):
        with open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen(
                [*self.prefix, str(SHIM), '--config', str(self.path)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **environment},
                preexec_fn=harness.die_with_us)
        until(lambda: self.process.poll() is not None or connects(self.port),
              'the shim opens')
        if wait:
            until(lambda: 'link to the hub is up' in self.said(), 'the link')

    def said(self, mark=0):
        return self.log_path.read_text()[mark:]

    def stop(self):
        status = harness.end(self.process) if self.process else 0
        self.process = None
        return status

    def close(self):
        status = self.stop()
        entry_path = self.hub.registry / 'far.cert'
        if entry_path.exists():
            entry_path.unlink()
        said = self.said()
        assert status == 0 and 'Sanitizer' not in said \
            and 'runtime error' not in said, (status, said[-3000:])
