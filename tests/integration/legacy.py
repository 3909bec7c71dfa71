#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Reports of the older agent's scanners over HTTP, and what is in phpIPAM's
tables afterwards; its server's configuration file; the queue on disk; TLS;
and scanhub-shim, the same door at a remote site."""

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import warnings
from pathlib import Path

sys.dont_write_bytecode = True

import harness
from harness import (BUILD, CODE_A, PATIENCE, SCANHUBD, SOURCE, Hub, Skip, ago,
                     case, connects, equal, free_port, host, until, wall)
from http_stage import (AGENT, BOUND, CIDR, CODE, DOOR, HTTP, OTHER,
                        OTHER_AGENT, SUBNET, TOKEN, Answer, Door, entry,
                        epoch_ms, read_all, report, request, tool)
from peer import now_ms
from service import SHIM, Shim

SAMPLES = SOURCE / 'tests' / 'legacy-reports'
MADE = '-- autodiscovered --'
PORT_5766 = 5766  # where CURVE listens with the old server's file
CONFIG = 78


class Legacy(Door):
    def sample(self, name):
        """Post a sample body; its text and what it was answered with."""
        body = (SAMPLES / f'{name}.json').read_text()
        answer = self.send(request(body, more=['Accept: application/json']))
        return json.loads(body)['scan'], answer

    def addresses(self, subnet=SUBNET):
        """The subnet's addresses in ascending order, as texts."""
        rows = self.sql.rows('SELECT ip_addr FROM ipaddresses WHERE subnetId '
                             f'= {subnet} ORDER BY ip_addr + 0')
        return [str(harness.ipaddress.ip_address(int(row[0])))
                for row in rows]

    def forget_times(self):
        self.sql.rows('UPDATE subnets SET lastScan = NULL, lastDiscovery = '
                      'NULL, editDate = editDate')

    def status_of(self, *results, **fields):
        return self.post(*results, **fields).status

    def shim(self, *codes, **more):
        """A scanhub-shim with an entry of its own, in force and linked."""
        shim = Shim(self, codes, **more)
        self.extra.append(shim)
        shim.start()
        return shim


def not_later(ms):
    """What a time becomes if it has not been yet: at most the present."""
    return min(ms, now_ms())


def near(text, moment, seconds=5):
    """Is a wall clock's text of about this moment?"""
    assert text and wall(moment - seconds * 1000) <= text \
        <= wall(moment + seconds * 1000), (text, wall(moment))


# --- sample bodies ----------------------------------------------------------

@case('sample: hosts with ids; network and broadcast are refused')
def _(s):
    s.subnet(2, '127.0.0.8/29', scanAgent=AGENT)
    sample, answer = s.sample('scan-8hosts-id-known')
    counts = answer.json()
    equal((counts['result'], counts['new'], counts['hosts_refused']),
          ('applied', 6, 2))
    equal([one['cause'] for one in counts['refused']],
          ['host-network', 'host-broadcast'])
    equal(s.addresses(2), [f'127.0.0.{at}' for at in range(9, 15)])
    seen = wall(not_later(epoch_ms(sample['results'][0]['lastSeen'])))
    equal(s.sql.rows('SELECT DISTINCT lastSeen, state, description FROM '
                     'ipaddresses'), [(seen, '2', MADE)])
    for text in s.times(2):
        near(text, now_ms())
    near(until(lambda: s.last_access(AGENT), 'last_access'), now_ms())


@case('sample: names, good ones stored, bad ones dropped with their row kept')
def _(s):
    s.subnet(6, '127.0.0.16/28', scanAgent=AGENT)
    sample, answer = s.sample('scan-dns-own-nameserver-16hosts')
    good = {one['ip']: one.get('hostname') for one in sample['results'][1:-1]}
    bad = [ip for ip, name in good.items() if name and '*' in name]
    counts = answer.json()
    equal((counts['new'], counts['names_dropped'], counts['hosts_refused']),
          (14, len(bad), 2))
    assert len(bad) == 5
    equal({ip: s.column('hostname', ip, 6) for ip in s.addresses(6)},
          {ip: None if ip in bad else name for ip, name in good.items()})


@case('sample: tz +0930 and MACs')
def _(s):
    s.subnet(6, '127.0.0.16/28', scanAgent=AGENT)
    s.seen_row('127.0.0.18', ago(86400 * 1000), 6)
    sample, answer = s.sample('scan-mac-tz+0930')
    equal((answer.json()['new'], answer.json()['seen']), (2, 1))
    seen = wall(not_later(epoch_ms(sample['results'][0]['lastSeen'], '+0930')))
    equal([s.columns('lastSeen, hostname, mac', f'127.0.0.{at}', 6)
           for at in (17, 18, 19)],
          [(seen, 'printer', '52:54:00:ab:cd:01'),
           (seen, None, '52:54:00:ab:cd:02'), (seen, None, None)])


@case('sample: empty results, also those of a /32 that is up')
def _(s):
    s.subnet(7, '127.0.5.0/29', scanAgent=AGENT)
    s.subnet(8, '127.0.0.32/32', scanAgent=AGENT)
    for subnet, name in ((7, 'scan-empty'),
                         (8, 'scan-single-host-up-bug-empty')):
        _sample, answer = s.sample(name)
        equal((answer.status, answer.json()['result']), (200, 'applied'))
        for text in s.times(subnet):
            near(text, now_ms())
        equal(s.count(subnet), 0)
    equal(s.times(10), s.times(SUBNET), 'of the others')


# --- who and where ----------------------------------------------------------

@case('what the brake holds of a report over HTTP is applied like any other')
def _(s):
    s.update('subnets', SUBNET, lastScan=wall(ago(7200)))
    s.hub.policy('policy: {max_new: 1}')
    counts = s.took(entry('10.0.7.5'), entry('10.0.7.6'))
    equal((counts['held'], counts['new'], s.count(SUBNET)), (2, 0, 0))
    held = json.loads(s.hub.ctl('preview', 'list', '--json').stdout)
    equal([(one['door'], one['code'], one['changes']) for one in held],
          [('http', CODE, 2)])
    s.hub.ctl('preview', 'apply', '--all')
    equal(s.addresses(), ['10.0.7.5', '10.0.7.6'])


@case('an unknown code is refused')
def _(s):
    s.turned_away('agent-unknown', entry('10.0.7.5'), code='NoSuchCode',
                  touches=None)


