#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Memory is above its ceiling: the key that filled it is put off, however it
hides, and no other."""

import os
import sys
import time

sys.dont_write_bytecode = True

import msgpack
import zmq

from harness import (CODE_A, SCANHUBD, Stage, case, equal, host, main, now_ms,
                     until)
from rawpeer import MORE, RawPeer, Refused

SANITIZED = b'__asan_init' in SCANHUBD.read_bytes()
CEILING = 400 if SANITIZED else 160  # MiB
CROWD = 132  # more than the holders that are looked at
HELLO = msgpack.packb({'v': 1, 't': 'hello', 'now': now_ms(),
                       'version': 'evil'})

if SANITIZED:  # else what is freed stays in memory
    os.environ['ASAN_OPTIONS'] = ':'.join(
        [os.environ.get('ASAN_OPTIONS', ''), 'quarantine_size_mb=8'])


class Blame(Stage):
    def ceiling(self, name, scanners=()):
        hub = self.new_hub(name, hub=f'memory_ceiling: {CEILING}')
        for one in scanners:
            hub.scanner(one, CODE_A)
        self.extra.append(hub)
        hub.start()
        return hub

    def back(self, hub, name):
        """A session as soon as the door is open again."""
        def again():
            try:
                return hub.peer(name, 2)
            except (TimeoutError, zmq.Again):
                return None
        peer = until(again, 'it is let in', 20)
        self.extra.append(peer.socket)
        return peer

    def raw(self, hub, name, hello=False):
        """A connection of that key."""
        raw = RawPeer(hub.port)
        self.extra.append(raw)
        raw.handshake(hub.public, *hub.keys[name])
        if hello:
            raw.send(HELLO)
            raw.receive()
        return raw

    def blamed(self, hub, raw, until_closed=60):
        """Send a message without an end; who is put off for it."""
        mark = hub.log_mark()
        blob, over = bytes(200_000), time.monotonic() + until_closed
        try:
            while time.monotonic() < over:
                raw.send(blob, MORE)
        except (OSError, Refused):
            pass
        until(lambda: 'memory is above its ceiling' in hub.log_from(mark),
              'the ceiling is reached', 10)
        until(lambda: 'a key is put off' in hub.log_from(mark), 'put off', 5)
        equal(hub.log_from(mark).count('memory is above its ceiling'), 1)
        keys = {public: name for name, (public, _) in hub.keys.items()}
        return [keys[line.split(' key=')[1].split(' ')[0].strip('"')]
                for line in hub.log_from(mark).splitlines()
                if 'a key is put off' in line]


@case('an idle session does not hide another connection, nor blame a neighbour')
def _(s):
    hub = s.ceiling('idle')
    idle = hub.peer('site-b', 20)
    s.extra.append(idle.socket)
    s.raw(hub, 'site-a').close()  # let in, and gone
    time.sleep(0.2)
    equal(s.blamed(hub, s.raw(hub, 'site-b')), ['site-b'])
    peer = s.back(hub, 'site-a')
    equal(peer.deliver(s.report().part([host('10.0.0.5')]))[0]['result'],
          'applied')


@case('a connection whose session another one has now')
def _(s):
    hub = s.ceiling('moved')
    s.raw(hub, 'site-a').close()
    raw = s.raw(hub, 'site-b', hello=True)
    s.raw(hub, 'site-b', hello=True)
    s.raw(hub, 'site-a').close()
    equal(s.blamed(hub, raw), ['site-b'])


@case('many honest scanners that have sent some do not hide the one')
def _(s):
    names = [f'h{at}' for at in range(CROWD)]
    hub = s.ceiling('crowd', names)
    peers = []
    for name in names:
        peers.append(hub.peer(name, 30))
        s.extra.append(peers[-1].socket)
    for at, peer in enumerate(peers):
        message = s.report().part([host('10.0.0.7')])
        message['x'] = bytes(80_000)
        equal(peer.deliver(message)[0]['result'], 'applied')
    equal(s.blamed(hub, s.raw(hub, 'site-b', hello=True)), ['site-b'])


if __name__ == '__main__':
    sys.exit(main(Blame, long=True))
