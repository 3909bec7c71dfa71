# SPDX-License-Identifier: MPL-2.0
"""Old scanners of the fault harness: programs that post reports of made-up
hosts to an HTTP door, and write down what they posted and were answered."""

import ipaddress
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True

from http_stage import Answer, entry, exchange, report, request
from peer import now_ms


class Poster:
    """An old scanner: a process that posts reports of made-up hosts, and goes
    on posting one until somebody took it."""

    def __init__(self, base, namespace, port, code, subnet, share):
        self.name, self.subnet = base.name, subnet
        self.path = Path(f'{base}.posts')
        with open(f'{base}.log', 'ab') as log:
            self.process = subprocess.Popen(
                [sys.executable, __file__, str(self.path), str(port), code,
                 str(subnet), str(share)], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, preexec_fn=namespace.enter_as_child)

    def finish(self):
        """No new reports; it ends once the last one was taken."""
        self.process.terminate()

    def is_done(self):
        return self.process.poll() is not None

    def stop(self):
        if not self.is_done():
            self.process.kill()
        self.process.wait()

    def posts(self):
        """[seen ms, addresses, what was answered or None], in order."""
        found = {}
        for line in self.path.read_text().splitlines():
            words = json.loads(line)
            if 'seen' in words:
                found[words['n']] = [words['seen'], words['ips'], None]
            else:
                found[words['n']][2] = words['result']
        return list(found.values())


LEGACY_CIDR = '10.0.16.0/20'
LEGACY_SUBNETS = (20, 21, 22)  # of this network, each another old scanner's
LEGACY_MANUAL = ('10.0.31.251', '10.0.31.252')


def legacy_hosts(n, share):
    """Those in a poster's n-th report: some stay for three reports, others
    are in this one only.  No two posters have one in common."""
    hosts = [*range(n, n + 3), *range(2 * n + 500, 2 * n + 502)]
    first = int(ipaddress.ip_network(LEGACY_CIDR).network_address) + 2
    count = len(LEGACY_SUBNETS)
    return [str(ipaddress.ip_address(first + count * (at % 1300) + share))
            for at in hosts]


def post_once(port, body):
    """applied, queued, refused, or None: it has to be sent again."""
    try:
        answer = Answer(exchange(port, request(body, more=[
            'Accept: application/json']), patience=20))
        return answer.json()['result'] if answer.status == 200 else None
    except (OSError, AssertionError, ValueError):
        return None


def poster(path, port, code, subnet, share):
    ending = []
    signal.signal(signal.SIGTERM, lambda *_: ending.append(True))
    n = 0
    with open(path, 'w', encoding='utf-8', buffering=1) as log:
        while not ending:
            ips = legacy_hosts(n, int(share))
            seen = now_ms() // 1000 * 1000
            results = [entry(ip, seen, subnet=int(subnet)) for ip in ips]
            results += [entry(ip, seen, subnet=int(subnet),
                              hostname='intruder')
                        for ip in LEGACY_MANUAL]
            body = report(*results, subnet=LEGACY_CIDR, code=code)
            log.write(json.dumps({'n': n, 'seen': seen, 'ips': ips
                                  + list(LEGACY_MANUAL)}) + '\n')
            while (result := post_once(int(port), body)) is None:
                time.sleep(0.2)
            log.write(json.dumps({'n': n, 'result': result}) + '\n')
            n += 1
            time.sleep(0.3)


if __name__ == '__main__':
    poster(*sys.argv[1:])