@case('a code in another letter case or with a trailing blank is refused')
def _(s):
    for code in (CODE.upper(), CODE.capitalize()):
        s.turned_away('agent-unknown', entry('10.0.7.5'), code=code,
                      touches=None)
    # 32 characters are all that a code can have, so a shorter one here.
    s.update('scanAgents', AGENT, code='ShortCode')
    for code in ('ShortCode ', 'ShortCode\t', ' ShortCode', 'shortcode'):
        s.turned_away('agent-unknown', entry('10.0.7.5'), code=code,
                      touches=None)
    s.took(entry('10.0.7.5'), code='ShortCode')


@case('a direct agent is refused')
def _(s):
    s.update('scanAgents', AGENT, type='direct')
    s.turned_away('agent-type', entry('10.0.7.5'), touches=None)


@case('a subnet of another scanner, or of nobody, is refused')
def _(s):
    for agent in (OTHER_AGENT, 2, 1, 0, None):
        s.update('subnets', SUBNET, scanAgent=agent)
        s.turned_away('subnet-unknown', entry('10.0.7.5'))


@case('a subnet that is not there, or has another mask, is refused')
def _(s):
    for cidr in ('10.0.9.0/24', '10.0.7.0/25', '10.0.6.0/23', '10.0.7.0/32',
                 '2001:db8::/64'):
        s.turned_away('subnet-unknown', entry('10.0.7.5'), subnet=cidr)


@case('a subnet that is no network is refused')
def _(s):
    for cidr in ('10.0.7.5/24', '10.0.7.0', '10.0.7.0/33', 'nonsense', '',
                 '10.0.7.0/24; DROP TABLE subnets', '10.0.7/24'):
        s.turned_away('bad-message', entry('10.0.7.5'), subnet=cidr,
                      touches=None)


@case('parents, folders and switched-off subnets are refused')
def _(s):
    s.update('subnets', SUBNET, pingSubnet=0, discoverSubnet=0)
    s.turned_away('subnet-disabled', entry('10.0.7.5'))
    s.update('subnets', SUBNET, pingSubnet=1)
    s.subnet(21, '10.0.7.0/25', masterSubnetId=SUBNET)
    s.turned_away('subnet-parent', entry('10.0.7.5'))
    s.update('subnets', 21, masterSubnetId=0)
    s.update('subnets', SUBNET, isFolder=1)
    s.turned_away('subnet-unknown', entry('10.0.7.5'))


@case('the same network in two sections: only this agent\'s row is written')
def _(s):
    s.subnet(21, CIDR, sectionId=2, scanAgent=OTHER_AGENT)
    s.subnet(22, CIDR, sectionId=3, scanAgent=0)
    s.subnet(23, '10.0.7.0/25', sectionId=4, scanAgent=OTHER_AGENT)
    for subnet in (SUBNET, 21, 22, 23):
        s.seen_row('10.0.7.5', ago(5000), subnet)
    before = s.seen('10.0.7.5'), s.times(21)
    seen = ago(10)
    s.took(entry('10.0.7.5', seen), entry('10.0.7.6', seen))
    equal([s.seen('10.0.7.5', at) for at in (SUBNET, 21, 22, 23)],
          [wall(seen)] + [before[0]] * 3)
    equal([s.count(at) for at in (SUBNET, 21, 22, 23)], [2, 1, 1, 1])
    equal([s.times(at) for at in (21, 22, 23)], [before[1]] * 3)
    equal(s.last_access(OTHER_AGENT), None)


@case('two own subnets of one network: the id that all hosts name')
def _(s):
    s.subnet(21, CIDR, sectionId=2, scanAgent=AGENT)
    for ident in (21, SUBNET):
        s.took(entry('10.0.7.5', subnet=ident), entry('10.0.7.6', subnet=ident))
        s.took({**entry('10.0.7.7'), 'subnetId': ident})  # as an integer
    equal((s.count(SUBNET), s.count(21)), (3, 3))


@case('two own subnets of one network, and no common id: ambiguous')
def _(s):
    s.subnet(21, CIDR, sectionId=2, scanAgent=AGENT)
    for results in ([], [entry('10.0.7.5', subnet=None)],
                    [entry('10.0.7.5', subnet=21), entry('10.0.7.6')],
                    [entry('10.0.7.5'), entry('10.0.7.6', subnet=None)],
                    [entry('10.0.7.5', subnet=99)]):
        s.turned_away('ambiguous', *results)


@case('a host that names another subnet is refused, whatever its id says')
def _(s):
    s.subnet(21, '10.0.8.0/24', scanAgent=AGENT)
    other = s.seen_row('10.0.8.9', ago(9000), 21)
    before = s.seen('10.0.8.9', 21)
    counts = s.took(entry('10.0.7.5', id=other), entry('10.0.7.6', subnet=21),
                    entry('10.0.7.7', subnet=99), entry('10.0.7.8', id=99999),
                    entry('10.0.7.9', subnet=None, id=str(other)))
    equal([(one['ip'], one['cause']) for one in counts['refused']],
          [('10.0.7.6', 'host-subnet'), ('10.0.7.7', 'host-subnet')])
    equal(s.addresses(), ['10.0.7.5', '10.0.7.8', '10.0.7.9'])
    equal((s.seen('10.0.8.9', 21), s.count(21)), (before, 1))


@case('a code with a key of its own is refused, unless it is legacy_http')
def _(s):
    fields = {'code': CODE_A, 'subnet': '10.0.0.0/24'}
    one = entry('10.0.0.5', subnet=10)
    s.turned_away('code-has-key', one, touches=None, **fields)
    public, _secret = (key.decode() for key in harness.zmq.curve_keypair())
    s.hub.ctl('scanner', 'add', 'moving', '--code', CODE, '--public-key',
              public)
    try:
        s.turned_away('code-has-key', entry('10.0.7.5'), touches=None)
        s.hub.revoke('moving')
        s.hub.ctl('scanner', 'add', 'moving', '--code', CODE, '--legacy-http',
                  '--public-key', public)
        s.took(entry('10.0.7.5'))
    finally:
        s.hub.revoke('moving')
        s.hub.reload()
    equal(s.addresses(), ['10.0.7.5'])


@case('a shim\'s list of codes keeps nobody out')
def _(s):
    s.hub.scanner('list', CODE, OTHER)
    s.hub.reload()
    s.took(entry('10.0.7.5'))
    s.hub.revoke('list')


