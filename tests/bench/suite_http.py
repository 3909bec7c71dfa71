# SPDX-License-Identifier: MPL-2.0
"""The HTTP door of the hub, beside a bare libmicrohttpd that reads a body and
answers 200.  The client is the same for both: a report of a /24 as the older
agent's scanner sends it, a connection for each.

A request that the door refuses for its token shows what the door alone costs.
One that is accepted is answered after the COMMIT, which the bare server knows
nothing of; so the same reports over CURVE, too, stand beside it."""

import json
import subprocess

import benchlib
import estate
import harness

CLIENTS = 16        # that wait for an answer at a time, and a scanner's window
TOKEN = 'a-token-of-the-benchmark'
DOOR = f'''\
http:
  listen: 127.0.0.1:{{port}}
  spool: {{dir}}/shim.spool
  tokens:
    - label: bench
      token: {TOKEN}
'''
STAMP = '@' * 19    # http-load puts the time there
SCANNER = 1         # of an agent that has no key


def report(subnet):
    """The JSON of a report of all hosts of a subnet that have rows."""
    base = estate.FIRST + 256 * subnet
    results = [{'subnetId': str(subnet), 'lastSeen': STAMP,
                'ip': str(estate.ipaddress.ip_address(base + host))}
               for host in range(1, estate.ROWS + 1)]
    return json.dumps({'code': estate.code(SCANNER), 'scan': {
        'subnet': estate.network(subnet), 'results': results, 'tz': '+0000'}})


def request(body, token):
    lines = ('POST / HTTP/1.1', 'Host: 127.0.0.1:5000',
             'User-Agent: nfc-phpipam-scan-agent/0.4.0',
             f'Authorization: Bearer {token}',
             'Content-Type: application/json', 'Accept: application/json',
             'Connection: close', f'Content-Length: {len(body)}')
    return '\r\n'.join(lines) + '\r\n\r\n' + body


class Requests:
    """Files with a request for each subnet."""

    def __init__(self, directory, subnets):
        directory.mkdir()
        self.good, self.bad = [], []
        for subnet in subnets:
            for kind, token, into in (('good', TOKEN, self.good),
                                      ('bad', 'not-the-token', self.bad)):
                path = directory / f'{subnet}.{kind}'
                path.write_text(request(report(subnet), token))
                into.append(path)


class BareServer:
    def __init__(self):
        self.process = subprocess.Popen(
            [str(benchlib.BENCH / 'bare-http')], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, text=True,
            preexec_fn=harness.die_with_us)
        self.port = int(self.process.stdout.readline())

    def close(self):
        harness.end(self.process)
        self.process.stdout.close()


class Posts:
    """Blocks of posts to one server."""

    def __init__(self, port, text, files, seconds, clients=CLIENTS):
        self.arguments = (port, text, clients, seconds, *files)
        self.latency = []

    def __call__(self):
        got = benchlib.program('http-load', *self.arguments)
        if got['others'] or not got['answered']:
            raise RuntimeError(f'answers that were not expected: {got}')
        self.latency.append(got['latency_ms'])
        return got['rate']


def curve(place, seconds):
    """The reports of the other agent, by a scanner of today: hosts and closing
    part, as the door makes of a post."""
    got = place.swarm(scanners=1, window=CLIENTS, seconds=seconds,
                      closing=True, hosts=f'1-{estate.ROWS}')
    if got['refused'] or got['lost'] or not got['applied']:
        raise RuntimeError(f'reports went wrong: {got}')
    return got['rate']


def measure(bench, place, files, bare):
    seconds, blocks = (3, 7) if bench.full else (0.3, benchlib.BLOCKS)
    port = place.hub.http_port
    sides = {
        'bare': Posts(bare.port, ' 200 ', files.good, seconds),
        'refused': Posts(port, ' 401 ', files.bad, seconds),
        'accepted': Posts(port, '"applied"', files.good, seconds),
        'curve': lambda: curve(place, seconds),
    }
    for play in sides.values():
        play()  # once to warm up
    got = bench.turns(sides, blocks)
    for name, side, floor in (
            ('HTTP: posts refused for their token', 'refused', 'bare'),
            ('HTTP: reports committed', 'accepted', 'bare'),
            ('HTTP: reports committed, the same over CURVE as floor',
             'accepted', 'curve')):
        bench.judge(name, 'posts/s', {'ours': got[side], 'floor': got[floor]},
                    clients=CLIENTS, bytes=files.good[0].stat().st_size,
                    latency_ms=sides[side].latency[1:])


def run(bench):
    if not (benchlib.BENCH / 'bare-http').exists():
        raise benchlib.Unavailable('built without the HTTP shim')
    place = estate.Estate(bench, 'http', subnets=256, agents=2, log='info')
    bare = BareServer()
    try:
        files = Requests(place.directory / 'requests',
                         range(SCANNER, place.subnets, place.agents))
        # Agent 0 alone has a key: codes that have one are not the door's.
        place.start_hub(keys=1, http=DOOR)
        measure(bench, place, files, bare)
    finally:
        bare.close()
        place.close()
