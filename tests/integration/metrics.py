#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""The hub's /metrics, /livez and /readyz, and the files that are made for them:
asked of a real hub, and judged by promtool where it is installed."""

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time

from harness import (SCANHUBD, SOURCE, Skip, Stage, case, equal,
                     host, main, until, wall)
from peer import now_ms

PACKAGING = SOURCE / 'packaging'
SAMPLE = re.compile(r'^(scanhub_\w+)(?:\{(.*)\})? (\S+)$')


class MetricsStage(Stage):

    def ask(self, path='/metrics', method='GET', port=None, **headers):
        """Status, headers and body."""
        link = http.client.HTTPConnection('127.0.0.1',
                                          port or self.hub.metrics_port,
                                          timeout=15)
        try:
            link.request(method, path, headers=headers)
            answer = link.getresponse()
            return answer.status, dict(answer.getheaders()), \
                answer.read().decode()
        finally:
            link.close()

    def metrics(self):
        """{name{labels}: value}"""
        status, headers, text = self.ask()
        equal(status, 200, text)
        equal(headers['Content-Type'],
              'text/plain; version=0.0.4; charset=utf-8')
        found = {}
        for line in text.splitlines():
            if line.startswith('#'):
                continue
            match = SAMPLE.match(line)
            assert match, line
            name = match[1] + ('{%s}' % match[2] if match[2] else '')
            assert name not in found, f'twice: {line}'
            found[name] = float(match[3])
        return found

    def value(self, name):
        return self.metrics()[name]

    def scanned(self):
        self.hub.reload()
        until(lambda: any(one['subnet'] == 10 for one in
                          self.hub.status()['subnets']), 'the subnet')
        self.applied(host('10.0.0.5'))
        self.closing()


def promtool(*words, text=None):
    """Its output, or Skip."""
    program = shutil.which('promtool')
    if not program:
        raise Skip('promtool is not there (package prometheus)')
    done = subprocess.run([program, *words], input=text, text=True,
                          capture_output=True, check=False, timeout=60)
    equal(done.returncode, 0, done.stdout + done.stderr)
    return done.stdout + done.stderr


@case('promtool has nothing to say')
def _(s):
    s.scanned()
    s.update('subnets', 10, isFolder=1)
    s.refused('subnet-folder')
    equal(promtool('check', 'metrics', text=s.ask()[2]), '')


@case('what reports do is counted')
def _(s):
    s.hub.restart()
    s.scanned()
    found = s.metrics()
    for name, value in (
            ('scanhub_report_parts_total{door="curve",result="applied"}', 2),
            ('scanhub_report_parts_total{door="http",result="applied"}', 0),
            ('scanhub_hosts_total{outcome="added"}', 1),
            ('scanhub_verdict_seconds_count', 2),
            ('scanhub_verdict_seconds_bucket{le="+Inf"}', 2),
            ('scanhub_transaction_seconds_count', 2),
            ('scanhub_database_up', 1), ('scanhub_ready', 1),
            ('scanhub_door_open', 1), ('scanhub_registry_keys', 2),
            ('scanhub_scanner_connected{scanner="site-a"}', 1),
            ('scanhub_scanner_connected{scanner="site-b"}', 0),
            ('scanhub_scanner_spool_reports{scanner="site-a"}', 0),
            ('scanhub_scanners_unlisted', 0),
            ('scanhub_scanners{state="connected"}', 1),
            ('scanhub_subnets{state="scanned"}', 1)):
        equal(found[name], value, name)
    at = time.time()
    seen = found['scanhub_scanner_last_seen_timestamp_seconds'
                 '{scanner="site-a"}']
    assert at - 5 < seen <= at + 1, seen
    assert at - 60 < found['scanhub_start_time_seconds'] <= at
    assert at - 60 < found['scanhub_assignments_read_timestamp_seconds'] <= at
    assert 0 < found['scanhub_open_fds'] < found['scanhub_max_fds']
    assert found['scanhub_memory_bytes'] > 1e6
    buckets = [value for name, value in found.items()
               if name.startswith('scanhub_verdict_seconds_bucket')]
    equal(buckets, sorted(buckets))
    s.update('subnets', 10, isFolder=1)
    s.refused('subnet-folder')
    equal(s.value('scanhub_report_refusals_total'
                  '{cause="subnet-folder",final="true"}'), 1)
    equal(s.value('scanhub_report_refusals_total'
                  '{cause="maintenance",final="false"}'), 0)


@case('a handshake that is refused, and a beat')
def _(s):
    name = 'scanhub_handshakes_refused_total{reason="unknown_key"}'
    before = s.value(name)
    s.hub.scanner('stranger')
    s.hub.revoke('stranger')
    s.hub.reload()
    public, secret = s.hub.keys['stranger']
    try:
        s.hub.peer('stranger', patience=1).socket.close()
    except Exception as fault:  # whatever it is, it is not in
        print('#', type(fault).__name__)
    until(lambda: s.value(name) > before, 'it counts')
    equal(s.value('scanhub_pending_keys'), 1)
    assert public not in s.ask()[2] and secret not in s.ask()[2]
    s.peer().send({'v': 1, 't': 'beat', 'now': now_ms() + 30000, 'spool': 7,
                   'running': 1})
    spool = 'scanhub_scanner_spool_reports{scanner="site-a"}'
    until(lambda: s.value(spool) == 7, 'the spool')
    skew = s.value('scanhub_scanner_clock_skew_seconds{scanner="site-a"}')
    assert 29 < skew < 31, skew


@case('agents: last access, and when their addresses go')
def _(s):
    s.agent(9, 'odd "name"\\', 'AgentC0000000000000000000000000C')
    s.subnet(11, '10.0.1.0/24', scanAgent=9)
    seen = now_ms() // 1000 - 3 * 86400
    s.update('scanAgents', 9, last_access=wall(seen * 1000))
    s.hub.reload()
    labels = r'{agent_id="9",agent="odd \"name\"\\"}'
    until(lambda: s.metrics().get(
        'scanhub_agent_last_access_timestamp_seconds' + labels) == seen,
          'the access')
    equal(s.value('scanhub_agent_deletion_timestamp_seconds' + labels),
          seen + 7 * 86400)


@case('no secret, no key, no code, and no path is told')
def _(s):
    s.scanned()
    text = s.ask()[2]
    keys = [key for pair in s.hub.keys.values() for key in pair]
    for word in (*keys, s.hub.public, 'AgentA000', str(s.directory), '10.0.0.'):
        assert word not in text, word


@case('/livez, /readyz, HEAD, and what is not there')
def _(s):
    equal(s.ask('/livez')[::2], (200, 'alive\n'))
    equal(s.ask('/readyz')[::2], (200, 'ready\n'))
    status, headers, body = s.ask('/metrics', 'HEAD')
    equal((status, body), (200, ''))
    assert int(headers['Content-Length']) > 1000, headers
    for path in ('/', '/metrics/', '/metricsx', '/../etc/passwd',
                 '/' + 'x' * 3000):
        equal(s.ask(path)[0], 404, path)
    equal(s.ask('/metrics?x=1')[0], 200)
    for method in ('POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'FOO'):
        status, headers, _ = s.ask('/metrics', method)
        equal((status, headers.get('Allow')), (405, 'GET, HEAD'), method)


@case('without its database the hub is alive and not ready')
def _(s):
    hub = s.new_hub('lonely')
    s.extra.append(hub)
    hub.database_place = lambda: f'  socket: {hub.directory}/none.sock'
    hub.start(wait=False)
    until(lambda: hub.ctl('hub', check=False) is not None and
          answers(hub.metrics_port), 'it listens')
    equal(s.ask('/livez', port=hub.metrics_port)[0], 200)
    status, _, text = s.ask('/readyz', port=hub.metrics_port)
    equal(status, 503)
    assert str(hub.directory) not in text, text
    text = s.ask(port=hub.metrics_port)[2]
    assert 'scanhub_database_up 0\n' in text, text
    assert 'scanhub_ready 0\n' in text, text


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(('127.0.0.1', port)) == 0


@case('those who say nothing, or too much, keep nobody out for long')
def _(s):
    address = ('127.0.0.1', s.hub.metrics_port)
    silent = [socket.create_connection(address) for _ in range(24)]
    for number, one in enumerate(silent[:10]):
        one.send(b'GET /metrics HTTP/1.1\r\nX: ' + b'y' * number)
    began = time.monotonic()
    equal(s.ask('/livez')[0], 200)
    took = time.monotonic() - began
    assert took < 5, took
    print(f'# {took:.1f} s beside 24 silent connections')
    for one in silent:
        one.close()
    with socket.create_connection(address) as loud:
        loud.settimeout(15)
        loud.sendall(b'GET / HTTP/1.1\r\n')
        try:
            for _ in range(2000):
                loud.sendall(b'X: ' + b'y' * 1000 + b'\r\n')
            data = loud.recv(100)
        except OSError:
            data = b''
        assert not data or data.split(b' ')[1] in (b'413', b'431', b'400',
                                                   b'414'), data
    equal(s.ask('/livez')[0], 200)


@case('a port that somebody has: an error if it was asked for, else a warning')
def _(s):
    hub = s.new_hub('second')
    s.extra.append(hub)
    hub.metrics_port = s.hub.metrics_port
    hub.start(wait=False)
    equal(hub.process.wait(30), 71)
    assert 'choose another one with metrics.listen' in hub.log_from()
    hub.process = None
    text = hub.path.read_text()
    hub.path.write_text(re.sub(r'metrics:\n.*\n',
                               'metrics: {listen: off}\n', text))
    done = subprocess.run([str(SCANHUBD), '--config', str(hub.path), '-t'],
                          capture_output=True, text=True, check=False)
    equal(done.returncode, 0, done.stderr)
    # The default one, which nobody has asked for.
    with socket.socket() as other:
        try:
            other.bind(('127.0.0.1', 9766))
            other.listen()
        except OSError:
            pass  # somebody has it, which does as well
        hub.path.write_text(text.split('metrics:')[0])
        with open(hub.log_path, 'ab') as log:
            hub.process = subprocess.Popen(hub.command(), stdout=log,
                                           stderr=subprocess.STDOUT,
                                           env={**os.environ, 'STATE_DIRECTORY':
                                                str(hub.directory)})
        hub.ready()
    line = next(line for line in hub.log_from().splitlines()
                if 'no /metrics' in line)
    assert ' warning ' in line and '127.0.0.1:9766' in line, line


@case('off is off')
def _(s):
    hub = s.new_hub('quiet')
    s.extra.append(hub)
    write = hub.write_config

    def without(text=None):
        write(text)
        hub.path.write_text(re.sub(r'metrics:\n.*\n',
                                   'metrics: {listen: off}\n',
                                   hub.path.read_text()))
    hub.write_config = without
    hub.start()
    assert not answers(hub.metrics_port)
    equal(hub.status()['hub']['metrics'], [])


def names_in(text):
    return set(re.findall(r'\bscanhub_\w+', text))


@case('dashboard and alerts name nothing that is not there')
def _(s):
    s.scanned()
    s.update('subnets', 10, isFolder=1)
    s.refused('subnet-folder')
    have = names_in(s.ask()[2])
    for file in ('grafana-dashboard.json', 'prometheus-alerts.yaml'):
        wanted = names_in((PACKAGING / file).read_text())
        assert len(wanted) > 8, file
        equal(wanted - have, set(), file)
    board = json.loads((PACKAGING / 'grafana-dashboard.json').read_text())
    ids = [panel['id'] for panel in board['panels']]
    equal(len(ids), len(set(ids)), 'ids of panels')
    for panel in board['panels']:
        place = panel['gridPos']
        assert 0 <= place['x'] and place['x'] + place['w'] <= 24, panel
        assert panel['type'] == 'row' or panel['targets'], panel


@case('promtool takes the alerts, and they fire when they should')
def _(s):
    rules = PACKAGING / 'prometheus-alerts.yaml'
    said = promtool('check', 'rules', str(rules))
    assert 'SUCCESS' in said, said
    tests = SOURCE / 'tests' / 'integration' / 'alerts.yaml'
    copy = s.directory / 'alerts'
    copy.mkdir(exist_ok=True)
    for file in (rules, tests):
        shutil.copy(file, copy)
    said = promtool('test', 'rules', str(copy / 'alerts.yaml'))
    assert 'SUCCESS' in said, said


@case('promtool takes every expression of the dashboard')
def _(s):
    board = json.loads((PACKAGING / 'grafana-dashboard.json').read_text())
    rules = [{'record': f'panel:{panel["id"]}:{number}',
              'expr': target['expr'].replace('$instance', '.*')}
             for panel in board['panels']
             for number, target in enumerate(panel['targets'])]
    file = s.directory / 'dashboard.json'  # JSON is YAML
    file.write_text(json.dumps({'groups': [{'name': 'g', 'rules': rules}]}))
    assert 'SUCCESS' in promtool('check', 'rules', str(file))


if __name__ == '__main__':
    sys.exit(main(MetricsStage))