@case('a token may be bound to codes')
def _(s):
    s.subnet(21, '10.0.8.0/24', scanAgent=OTHER_AGENT)
    s.turned_away('code-denied', entry('10.0.8.5', subnet=21), code=OTHER,
                  subnet='10.0.8.0/24', token=BOUND, touches=None)
    s.took(entry('10.0.7.5'), token=BOUND)
    s.took(entry('10.0.8.5', subnet=21), code=OTHER, subnet='10.0.8.0/24')


@case('no token set: no-token-set is accepted on loopback, with a warning')
def _(s):
    mark = s.hub.log_mark()
    s.hub.restart(http=DOOR)
    equal(s.status_of(entry('10.0.7.5'), token='no-token-set'), 200)
    equal(s.status_of(entry('10.0.7.6'), token='other'), 401)
    equal(s.send(request(report(), token=None)).status, 401)
    equal(s.addresses(), ['10.0.7.5'])
    assert ' warning no HTTP token is configured' in s.hub.log_from(mark)


@case('beyond loopback: no public token, no plain text unless it is allowed')
def _(s):
    s.hub.stop()
    for text in (DOOR.replace('127.0.0.1:', '0.0.0.0:'),
                 HTTP.replace('127.0.0.1:', '0.0.0.0:')):
        s.hub.config['http'] = text
        s.hub.start(wait=False)
        equal(s.hub.process.wait(PATIENCE), CONFIG)
        s.hub.process = None
    mark = s.hub.log_mark()
    s.hub.config['http'] = HTTP.replace('127.0.0.1:', '0.0.0.0:') \
        + '  plain_ok: true\n'
    s.hub.start()
    equal(s.status_of(entry('10.0.7.5')), 200)
    assert 'Sanitizer' not in s.hub.log_from(mark)


@case('refusals: status turns causes into 403 and 422, by reload')
def _(s):
    s.hub.config['http'] = HTTP + '  refusals: status\n'
    s.hub.write_config()
    s.hub.reload()
    one = entry('10.0.7.5')
    for status, fields in (
            (403, {'code': 'NoSuchCode'}), (403, {'subnet': '10.0.9.0/24'}),
            (403, {'code': CODE_A, 'subnet': '10.0.0.0/24'}),
            (403, {'code': OTHER, 'token': BOUND}),
            (422, {'subnet': 'nonsense'}), (200, {}), (200, {'tz': 'x'})):
        answer = s.post(one, **fields)
        equal(answer.status, status, f'{fields} {answer}')
    equal(s.send(request('{}')).status, 422)
    equal(s.send(request('x')).status, 400)


# --- hosts ------------------------------------------------------------------

@case('addresses outside, network and broadcast are refused, the rest applied')
def _(s):
    bad = {'10.0.8.5': 'host-outside', '10.0.7.0': 'host-network',
           '10.0.7.255': 'host-broadcast', '2001:db8::5': 'host-outside'}
    counts = s.took(*(entry(ip) for ip in bad), entry('10.0.7.5'))
    equal({one['ip']: one['cause'] for one in counts['refused']}, bad)
    equal((counts['hosts_refused'], s.addresses()), (len(bad), ['10.0.7.5']))


@case('addresses that only some libraries understand are refused')
def _(s):
    bad = ['300.1.0.1', '127.1', '1.2.3.4.5', '10.0.7', '167773957',
           '0x0a000705', '010.0.7.5', '10.0.7.5/32', ' 10.0.7.5', '10.0.7.5 ',
           '', 'localhost', '10.0.7.5\n', '::ffff:10.0.7.5%lo', "10.0.7.5'"]
    counts = s.took(*(entry(ip) for ip in bad), entry('10.0.7.9'))
    equal((counts['hosts_refused'],
           {one['cause'] for one in counts['refused']}),
          (len(bad), {'host-address'}))
    equal(s.addresses(), ['10.0.7.9'])


@case('the third of four hosts is bad: the other three are applied')
def _(s):
    for at, bad in enumerate(({'ip': 'x'}, {'lastSeen': 'x'}, {'ip': None},
                              {'subnetId': 'x'}), 1):
        s.sql.rows('TRUNCATE ipaddresses')
        hosts = [entry(f'10.0.7.{at * 10 + i}') for i in range(4)]
        hosts[2].update(bad)
        counts = s.took(*hosts)
        equal((counts['new'], counts['hosts_refused']), (3, 1), str(bad))
        equal(s.count(SUBNET), 3)


@case('IPv6')
def _(s):
    s.subnet(21, '2001:db8:0:7::/64', scanAgent=AGENT)
    s.seen_row('2001:db8:0:7::a', ago(900), 21)
    seen = ago(5)
    counts = s.took(*(entry(f'2001:db8:0:7::{at}', seen, subnet=21)
                      for at in ('a', 'B', '0:0:c')),
                    subnet='2001:DB8:0:7:0::/64')
    equal((counts['seen'], counts['new']), (1, 2))
    equal([s.seen(f'2001:db8:0:7::{at}', 21) for at in 'abc'],
          [wall(seen)] * 3)


@case('the same ip twice: the newest wins, of equals the last')
def _(s):
    seen = ago(60)
    s.took(entry('10.0.7.5', seen + 5000, hostname='newest'),
           entry('10.0.7.5', seen, hostname='older'),
           entry('10.0.7.6', seen, hostname='first'),
           entry('10.0.7.6', seen, hostname='last'))
    equal(s.columns('hostname, lastSeen', '10.0.7.5', SUBNET),
          ('newest', wall(seen + 5000)))
    equal(s.columns('hostname, lastSeen', '10.0.7.6', SUBNET),
          ('last', wall(seen)))
    equal(s.count(SUBNET), 2)


def evil(s):
    """Strings that the old server ran, evaluated or choked on."""
    marker = s.directory / 'ran'
    return ["o'brien", '{{ 7*7 }}', "{{ lookup('pipe', 'id') }}",
            f"{{{{ lookup('pipe', 'touch {marker}') }}}}",
            "x', description='I", 'x", description="I', "x\\', hostname='I",
            "'; DROP TABLE ipaddresses; -- ", 'x` y', '$(id)', '`id`', '%s%n',
            '%{7*7}', '${7*7}', '../../etc/passwd', '<script>1</script>',
            'a\u0000b', 'a\nb', 'bücher', '!vault x', '\u202ex', 'x' * 5000]


