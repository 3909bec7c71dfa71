#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""What the programs tell the service manager: ready, reloading, stopping, and
that they are alive, which the hub says only while every thread of it is.
Prints TAP."""

import os
import re
import signal
import subprocess
import sys
import time

import harness
from harness import case, equal, host
from manager import Frozen, Manager, thread_named
from service import SHIM, Scanner, Shim

WATCHDOG = 0.4  # seconds; signs of life come every quarter of it


class Stage(harness.Stage):
    """Its hub is run by a manager."""

    def open(self):
        self.manager = None
        super().open()

    def manage(self, hub=None, watchdog=WATCHDOG):
        """Start a hub anew, or a new one, under a manager of its own."""
        hub = hub or self.hub
        manager = Manager(self.directory / f'notify-{time.monotonic_ns()}')
        self.extra.append(manager)
        hub.stop()
        hub.environment = manager.environment(watchdog)
        hub.start()
        hub.environment = {}
        manager.hears('READY=1')
        return manager

    def end_case(self):
        super().end_case()
        if self.hub and self.hub.alive():
            self.hub.stop()


def tell_reload(manager, status):
    notice = manager.hears('RELOADING=1')
    usec = int(re.fullmatch(r'RELOADING=1\nMONOTONIC_USEC=(\d+)', notice)[1])
    age = time.clock_gettime(time.CLOCK_MONOTONIC) - usec / 1e6
    assert 0 <= age < 20, age
    equal(manager.hears('READY=1').split('\n')[1], f'STATUS={status}')


@case('the hub says that it is ready, reloads, and stops')
def hub_life(stage):
    manager = stage.manage(watchdog=None)
    stage.hub.reload()
    tell_reload(manager, 'ok reloaded, 2 keys in the registry')
    stage.hub.process.send_signal(signal.SIGHUP)
    tell_reload(manager, 'ok reloaded, 2 keys in the registry')
    equal(manager.hear(0.5), None, 'without a watchdog nothing more')
    stage.hub.process.terminate()
    manager.hears('STOPPING=1')
    equal(stage.hub.stop(), 0, 'exit status')


@case('a reload that failed is over, too')
def hub_failed_reload(stage):
    manager = stage.manage(watchdog=None)
    stage.hub.write_config('hub: [this is not it]\n')
    stage.hub.process.send_signal(signal.SIGHUP)
    manager.hears('RELOADING=1')
    status = manager.hears('READY=1').split('\n')[1]
    assert status.startswith('STATUS=error not reloaded: '), status


@case('a hub that cannot start is never ready')
def hub_not_ready(stage):
    manager = Manager(stage.directory / 'notify-never')
    stage.extra.append(manager)
    stage.hub.stop()
    stage.hub.write_config('hub: [this is not it]\n')
    done = subprocess.run(stage.hub.command(), capture_output=True,
                          env={**os.environ, **manager.environment()},
                          check=False, timeout=30)
    equal(done.returncode, 78, 'exit status')
    notice = manager.hear(0.2)
    assert notice is None or not notice.startswith('READY'), notice


@case('the hub feeds the watchdog, also while the database is stuck')
def hub_watchdog(stage):
    manager = stage.manage()
    assert manager.count('WATCHDOG=1', 1) >= 5
    pid = int(stage.database.env['DB_PID'])
    os.kill(pid, signal.SIGSTOP)
    try:
        peer = stage.hub.peer()
        peer.send(stage.report().part([host('10.0.0.5')]))
        assert manager.count('WATCHDOG=1', 3) >= 15, stage.hub.log_from()
    finally:
        os.kill(pid, signal.SIGCONT)
    peer.socket.close()


@case('the hub feeds it no longer when a thread of it stands still', long=True)
def hub_stuck(stage):
    other = stage.new_hub('other')
    stage.extra.append(other)
    managers = stage.manage(), stage.manage(other)
    names = 'worker 1', 'authentication'
    try:
        frozen = [Frozen(thread_named(hub.process.pid, name))
                  for hub, name in zip((stage.hub, other), names)]
    except OSError as error:
        raise harness.Skip(f'no thread may be stopped here: {error}')
    for manager, name in zip(managers, names):
        notice = manager.hears('STATUS=', 60)
        assert notice.startswith(f'STATUS={name} has '), notice
        equal(manager.count('WATCHDOG=1', 1), 0, 'signs of life')
    assert 'is stuck' in stage.hub.log_from(), stage.hub.log_from()
    for thread in frozen:
        thread.close()
    for manager in managers:
        manager.hears('STATUS=all is well again')
        manager.hears('WATCHDOG=1')


@case('the scanner says that it is ready, alive, reloads, and stops')
def scanner_life(stage):
    stage.revive()
    manager = Manager(stage.directory / 'notify-scanner')
    stage.extra.append(manager)
    scanner = Scanner(stage)
    scanner.start(**manager.environment(WATCHDOG))
    manager.hears('READY=1\nSTATUS=at work')
    assert manager.count('WATCHDOG=1', 2) >= 1
    scanner.process.send_signal(signal.SIGHUP)
    tell_reload(manager, 'reloaded')
    scanner.configure(interval='never ever')
    scanner.process.send_signal(signal.SIGHUP)
    tell_reload(manager, 'not reloaded, see the log')
    scanner.process.terminate()
    manager.hears('STOPPING=1')
    scanner.close()


@case('the shim says that it is ready, alive, reloads, and stops')
def shim_life(stage):
    stage.revive()
    manager = Manager(stage.directory / 'notify-shim')
    stage.extra.append(manager)
    if not SHIM.exists():
        raise harness.Skip('built without the shim')
    shim = Shim(stage, [harness.CODE_A])
    stage.extra.append(shim)
    shim.start(wait=False, **manager.environment(WATCHDOG))
    manager.hears('READY=1\nSTATUS=takes reports')
    assert manager.count('WATCHDOG=1', 3) >= 1
    shim.process.send_signal(signal.SIGHUP)
    tell_reload(manager, 'reloaded')
    shim.process.terminate()
    manager.hears('STOPPING=1')


if __name__ == '__main__':
    sys.exit(harness.main(Stage, slow=True))