@case('injection strings as host names: dropped, the rows kept')
def _(s):
    strings = evil(s)
    hosts = [entry(f'10.0.7.{at}', hostname=text)
             for at, text in enumerate(strings, 10) if '\0' not in text]
    counts = s.took(*hosts)
    equal((counts['new'], counts['names_dropped']), (len(hosts),) * 2)
    equal(s.sql.rows('SELECT DISTINCT hostname, mac, description, state FROM '
                     'ipaddresses'), [(None, None, MADE, '2')])
    assert not (s.directory / 'ran').exists(), 'a command was run'


@case('injection strings as MACs: dropped, the rows kept')
def _(s):
    hosts = [entry(f'10.0.7.{at}', mac=text)
             for at, text in enumerate(evil(s), 10) if '\0' not in text]
    counts = s.took(*hosts)
    equal((counts['new'], counts['macs_dropped']), (len(hosts),) * 2)
    equal(s.sql.rows('SELECT DISTINCT hostname, mac, description FROM '
                     'ipaddresses'), [(None, None, MADE)])


@case('injection strings anywhere else: refused, nothing written')
def _(s):
    before = s.tables()
    good = entry('10.0.7.5')
    for text in evil(s):
        for fields in ({'code': text}, {'subnet': text}):
            answer = s.post(good, **fields)
            assert answer.status == 400 if '\0' in text \
                else answer.body.startswith('refused: '), (fields, answer)
        if '\0' in text:
            continue
        counts = s.took({**good, 'ip': text}, {**good, 'lastSeen': text},
                        {**good, 'subnetId': text})
        equal(counts['hosts_refused'], 3, text)
        equal(s.took(good, tz=text)['hosts_refused'], 1, text)
    s.forget_times()
    equal(s.tables(), before)
    s.took({**good, 'id': "1' OR '1'='1", "x', y='": '{{ 7*7 }}'})
    equal(s.addresses(), ['10.0.7.5'])
    assert not (s.directory / 'ran').exists(), 'a command was run'


# --- existing rows ----------------------------------------------------------

STALE = {'hostname': 'typed.example', 'mac': '02:00:00:00:00:01'}
TOLD = {'hostname': 'told', 'mac': '02:00:00:00:00:02'.upper()}
FRESH = 'told', '02:00:00:00:00:02'


@case('a hand-set host name or MAC is kept, an empty one filled')
def _(s):
    s.seen_row('10.0.7.5', ago(500), SUBNET, description='mine', **STALE)
    s.seen_row('10.0.7.6', ago(500), SUBNET, description='mine')
    s.seen_row('10.0.7.7', ago(500), SUBNET, **STALE)
    s.seen_row('10.0.7.8', ago(500), SUBNET, description=MADE + ' ', **STALE)
    seen = ago(5)
    s.took(*(entry(f'10.0.7.{at}', seen, **TOLD) for at in range(5, 9)))
    kept = tuple(STALE.values())
    equal([s.columns('hostname, mac', f'10.0.7.{at}', SUBNET)
           for at in range(5, 9)], [kept, FRESH, kept, kept])
    equal({s.seen(f'10.0.7.{at}') for at in range(5, 9)}, {wall(seen)})


@case('rows that a scanner made, and DHCP rows, follow')
def _(s):
    s.seen_row('10.0.7.5', ago(500), SUBNET, description=MADE, **STALE)
    s.seen_row('10.0.7.6', ago(500), SUBNET, description='mine', state=4,
               **STALE)
    s.took(entry('10.0.7.5', **TOLD), entry('10.0.7.6', **TOLD))
    equal([s.columns('hostname, mac, state', f'10.0.7.{at}', SUBNET)
           for at in (5, 6)], [(*FRESH, '2'), (*FRESH, '4')])


@case('an excludePing row is kept out')
def _(s):
    s.seen_row('10.0.7.5', ago(500), SUBNET, excludePing=1, state=1)
    before = s.tables()['ipaddresses']
    counts = s.took(entry('10.0.7.5', **TOLD))
    equal((counts['skipped'], counts['seen']), (1, 0))
    equal(s.tables()['ipaddresses'], before)


@case('the note of a new row has the time of its lastSeen')
def _(s):
    for at, tz in enumerate(('+0000', '-0500', '+0930'), 5):
        seen = ago(at * 100)
        s.took(entry(f'10.0.7.{at}', seen, tz), tz=tz)
        text, note, edited = s.columns('lastSeen, note, description',
                                       f'10.0.7.{at}', SUBNET)
        equal((text, edited), (wall(seen), MADE))
        equal(note, f'This host was autodiscovered on {text} by agent '
                    'old-site')


@case('no report marks a host offline, whoever is missing in it')
def _(s):
    s.sql.rows('UPDATE settings SET updateTags = 1')
    s.seen_row('10.0.7.4', ago(90000), SUBNET, state=1)
    for at in (5, 6, 7):
        s.seen_row(f'10.0.7.{at}', ago(90000), SUBNET, state=2)
    before = s.seen('10.0.7.6')
    for results in ([entry('10.0.7.5'), entry('10.0.7.4')], [],
                    [entry('10.0.7.5', ago(3600))]):
        s.took(*results)
    equal([s.column('state', f'10.0.7.{at}', SUBNET) for at in (4, 5, 6, 7)],
          ['2'] * 4)
    equal(s.seen('10.0.7.6'), before)


@case('empty results write the subnet\'s times and nothing else')
def _(s):
    s.seen_row('10.0.7.5', ago(500), SUBNET, state=2)
    before = s.tables()
    s.took()
    for text in s.times(SUBNET):
        near(text, now_ms())
    s.forget_times()
    equal(s.tables(), before)


# --- times ------------------------------------------------------------------

@case('every offset: UTC is local time less the offset, in new and old rows')
def _(s):
    for tz in ('-0500', '+0930', '+0545', '-0330', '+1400', '-1100', '+0000',
               '+0100', 'Z', ''):
        s.sql.rows('TRUNCATE ipaddresses')
        s.seen_row('10.0.7.5', ago(90000), SUBNET)
        seen = ago(77)
        s.took(entry('10.0.7.5', seen, tz), entry('10.0.7.6', seen, tz), tz=tz)
        equal((s.seen('10.0.7.5'), s.seen('10.0.7.6')), (wall(seen),) * 2, tz)


@case('an offset or a time that is nonsense: each host is refused')
def _(s):
    for tz in ('0930', '+9', '+2500', '+0060', 'CET', '+01:00:00', '+09 30',
               '-', 5, [], {}):
        counts = s.took(entry('10.0.7.5'), tz=tz)
        equal([one['cause'] for one in counts['refused']], ['host-time'],
              str(tz))
    bad = ['2026-02-30 00:00:00', '2026-13-01 00:00:00', '2026-01-01 24:00:00',
           '2026-01-01T00:00:00', '2026-01-01', '01.01.2026 00:00:00', '',
           '0000-00-00 00:00:00', '1969-12-31 23:59:59', '-2026-01-01 00:00:00',
           '2026-01-01 00:00:00 +0100', None, 1767225600]
    hosts = [entry(f'10.0.7.{at}') for at in range(1, len(bad) + 1)]
    for one, text in zip(hosts, bad):
        one['lastSeen'] = text
    counts = s.took(*hosts)
    equal((counts['hosts_refused'], counts['new']), (len(bad), 0))
    equal(s.count(SUBNET), 0)


@case('lastSeen never moves back')
def _(s):
    newest = ago(100)
    s.seen_row('10.0.7.5', newest, SUBNET)
    for seconds in (101, 5000, 10 ** 8):
        equal(s.took(entry('10.0.7.5', ago(seconds)))['seen'], 1)
        equal(s.seen('10.0.7.5'), wall(newest))
    s.took(entry('10.0.7.5', newest + 1000))
    equal(s.seen('10.0.7.5'), wall(newest + 1000))


@case('lastSeen is never later than the hub\'s clock')
def _(s):
    s.seen_row('10.0.7.5', ago(500), SUBNET)
    s.took(*(entry(f'10.0.7.{at}', '2099-01-01 00:00:00') for at in (5, 6)))
    for at in (5, 6):
        near(s.seen(f'10.0.7.{at}'), now_ms())
        assert s.seen(f'10.0.7.{at}') <= wall(now_ms())


@case('a stored lastSeen in the future gives way to the next sighting')
def _(s):
    s.seen_row('10.0.7.5', now_ms() + 36000000, SUBNET)
    s.address('10.0.7.6', SUBNET, lastSeen='2099-01-01 00:00:00')
    seen = ago(50)
    s.took(entry('10.0.7.5', seen), entry('10.0.7.6', seen))
    equal((s.seen('10.0.7.5'), s.seen('10.0.7.6')), (wall(seen),) * 2)


class Berlin(Legacy):
    """Database, hub and scanner all have the clock of Berlin."""
    zone = 'Europe/Berlin'
    hub_config = {'tz': 'Europe/Berlin'}


@case('all components in Europe/Berlin: its wall clock, in new and old rows')
def _(s):
    stage = Berlin()
    s.extra.append(stage)
    stage.open()
    os.environ['TZ'] = 'Europe/Berlin'
    try:
        time.tzset()
        seen = ago(60)
        here = time.localtime(seen // 1000)
        tz = time.strftime('%z', here)
        text = time.strftime('%Y-%m-%d %H:%M:%S', here)
        older = time.strftime('%Y-%m-%d %H:%M:%S',
                              time.localtime(ago(6000) // 1000))
    finally:
        del os.environ['TZ']
        time.tzset()
    assert tz in ('+0100', '+0200')
    stage.address('10.0.7.5', SUBNET, lastSeen=older)
    stage.took(entry('10.0.7.5', text), entry('10.0.7.6', text), tz=tz)
    equal([stage.seen(f'10.0.7.{at}') for at in (5, 6)], [text] * 2)
    assert text in stage.column('note', '10.0.7.6', SUBNET)
    for stored in (*stage.times(SUBNET), stage.last_access(AGENT)):
        near(stored, now_ms() + (3600000 if tz == '+0100' else 7200000))
    # The same moment from a scanner elsewhere.
    stage.took(entry('10.0.7.7', seen, '+0930'), tz='+0930')
    equal(stage.seen('10.0.7.7'), text)


# --- the queue on disk ------------------------------------------------------

def queue(s, *results, **fields):
    """Post while nobody takes it; 200 with 'queued' after about 10 s."""
    began = time.monotonic()
    answer = s.post(*results, **fields)
    equal((answer.status, answer.body), (200, 'queued'))
    took = time.monotonic() - began
    assert 9 < took < 14, f'after {took} s'


@case('the database is down: queued after 10 s, and a row when it is back',
      long=True)
def _(s):
    s.database.stop()
    try:
        first = now_ms()
        queue(s, entry('10.0.7.5', first - 60000))
    finally:
        s.database.start()
    until(lambda: s.count(SUBNET) == 1, 'the row')
    equal(s.seen('10.0.7.5'), wall((first - 60000) // 1000 * 1000))
    until(lambda: all(s.times(SUBNET)), 'the closing part')
    for text in s.times(SUBNET):
        near(text, first, 3)


@case('the hub is restarted in between: the queue survives',
      long=True)
def _(s):
    s.database.stop()
    try:
        first = now_ms()
        queue(s, entry('10.0.7.5'))
        s.hub.process.kill()
        s.hub.process.wait()
        s.hub.process = None
        s.hub.start(wait=False)
        until(lambda: connects(s.port), 'the door opens without a database')
        # What is unanswered when the hub is told to end is queued, too.
        with socket.create_connection(('127.0.0.1', s.port), PATIENCE) as sock:
            sock.sendall(request(report(entry('10.0.7.6'))))
            time.sleep(1)
            equal(s.hub.stop(), 0)
            answer = Answer(read_all(sock))
        equal((answer.status, answer.body), (200, 'queued'))
        s.hub.start(wait=False)
    finally:
        s.database.start()
    s.hub.ready()
    until(lambda: s.addresses() == ['10.0.7.5', '10.0.7.6'], 'both rows')
    until(lambda: '0 reports in the spool' in s.hub.ctl('status').stdout,
          'an empty queue')
    near(s.times(SUBNET)[0], first + 10000, 8)


@case('the database hangs: queued, and a row when it goes on',
      long=True)
def _(s):
    pid = int(s.database.env['DB_PID'])
    os.kill(pid, signal.SIGSTOP)
    try:
        queue(s, entry('10.0.7.5'))
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: s.count(SUBNET) == 1, 'the row')


@case('a report waits for the one before it of its subnet, and costs nothing')
def _(s):
    s.took(entry('10.0.7.5'))  # the connections to the database stand
    pid = int(s.database.env['DB_PID'])
    os.kill(pid, signal.SIGSTOP)
    try:
        asked = [socket.create_connection(('127.0.0.1', s.port), PATIENCE)
                 for _ in range(2)]
        for at, sock in enumerate(asked):
            sock.sendall(request(report(entry(f'10.0.7.{6 + at}'))))
        time.sleep(0.5)
        busy = s.hub.cpu()
        time.sleep(2)
        busy = s.hub.cpu() - busy
    finally:
        os.kill(pid, signal.SIGCONT)
    for sock in asked:
        with sock:
            equal(Answer(read_all(sock)).status, 200)
    until(lambda: s.count(SUBNET) == 3, 'the rows')
    assert busy < 0.5, f'{busy:.2f} s of CPU in 2 s'


@case('no queue can be had: 503 without a database, 200 with it',
      long=True)
def _(s):
    s.hub.restart(http=HTTP.replace('{dir}/', '{dir}/missing/'))
    s.took(entry('10.0.7.5'))
    s.database.stop()
    try:
        answer = s.post(entry('10.0.7.6'), json=True)
        equal((answer.status, answer.json()['result']), (503, 'busy'))
    finally:
        s.database.start()
    until(lambda: s.post(entry('10.0.7.7')).status == 200, 'the database')
    equal(s.addresses(), ['10.0.7.5', '10.0.7.7'])


# --- TLS --------------------------------------------------------------------

class Authority:
    """A CA made by openssl, as docs/migration.md tells."""

    def __init__(self, directory):
        if not shutil.which('openssl'):
            raise Skip('there is no openssl')
        self.dir = Path(directory)
        self.dir.mkdir(exist_ok=True)
        self.key('ca')
        tool('openssl', 'req', '-x509', '-new', '-key', self.at('ca.key'),
             '-days', '30', '-subj', '/CN=Test CA', '-out', self.at('ca.pem'))

    def at(self, name):
        return str(self.dir / name)

    def key(self, name):
        tool('openssl', 'genpkey', '-algorithm', 'EC', '-pkeyopt',
             'ec_paramgen_curve:P-256', '-out', self.at(f'{name}.key'))
        os.chmod(self.at(f'{name}.key'), 0o600)

    def issue(self, serial):
        """Certificate and key for 127.0.0.1, in place of any before."""
        self.key('http')
        (self.dir / 'ext').write_text(
            'subjectAltName = IP:127.0.0.1, DNS:localhost\n')
        tool('openssl', 'req', '-new', '-key', self.at('http.key'), '-subj',
             '/CN=localhost', '-out', self.at('http.csr'))
        tool('openssl', 'x509', '-req', '-in', self.at('http.csr'), '-CA',
             self.at('ca.pem'), '-CAkey', self.at('ca.key'), '-set_serial',
             str(serial), '-days', '30', '-extfile', self.at('ext'), '-out',
             self.at('http.pem'))


def tls_post(s, authority, *results, most=None):
    """Status, serial number and version of a POST over TLS, by default the
    newest; 'most' is a name of ssl.TLSVersion."""
    context = ssl.create_default_context(cafile=authority.at('ca.pem'))
    if most:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.set_ciphers('ALL:@SECLEVEL=0')
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # 1.1 is out of date: so it is
            context.maximum_version = ssl.TLSVersion[most]
    with socket.create_connection(('127.0.0.1', s.port), PATIENCE) as raw, \
            context.wrap_socket(raw, server_hostname='127.0.0.1') as sock:
        sock.sendall(request(report(*results)))
        serial = int(sock.getpeercert()['serialNumber'], 16)
        return Answer(read_all(sock)).status, serial, sock.version()


def tls_door(s):
    authority = Authority(s.directory / 'ca')
    authority.issue(100)
    s.hub.restart(http=HTTP + f'''\
  cert: {authority.at('http.pem')}
  key: {authority.at('http.key')}
''')
    return authority


@case('TLS: the certificate is verified, 1.2 at least')
def _(s):
    authority = tls_door(s)
    equal(tls_post(s, authority, entry('10.0.7.5')), (200, 100, 'TLSv1.3'))
    equal(tls_post(s, authority, entry('10.0.7.6'),
                   most='TLSv1_2'), (200, 100, 'TLSv1.2'))
    try:
        tls_post(s, authority, entry('10.0.7.7'), most='TLSv1_1')
        raise AssertionError('TLS 1.1 was accepted')
    except ssl.SSLError:
        pass
    equal(s.addresses(), ['10.0.7.5', '10.0.7.6'])
    if shutil.which('curl'):
        out = tool('curl', '--silent', '--show-error', '--noproxy', '*',
                   '--cacert', authority.at('ca.pem'), '--header',
                   f'Authorization: Bearer {TOKEN}', '--data-binary',
                   report(entry('10.0.7.8')), '--write-out', '%{http_code}',
                   f'https://127.0.0.1:{s.port}/')
        equal((out, s.count(SUBNET)), ('200', 3))


@case('TLS: SIGHUP takes a new certificate, a bad one changes nothing')
def _(s):
    authority = tls_door(s)
    equal(tls_post(s, authority)[1], 100)
    authority.issue(200)
    mark = s.hub.log_mark()
    s.hub.process.send_signal(signal.SIGHUP)
    until(lambda: 'reloaded' in s.hub.log_from(mark), 'a reload')
    equal(tls_post(s, authority, entry('10.0.7.5'))[:2], (200, 200))
    Path(authority.at('http.pem')).write_text('nonsense\n')
    mark = s.hub.log_mark()
    s.hub.process.send_signal(signal.SIGHUP)
    until(lambda: ' error ' in s.hub.log_from(mark), 'an error')
    equal(tls_post(s, authority, entry('10.0.7.6'))[:2], (200, 200))
    equal(s.addresses(), ['10.0.7.5', '10.0.7.6'])


@case('TLS: plain HTTP on its port does no harm')
def _(s):
    authority = tls_door(s)
    with socket.create_connection(('127.0.0.1', s.port), PATIENCE) as sock:
        sock.sendall(request(report(entry('10.0.7.5'))))
        assert b'HTTP/1.1 200' not in read_all(sock)
    equal(tls_post(s, authority, entry('10.0.7.6'))[0], 200)
    equal(s.addresses(), ['10.0.7.6'])


# --- the old server's file --------------------------------------------------

class OldFile(Hub):
    """A hub with nothing but the old server's configuration file."""

    def __init__(self, directory, database):
        super().__init__(directory, database)
        self.state = self.directory / 'state'
        self.runtime = self.directory / 'run'
        self.path = self.directory / 'scan_server.yaml'
        self.text = ''

    def settings(self, **more):
        env = self.database.env
        lines = {'mysql_host': 'localhost', 'mysql_port': env['DB_PORT'],
                 'mysql_user': env['DB_USER'],
                 'mysql_password': env['DB_PASSWORD'],
                 'http_port': self.http_port, 'auth_token': TOKEN, **more}
        return 'nofusscomputing_phpipam_scan_server:\n\n' + ''.join(
            f'  {key}: {value}\n' for key, value in lines.items()
            if value is not None)

    def write_config(self, text=None):
        self.path.write_text(self.text)
        self.path.chmod(0o644)

    def surroundings(self):
        return {**os.environ, 'TZ': 'UTC0', 'STATE_DIRECTORY': str(self.state),
                'RUNTIME_DIRECTORY': str(self.runtime)}

    def run(self, text, wait=True):
        """Start with this file."""
        self.text = text
        self.write_config()
        with open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen(
                [str(SCANHUBD), '--config', str(self.path)], stdout=log,
                stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT,
                env=self.surroundings(), preexec_fn=harness.die_with_us)
        if wait:
            until(lambda: self.died() or connects(self.http_port),
                  'the door opens')
            assert not self.died(), self.log_from()

    def refuses(self, text, *words):
        """It must not start with this file, and say why."""
        mark = self.log_mark()
        self.run(text, wait=False)
        status = self.process.wait(PATIENCE)
        self.process = None
        said = self.log_from(mark)
        equal(status, CONFIG, said)
        for word in words:
            assert word in said, (word, said)


    def close(self):
        status = self.stop()
        said = self.log_from()
        assert status == 0 and 'Sanitizer' not in said \
            and 'runtime error' not in said, (status, said[-3000:])


def old_file(s):
    hub = OldFile(s.directory / f'old-{now_ms()}', s.database)
    s.extra.append(hub)
    return hub


def need_port():
    """The default port of CURVE has to be free for such a file."""
    deadline = time.monotonic() + PATIENCE
    while connects(PORT_5766):
        if time.monotonic() > deadline:
            raise Skip(f'port {PORT_5766} is in use')
        time.sleep(0.5)


@case('the old file as it is starts hub and shim')
def _(s):
    need_port()
    hub = old_file(s)
    hub.run(hub.settings())
    equal(s.status_of(entry('10.0.7.5'), port=hub.http_port), 200)
    equal(s.addresses(), ['10.0.7.5'])
    equal(s.status_of(port=hub.http_port, token='no-token-set'), 401)
    said = hub.log_from()
    for word in ('127.0.0.1', '::1', 'http_listen', 'http_cert', 'http_key',
                 'http_plain_ok'):
        assert word in said, word
    assert ' warning ' in said  # the file's mode, the database's TLS
    assert hub.database.env['DB_PASSWORD'] not in said and TOKEN not in said
    equal((hub.state / 'hub.cert').stat().st_mode & 0o777, 0o600)
    assert connects(PORT_5766)
    equal(hub.stop(), 0)
    # Again: the key stays the same.
    key = (hub.state / 'hub.cert').read_text()
    hub.run(hub.settings())
    equal((hub.state / 'hub.cert').read_text(), key)
    equal(s.status_of(entry('10.0.7.6'), port=hub.http_port), 200)


@case('the old file: quoted numbers, comments, other keys, no token')
def _(s):
    need_port()
    hub = old_file(s)
    hub.run('---\nsome_other_role:\n  key: value\n'
            + hub.settings(mysql_port=f"\"{s.database.env['DB_PORT']}\"",
                           http_port=f"'{hub.http_port}'", auth_token='',
                           mysql_host='127.0.0.1   # Mandatory',
                           what_is_this='1'))
    equal(s.status_of(entry('10.0.7.5'), port=hub.http_port,
                      token='no-token-set'), 200)
    equal(s.addresses(), ['10.0.7.5'])
    said = hub.log_from()
    for word in ('some_other_role', 'what_is_this', 'no HTTP token'):
        assert re.search(f' warning .*{word}', said), (word, said)


@case('the old file: our additions under its key')
def _(s):
    need_port()
    hub = old_file(s)
    hub.run(hub.settings(http_listen='127.0.0.2', phpipam_timezone='UTC',
                         mysql_tls="'off'"), wait=False)
    until(lambda: hub.died() or 'listen' in hub.log_from(), 'its start')

    def there():
        with socket.socket() as probe:
            return probe.connect_ex(('127.0.0.2', hub.http_port)) == 0
    until(there, 'the door on 127.0.0.2')
    assert not connects(hub.http_port), 'it listens on 127.0.0.1, too'


@case('the old file: a mandatory key that is missing is named, exit 78')
def _(s):
    hub = old_file(s)
    for key in ('mysql_host', 'mysql_user', 'mysql_password'):
        hub.refuses(hub.settings(**{key: None}), key)
        hub.refuses(hub.settings(**{key: ''}), key)
    hub.refuses('nofusscomputing_phpipam_scan_server:\n', 'mysql_host',
                'mysql_user', 'mysql_password')


@case('the old file: vault blobs, templates and wrong values are refused')
def _(s):
    hub = old_file(s)
    vault = '!vault |\n    $ANSIBLE_VAULT;1.1;AES256\n    6162636465'
    for more, words in (({'mysql_password': vault}, ['vault']),
                        ({'auth_token': vault}, ['vault']),
                        ({'mysql_password': "'{{ vault_password }}'"},
                         ['mysql_password']),
                        ({'http_port': '70000'}, ['http_port']),
                        ({'mysql_port': 'x'}, ['mysql_port']),
                        ({'http_listen': '0.0.0.0'}, ['http_listen']),
                        ({'phpipam_timezone': 'Europe/Berln'}, ['time'])):
        hub.refuses(hub.settings(**more), *words)


# --- scanhub-shim -----------------------------------------------------------

@case('scanhub-shim forwards over CURVE')
def _(s):
    shim = s.shim(CODE)
    s.seen_row('10.0.7.4', ago(5000), SUBNET)
    seen = ago(50)
    answer = s.post(entry('10.0.7.4', seen, '-0500'), entry('10.0.7.0'),
                    entry('10.0.7.5', seen, '-0500', hostname='Printer'),
                    tz='-0500', port=shim.port, json=True)
    said = answer.json()
    equal((answer.status, said['result'], said['seen'], said['new'],
           [one['cause'] for one in said['refused']]),
          (200, 'applied', 1, 1, ['host-network']))
    equal([s.columns('hostname, lastSeen', f'10.0.7.{at}', SUBNET)
           for at in (4, 5)], [(None, wall(seen)), ('Printer', wall(seen))])
    for text in s.times(SUBNET):
        near(text, now_ms())
    equal(s.send(request('x'), shim.port).status, 400)
    equal(s.status_of(port=shim.port, token='wrong'), 401)


@case('scanhub-shim: codes that its entry does not list are refused')
def _(s):
    shim = s.shim(CODE)
    s.subnet(21, '10.0.8.0/24', scanAgent=OTHER_AGENT)
    before = s.tables()
    answer = s.post(entry('10.0.8.5', subnet=21), code=OTHER,
                    subnet='10.0.8.0/24', port=shim.port)
    equal(answer.status, 200)
    assert answer.body.startswith('refused: code-denied: '), answer
    equal(s.tables(), before)
    equal(s.last_access(OTHER_AGENT), None)
    equal(s.status_of(entry('10.0.7.5'), port=shim.port), 200)
    equal(s.addresses(), ['10.0.7.5'])


@case('scanhub-shim: a code with a key of its own is refused')
def _(s):
    shim = s.shim(CODE, CODE_A)
    before = s.tables()
    answer = s.post(entry('10.0.0.5', subnet=10), code=CODE_A,
                    subnet='10.0.0.0/24', port=shim.port)
    assert answer.body.startswith('refused: code-has-key: '), answer
    equal((s.tables(), s.last_access(2)), (before, None))
    s.applied(host('10.0.0.6'))  # its owner goes on
    equal(s.count(10), 1)


@case('scanhub-shim: the hub is down, queued, delivered later',
      long=True)
def _(s):
    shim = s.shim(CODE)
    equal(s.status_of(entry('10.0.7.4'), port=shim.port), 200)
    equal(s.hub.stop(), 0)
    first = now_ms()
    queue(s, entry('10.0.7.5', first - 60000), port=shim.port)
    equal(shim.stop(), 0)
    shim.start(wait=False)
    s.hub.start()
    until(lambda: s.addresses() == ['10.0.7.4', '10.0.7.5'], 'the row')
    equal(s.seen('10.0.7.5'), wall((first - 60000) // 1000 * 1000))
    until(lambda: s.times(SUBNET)[0] >= wall(first), 'the closing part')
    near(s.times(SUBNET)[0], first, 3)
    assert 'queued report delivered' in shim.said()


@case('scanhub-shim: the database is down, queued, delivered later',
      long=True)
def _(s):
    shim = s.shim(CODE)
    s.database.stop()
    try:
        queue(s, entry('10.0.7.5'), port=shim.port)
    finally:
        s.database.start()
    until(lambda: s.addresses() == ['10.0.7.5'], 'the row')


@case('scanhub-shim: a key that nobody registered',
      long=True)
def _(s):
    shim = Shim(s, (), register=False)
    s.extra.append(shim)
    shim.start(wait=False)
    queue(s, entry('10.0.7.5'), port=shim.port)
    equal(s.count(SUBNET), 0)


@case('scanhub-shim: SIGHUP takes other tokens')
def _(s):
    shim = s.shim(CODE)
    shim.path.write_text(shim.path.read_text().replace(TOKEN, 'another'))
    mark = len(shim.said())
    shim.process.send_signal(signal.SIGHUP)
    until(lambda: 'reloaded' in shim.said(mark), 'a reload')
    equal(s.status_of(port=shim.port), 401)
    equal(s.status_of(port=shim.port, token='another'), 200)


def late_posts(port, terminate, count=8):
    """Requests whose last byte comes in after the end has begun; what they
    were answered."""
    data = request(report(entry('10.0.7.5')))
    socks = [socket.create_connection(('127.0.0.1', port), PATIENCE)
             for _ in range(count)]
    for sock in socks:
        sock.sendall(data[:-1])
    terminate()
    for sock in socks:
        time.sleep(0.03)
        try:
            sock.sendall(data[-1:])
        except ConnectionError:
            pass  # it has ended
    said = [read_all(sock) for sock in socks]
    for sock in socks:
        sock.close()
    return {Answer(one).status if one else None for one in said}


@case('a request that comes in while the door closes: 503, no crash')
def _(s):
    shim = s.shim(CODE)
    statuses = late_posts(shim.port, shim.process.terminate)
    equal(shim.process.wait(PATIENCE), 0)
    assert 503 in statuses and statuses <= {503, 200, None}, statuses
    statuses = late_posts(s.port, s.hub.process.terminate)
    equal(s.hub.process.wait(PATIENCE), 0)
    assert statuses <= {503, 200, None}, statuses
    s.hub.start()


@case('the journal tells by which door and token a report came')
def _(s):
    s.took(entry('10.0.7.77'))

    def look():
        done = s.hub.ctl('reports', '--scanner', 'every', '--json',
                         check=False)
        found = json.loads(done.stdout or '{}').get('reports')
        return found and found[0]['closed'] and found[0]
    one = until(look, 'the report, all of it')
    equal([one[key] for key in ('door', 'scanner', 'code', 'agent', 'subnet',
                                'new', 'result')],
          ['http', 'every', CODE, 'old-site', SUBNET, 1, 'applied'])


@case('scanhub-shim: what it cannot start with, exit 78')
def _(s):
    shim = Shim(s, (), register=False)
    good = shim.path.read_text()
    for bad in (good.replace('hub:', 'hubs:'), good + 'hub: [',
                good.replace(f'127.0.0.1:{shim.port}', '0.0.0.0:0'),
                good.replace('/shim.cert', '/none.cert')):
        assert bad != good
        shim.path.write_text(bad)
        done = subprocess.run([str(SHIM), '--config', str(shim.path)],
                              stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=PATIENCE, check=False)
        equal(done.returncode, CONFIG, done.stderr)
        assert str(shim.directory) in done.stderr or 'listen' in done.stderr
    version = tool(str(SHIM), '--version')
    assert 'libmicrohttpd' in version
    linked = tool('ldd', str(SHIM)) if shutil.which('ldd') else ''
    assert 'mariadb' not in linked and 'mysql' not in linked, linked


if __name__ == '__main__':
    sys.exit(harness.main(Legacy, slow=True))
