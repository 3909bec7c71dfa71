#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Every rule for what the hub does with a report, shown by the rows that are
in phpIPAM's tables afterwards."""

import random
import subprocess
import sys

sys.dont_write_bytecode = True

import harness
from harness import (CODE_A, CODE_B, Stage, ago, case, decimal, equal, host,
                     packed, until, wall)
from peer import HubError, now_ms

CODE_SHORT = 'ShortCode'
LEGACY = 'LegacyCode', 'OtherLegacyCode'  # of scanners without a key
MADE = '-- autodiscovered --'
OLD_EDIT = '2020-02-02 02:02:02'
WHOLE = [('10.0.0.1', '10.0.0.254')]


class Rules(Stage):
    def new_hub(self, name, **config):
        hub = super().new_hub(name, **config)
        hub.scanner('lower', CODE_A.lower())
        hub.scanner('nobody', 'NoSuchCode')
        hub.scanner('short', CODE_SHORT)
        hub.scanner('shim', *LEGACY)
        return hub


def tags_on(s):
    s.sql.rows('UPDATE settings SET updateTags = 1')


# --- identity ---------------------------------------------------------------

@case('the key alone decides who speaks')
def _(s):
    s.applied(host('10.0.0.5'))
    equal(s.last_access(3), None, 'of the other agent')
    s.refused('subnet-not-assigned', peer='site-b', agent=3)


@case('a code in other letter case is another code')
def _(s):
    s.refused('agent-unknown', peer='lower', touches=False)


@case('a code in other letter case takes nothing from the right one')
def _(s):
    # Both wait while a worker does, so that one statement asks for both.
    other = s.database.session()
    s.extra.append(other)
    other.rows('BEGIN')
    other.rows("UPDATE subnets SET description = 'x' WHERE id = 10")
    s.peer('lower')
    s.peer().send(s.report().part([host('10.0.0.4')]))
    until(s.database.blocked, 'the worker waits', 10)
    sent = [(name, s.report().part([host(f'10.0.0.{at}')]))
            for at, name in ((5, 'lower'), (6, 'site-a'))]
    for number, (name, message) in enumerate(sent, 1):
        s.peer(name).send(message)
        until(lambda: s.hub.status()['queues']['waiting'] >= number,
              'it is in the queue')
    other.rows('COMMIT')
    equal([s.peer(name).wait('verdict', id=message['id'])['result']
           for name, message in sent], ['refused', 'applied'])
    equal([s.column('state', f'10.0.0.{at}') for at in (4, 6)], ['2', '2'])
    equal(s.count(), 2)


@case('an unknown agent: nothing at all is written')
def _(s):
    s.refused('agent-unknown', peer='nobody', touches=False)


@case('a code that differs by a trailing blank is another code')
def _(s):
    s.update('scanAgents', 2, code=CODE_SHORT + ' ')
    s.refused('agent-unknown', peer='short', touches=False)
    s.update('scanAgents', 2, code=CODE_SHORT)
    s.applied(host('10.0.0.5'), peer='short')


@case('a direct agent with a code is refused')
def _(s):
    s.update('scanAgents', 2, type='direct')
    s.refused('agent-type', touches=False)


@case('an agent that is direct besides is refused')
def _(s):
    s.update('scanAgents', 2, type='direct,mysql')
    s.refused('agent-type', touches=False)


@case('an agent without a type is refused')
def _(s):
    s.update('scanAgents', 2, type='')
    s.refused('agent-type', touches=False)


@case('agents of type api, and of api and mysql, may report')
def _(s):
    s.update('scanAgents', 2, type='api')
    s.applied(host('10.0.0.5'))
    s.update('scanAgents', 2, type='api,mysql')
    s.applied(host('10.0.0.6'))
    equal(s.count(), 2)


@case('a key may speak for its own codes only')
def _(s):
    before = s.tables()
    message = s.report(**{'for': CODE_B}).part([host('10.0.0.5')])
    verdict = s.peer('site-a').deliver(message)[0]
    equal((verdict['result'], verdict['cause']), ('refused', 'code-denied'))
    equal(s.tables(), before)


@case('a key of several codes has to name one')
def _(s):
    s.update('scanAgents', 2, code=LEGACY[0])
    message = s.report().part([host('10.0.0.5')])
    verdict = s.peer('shim').deliver(message)[0]
    equal((verdict['result'], verdict['cause']), ('refused', 'code-missing'))
    message = s.report(**{'for': LEGACY[0]}).part([host('10.0.0.5')])
    equal(s.peer('shim').deliver(message)[0]['result'], 'applied')
    equal(s.count(), 1)


@case('without a subnet id the network names it, unless several do')
def _(s):
    s.update('scanAgents', 2, code=LEGACY[0])
    s.subnet(11, '10.0.1.0/24')
    s.subnet(12, '10.0.1.0/24', scanAgent=3)
    message = s.report(cidr='10.0.1.0/24', **{'for': LEGACY[0]})
    message = message.part([host('10.0.1.5')])
    del message['subnet']
    equal(s.peer('shim').deliver(message)[0]['result'], 'applied')
    equal((s.count(11), s.count(12)), (1, 0))
    s.update('subnets', 12, scanAgent=2)
    verdict = s.peer('shim').deliver(message)[0]
    equal((verdict['result'], verdict['cause']), ('refused', 'ambiguous'))


@case('last_access moves forward, and back from the future')
def _(s):
    s.update('scanAgents', 2, last_access=wall(now_ms() + 86400000))
    s.applied(host('10.0.0.5'))
    late = wall(now_ms() + 5000)
    until(lambda: s.last_access() < late, 'the future is repaired')
    s.update('scanAgents', 2, last_access='2020-01-01 00:00:00')
    s.applied(host('10.0.0.5'))
    until(lambda: s.last_access() > '2021', 'last_access has moved')


@case('hello alone moves last_access')
def _(s):
    s.peer()
    until(s.last_access, 'last_access is written')


# --- subnets ----------------------------------------------------------------

@case('a subnet that is not there is refused')
def _(s):
    s.refused('subnet-unknown', subnet=99)


@case('another network than the stored one is refused')
def _(s):
    s.refused('cidr-mismatch', cidr='10.0.1.0/24')
    s.refused('cidr-mismatch', cidr='10.0.0.0/25')


@case('a subnet of another agent, or of none, is refused')
def _(s):
    for agent in (3, 1, 0, None):
        s.update('subnets', 10, scanAgent=agent)
        s.refused('subnet-not-assigned')


@case('a folder is refused')
def _(s):
    s.update('subnets', 10, isFolder=1)
    s.refused('subnet-folder')
    s.update('subnets', 10, subnet='0', mask='')
    s.refused('subnet-folder')


@case('a subnet without a usable mask is refused')
def _(s):
    for mask in ('0', '', None, '33', '-1', '2x'):
        s.update('subnets', 10, mask=mask)
        s.refused('subnet-mask')


@case('a subnet with children is refused')
def _(s):
    s.subnet(11, '10.0.0.0/25', masterSubnetId=10)
    s.refused('subnet-parent')
    s.applied(host('10.0.0.5'), subnet=11, cidr='10.0.0.0/25')
    equal((s.count(10), s.count(11)), (0, 1))


@case('a subnet with check and discovery off is refused')
def _(s):
    s.update('subnets', 10, pingSubnet=0, discoverSubnet=0)
    s.refused('subnet-disabled')


@case('overlapping networks: only the named row is written')
def _(s):
    s.subnet(11, '10.0.0.0/24', sectionId=2)
    s.subnet(12, '10.0.0.0/24', sectionId=3, scanAgent=3)
    for subnet in (10, 11, 12):
        s.seen_row('10.0.0.5', ago(5000), subnet)
    before = s.column('lastSeen', '10.0.0.5', 10)
    seen = ago(10)
    s.applied(host('10.0.0.5', seen), host('10.0.0.6', seen), subnet=11)
    equal([s.column('lastSeen', '10.0.0.5', at) for at in (10, 11, 12)],
          [before, wall(seen), before])
    equal([s.count(at) for at in (10, 11, 12)], [1, 2, 1])


# --- hosts ------------------------------------------------------------------

@case('bad hosts are refused with their cause, the rest is applied')
def _(s):
    good = host('10.0.0.5')
    bad = [(host('10.0.1.5'), 'host-outside'),
           (host('10.0.0.0'), 'host-network'),
           (host('10.0.0.255'), 'host-broadcast'),
           (host('2001:db8::5'), 'host-outside'),
           (host('10.0.0.6', seen=-5000), 'host-time')]
    verdict = s.applied(good, *(one for one, _ in bad))
    equal((verdict['refused_count'], verdict['added']), (len(bad), 1))
    equal(sorted((one['ip'], one['cause']) for one in verdict['refused']),
          sorted((one['ip'], cause) for one, cause in bad))
    equal(s.sql.rows('SELECT ip_addr FROM ipaddresses'),
          [(decimal('10.0.0.5'),)])


@case('more refused hosts than a verdict names are counted all the same')
def _(s):
    verdict = s.applied(*(host(f'10.9.0.{at}') for at in range(100)))
    equal((verdict['refused_count'], len(verdict['refused'])), (100, 64))
    equal(s.count(), 0)


@case('/31: both addresses are hosts')
def _(s):
    s.subnet(11, '10.0.3.0/31')
    s.applied(host('10.0.3.0'), host('10.0.3.1'), subnet=11, cidr='10.0.3.0/31')
    equal(s.count(11), 2)


@case('/32: the one address is a host')
def _(s):
    s.subnet(11, '10.0.3.7/32')
    s.applied(host('10.0.3.7'), subnet=11, cidr='10.0.3.7/32')
    equal(s.count(11), 1)


@case('/30: the first and the last are not')
def _(s):
    s.subnet(11, '10.0.3.4/30')
    hosts = [host(f'10.0.3.{at}') for at in range(4, 8)]
    verdict = s.applied(*hosts, subnet=11, cidr='10.0.3.4/30')
    equal((s.count(11), verdict['refused_count']), (2, 2))


@case('isPool: the first and the last are hosts')
def _(s):
    s.update('subnets', 10, isPool=1)
    s.applied(host('10.0.0.0'), host('10.0.0.255'))
    equal(s.count(), 2)


@case('IPv6: rows are found and made, neighbours untouched')
def _(s):
    s.subnet(11, '2001:db8:0:7::/64')
    s.seen_row('2001:db8:0:7::a', ago(900), 11)
    s.seen_row('2001:db8:0:7::b', ago(900), 11)
    seen = ago(5)
    before = s.column('lastSeen', '2001:db8:0:7::b', 11)
    s.applied(*(host(f'2001:db8:0:7::{at}', seen) for at in ('a', '', 'ffff')),
              subnet=11, cidr='2001:db8:0:7::/64')
    equal([s.column('lastSeen', f'2001:db8:0:7::{at}', 11)
           for at in ('a', '', 'ffff', 'b')], [wall(seen)] * 3 + [before])
    s.subnet(12, '2001:db8::/64')
    s.applied(host('2001:db8::'), subnet=12, cidr='2001:db8::/64')
    equal(s.sql.rows('SELECT ip_addr FROM ipaddresses WHERE subnetId = 12'),
          [('42540766411282592856903984951653826560',)])


@case('IPv6: the scan of a subnet sets tags and times')
def _(s):
    tags_on(s)
    s.subnet(11, '2001:db8:0:7::/64')
    s.seen_row('2001:db8:0:7::a', ago(900), 11)
    started = ago(60)
    s.closing([('2001:db8:0:7::', '2001:db8:0:7:ffff:ffff:ffff:ffff')],
              subnet=11, cidr='2001:db8:0:7::/64', started=started)
    equal(s.column('state', '2001:db8:0:7::a', 11), '1')
    equal(s.times(11), (wall(started),) * 2)


@case('IPv6 in ::/96: phpIPAM takes it for IPv4, nothing is written')
def _(s):
    # A network with such addresses begins at 0, which reads as 0.0.0.0.
    s.subnet(11, '::/64')
    s.refused('subnet-mask', host('::5'), subnet=11, cidr='::/64')
    s.subnet(12, '::/24')
    s.refused('cidr-mismatch', host('::5'), subnet=12, cidr='::/24')
    verdict = s.applied(host('::5'), subnet=12, cidr='0.0.0.0/24')
    equal((verdict['refused'][0]['cause'], s.count(12)), ('host-outside', 0))


@case('bad names are dropped and counted, their hosts stay')
def _(s):
    bad = ['-a', 'a-', 'a b', 'a..b', '.', 'a/b', 'ä.example', '10.0.0.1',
           'x' * 64, '.'.join(['x' * 60] * 5)]
    hosts = [host(f'10.0.0.{at}', name=name)
             for at, name in enumerate(bad, 10)]
    verdict = s.applied(*hosts, host('10.0.0.5', name='a_b.Example.'))
    equal((verdict['bad_names'], verdict['added']), (len(bad), len(bad) + 1))
    equal(s.sql.rows('SELECT hostname, COUNT(*) FROM ipaddresses GROUP BY '
                     'hostname ORDER BY hostname'),
          [(None, str(len(bad))), ('a_b.Example', '1')])


@case('a name of 253 bytes is stored')
def _(s):
    name = '.'.join(['x' * 63] * 3 + ['y' * 61])
    s.applied(host('10.0.0.5', name=name))
    equal(s.column('hostname', '10.0.0.5'), name)


@case('MACs: every usual spelling becomes lower case with colons')
def _(s):
    for at, mac in enumerate(('02-AA-bB-00-11-22', '02:aa:bb:00:11:22',
                              '02aa.bb00.1122', '02AABB001122'), 10):
        s.applied(host(f'10.0.0.{at}', mac=mac))
        equal(s.column('mac', f'10.0.0.{at}'), '02:aa:bb:00:11:22')


@case('bad MACs are dropped and counted, their hosts stay')
def _(s):
    bad = ['00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:01',
           '33:33:00:00:00:01', 'nonsense', '02:aa:bb:00:11',
           '02:aa:bb:ff:fe:00:11:22', '02:aa:bb:00:11:2g']
    verdict = s.applied(*(host(f'10.0.0.{at}', mac=mac)
                          for at, mac in enumerate(bad, 10)))
    equal((verdict['bad_macs'], verdict['added']), (len(bad), len(bad)))
    equal(s.sql.value('SELECT COUNT(mac) FROM ipaddresses'), '0')


@case('the same address twice: the newest wins, of equals the last')
def _(s):
    seen = ago(60)
    s.applied(host('10.0.0.5', seen + 5000, name='newest'),
              host('10.0.0.5', seen, name='older'),
              host('10.0.0.6', seen, name='first'),
              host('10.0.0.6', seen, name='last'))
    equal(s.columns('hostname, lastSeen', '10.0.0.5'),
          ('newest', wall(seen + 5000)))
    equal(s.columns('hostname, lastSeen', '10.0.0.6'), ('last', wall(seen)))


# --- existing rows ----------------------------------------------------------

@case('lastSeen moves forward with either flag, and only forward')
def _(s):
    for check, discover in ((1, 0), (0, 1), (1, 1)):
        s.sql.rows('DELETE FROM ipaddresses')
        s.update('subnets', 10, pingSubnet=check, discoverSubnet=discover)
        seen = ago(100)
        s.seen_row('10.0.0.5', seen)
        verdict = s.applied(host('10.0.0.5', seen - 7000))
        equal((s.column('lastSeen', '10.0.0.5'), verdict['seen']),
              (wall(seen), 1))
        s.applied(host('10.0.0.5', seen + 1999))
        equal(s.column('lastSeen', '10.0.0.5'), wall(seen + 1000),
              'by one second')


@case('seen_granularity: lastSeen stays while it is new enough')
def _(s):
    s.hub.policy('policy: {seen_granularity: 300}')
    old, new = ago(320), ago(200)
    s.seen_row('10.0.0.5', old)
    s.seen_row('10.0.0.6', new)
    seen = ago(10)

    def scan():
        verdict = s.applied(host('10.0.0.5', seen), host('10.0.0.6', seen),
                            started=ago(60))
        equal(verdict['seen'], 2)
        return [s.column('lastSeen', f'10.0.0.{at}') for at in (5, 6)]
    equal(scan(), [wall(seen), wall(new)])
    # Where a scan may set tags, lastSeen says that the host answered in it.
    tags_on(s)
    equal(scan(), [wall(seen), wall(seen)])


@case('seen_granularity: tags that come on, and a restart, in the middle')
def _(s):
    s.hub.policy('policy: {seen_granularity: 300}')
    s.seen_row('10.0.0.5', ago(200))
    s.seen_row('10.0.0.6', ago(400))
    report = s.report(started=ago(60))
    s.peer().deliver(report.part([host('10.0.0.5', ago(10))]))
    tags_on(s)
    s.hub.restart()
    s.closing(WHOLE, report)
    equal([s.column('state', f'10.0.0.{at}') for at in (5, 6)], ['2', '1'])


@case('lastSeen in the future gives way to any sighting')
def _(s):
    s.seen_row('10.0.0.5', now_ms() + 3600000)
    s.seen_row('10.0.0.6', now_ms() + 50000)
    near = s.column('lastSeen', '10.0.0.6')
    seen = ago(500)
    s.applied(host('10.0.0.5', seen), host('10.0.0.6', seen))
    equal(s.column('lastSeen', '10.0.0.5'), wall(seen))
    equal(s.column('lastSeen', '10.0.0.6'), near, 'less than 60 s ahead')


@case('lastSeen of a row that was never seen is set')
def _(s):
    seen = ago(500)
    for at, never in enumerate((None, '1970-01-01 00:00:01',
                                '1970-01-01 01:00:00'), 10):
        s.address(f'10.0.0.{at}', lastSeen=never)
        s.applied(host(f'10.0.0.{at}', seen))
        equal(s.column('lastSeen', f'10.0.0.{at}'), wall(seen))


@case('a row with a zero date is set, too')
def _(s):
    s.sql.rows("SET SESSION sql_mode = ''")
    s.address('10.0.0.5', lastSeen='0000-00-00 00:00:00')
    seen = ago(500)
    s.applied(host('10.0.0.5', seen))
    equal(s.column('lastSeen', '10.0.0.5'), wall(seen))


@case('a sighting in the future counts as now')
def _(s):
    s.applied(host('10.0.0.5', now_ms() + 3600000))
    assert s.column('lastSeen', '10.0.0.5') <= wall(now_ms())


@case('an excluded row is left alone')
def _(s):
    tags_on(s)
    s.seen_row('10.0.0.5', ago(9000), excludePing=1, state=1)
    before = s.tables()['ipaddresses']
    verdict = s.applied(host('10.0.0.5', name='x', mac='02:00:00:00:00:01'))
    equal((verdict['skipped'], verdict.get('seen', 0)), (1, 0))
    s.closing(WHOLE)
    equal(s.tables()['ipaddresses'], before)


MAC_OLD, MAC_NEW = '02:00:00:00:00:01', '02:00:00:00:00:02'


def with_policy(s, policy, **row):
    """What a report makes of a row's name and MAC under a policy."""
    s.hub.policy(f'policy: {{hostname: {policy}, mac: {policy}}}')
    s.sql.rows('DELETE FROM ipaddresses')
    s.seen_row('10.0.0.5', ago(500), **row)
    s.applied(host('10.0.0.5', ago(5), name='new.example', mac=MAC_NEW))
    return s.columns('hostname, mac', '10.0.0.5')


STALE = {'hostname': 'old.example', 'mac': MAC_OLD}
FRESH = ('new.example', MAC_NEW)
KEPT = ('old.example', MAC_OLD)


@case('policy never: neither filled nor replaced')
def _(s):
    equal(with_policy(s, 'never'), (None, None))
    equal(with_policy(s, 'never', description=MADE, **STALE), KEPT)


@case('policy fill: only what is empty')
def _(s):
    equal(with_policy(s, 'fill'), FRESH)
    equal(with_policy(s, 'fill', hostname='', mac=''), FRESH)
    equal(with_policy(s, 'fill', description=MADE, **STALE), KEPT)
    equal(with_policy(s, 'fill', hostname='old.example'),
          ('old.example', MAC_NEW))


@case('policy follow: whatever is there')
def _(s):
    equal(with_policy(s, 'follow'), FRESH)
    equal(with_policy(s, 'follow', description='by hand', **STALE), FRESH)


@case('policy auto: follow what a scanner made and nobody touched')
def _(s):
    equal(with_policy(s, 'auto', description=MADE, **STALE), FRESH)
    equal(with_policy(s, 'auto', description=MADE + ' ', **STALE), KEPT)
    equal(with_policy(s, 'auto', description=MADE.upper(), **STALE), KEPT)


@case('policy auto: follow a row with the tag DHCP')
def _(s):
    equal(with_policy(s, 'auto', description='by hand', state=4, **STALE),
          FRESH)


@case('policy auto: a row made by hand is only filled')
def _(s):
    equal(with_policy(s, 'auto', description='by hand', **STALE), KEPT)
    equal(with_policy(s, 'auto', **STALE), KEPT)
    equal(with_policy(s, 'auto', description='by hand'), FRESH)


@case('the default policy is auto')
def _(s):
    s.seen_row('10.0.0.5', ago(500), description=MADE, **STALE)
    s.seen_row('10.0.0.6', ago(500), description='mine', **STALE)
    s.applied(*(host(f'10.0.0.{at}', name=FRESH[0], mac=FRESH[1])
                for at in (5, 6)))
    equal([s.columns('hostname, mac', f'10.0.0.{at}') for at in (5, 6)],
          [FRESH, KEPT])


@case('the policy of a subnet outweighs the agent\'s, that the hub\'s')
def _(s):
    s.hub.policy('policy: {hostname: never, agents: {site-a: {hostname: '
                 'follow}}, subnets: {11: {hostname: never}}}')
    s.subnet(11, '10.0.1.0/24')
    s.subnet(12, '10.0.2.0/24', scanAgent=3)
    for subnet, peer in ((10, 'site-a'), (11, 'site-a'), (12, 'site-b')):
        address = f'10.0.{subnet - 10}.5'
        s.seen_row(address, ago(500), subnet, hostname='old')
        s.applied(host(address, name='new'), subnet=subnet, peer=peer,
                  cidr=f'10.0.{subnet - 10}.0/24')
    equal([s.column('hostname', f'10.0.{at}.5', at + 10) for at in range(3)],
          ['new', 'old', 'old'])


@case('a name that is the same is not written anew')
def _(s):
    s.hub.policy('policy: {hostname: follow}')
    for stored, told in (('Printer', 'printer.site.example'),
                         ('printer.site.example', 'printer'),
                         ('PRINTER.site.example', 'printer.Site.example.'),
                         ('printer.site.example.', 'printer.site.example')):
        s.sql.rows('DELETE FROM ipaddresses')
        s.seen_row('10.0.0.5', ago(500), hostname=stored)
        verdict = s.applied(host('10.0.0.5', name=told))
        equal((s.column('hostname', '10.0.0.5'), verdict.get('named', 0)),
              (stored, 0), told)
    verdict = s.applied(host('10.0.0.5', name='printer.other.example'))
    equal((s.column('hostname', '10.0.0.5'), verdict['named']),
          ('printer.other.example', 1))


@case('a MAC that is the same is not written anew')
def _(s):
    s.hub.policy('policy: {mac: follow}')
    for stored in ('02-AA-BB-00-11-22', '02aa.bb00.1122', '02AABB001122'):
        s.sql.rows('DELETE FROM ipaddresses')
        s.seen_row('10.0.0.5', ago(500), mac=stored)
        verdict = s.applied(host('10.0.0.5', mac='02:aa:bb:00:11:22'))
        equal((s.column('mac', '10.0.0.5'), verdict.get('macs', 0)),
              (stored, 0))


@case('nothing is overwritten with nothing')
def _(s):
    s.hub.policy('policy: {hostname: follow, mac: follow}')
    s.seen_row('10.0.0.5', ago(500), **STALE)
    s.applied(host('10.0.0.5', name='', mac=''))
    s.applied(host('10.0.0.5', name='no good', mac='00:00:00:00:00:00'))
    equal(s.columns('hostname, mac', '10.0.0.5'), KEPT)


@case('a differing MAC is told once per row and MAC')
def _(s):
    s.seen_row('10.0.0.5', ago(500), description='by hand', mac=MAC_OLD)
    before, mark = s.hub.counter('macs_differing'), s.hub.log_mark()
    other = '02:aa:bb:00:' + random.randbytes(2).hex(':')
    for mac in (other, other.upper(), MAC_OLD, other):
        s.applied(host('10.0.0.5', mac=mac))
    equal(s.hub.counter('macs_differing') - before, 1)
    equal(s.hub.log_from(mark).count('another MAC answers'), 1)
    s.applied(host('10.0.0.5', mac='02:77:00:00:00:03'))
    equal(s.hub.counter('macs_differing') - before, 2)


# --- tags -------------------------------------------------------------------

def seen_tag(s, state, **row):
    """The tag of a row after its host was seen."""
    s.sql.rows('DELETE FROM ipaddresses')
    s.address('10.0.0.5', **{'state': state, 'lastSeen': wall(ago(500)), **row})
    s.applied(host('10.0.0.5', ago(5)))
    return s.column('state', '10.0.0.5')


def silent_tag(s, state, **row):
    """The tag of a row after a whole scan in which its host was silent."""
    s.sql.rows('DELETE FROM ipaddresses')
    s.address('10.0.0.5', **{'state': state, 'lastSeen': wall(ago(500)), **row})
    s.closing(WHOLE)
    return s.column('state', '10.0.0.5')


@case('seen: Offline, Reserved and DHCP become Used')
def _(s):
    tags_on(s)
    equal([seen_tag(s, state) for state in (1, 2, 3, 4)], ['2'] * 4)


@case('silent: Used and DHCP become Offline, Reserved never')
def _(s):
    tags_on(s)
    equal([silent_tag(s, state) for state in (1, 2, 3, 4)],
          ['1', '1', '3', '1'])


@case('tags stay while phpIPAM has updateTags off')
def _(s):
    equal((seen_tag(s, 1), silent_tag(s, 2)), ('1', '2'))


@case('tags stay while check is off')
def _(s):
    tags_on(s)
    s.update('subnets', 10, pingSubnet=0)
    equal((seen_tag(s, 1), silent_tag(s, 2)), ('1', '2'))


@case('tags with updateTag 0 stay, stock ones and an administrator\'s')
def _(s):
    tags_on(s)
    s.insert('ipTags', id=9, type='Lab', updateTag=0)
    s.update('ipTags', 4, updateTag=0)
    equal([seen_tag(s, state) for state in (9, 4)], ['9', '4'])
    equal([silent_tag(s, state) for state in (9, 4)], ['9', '4'])
    s.update('ipTags', 9, updateTag=1)
    equal((seen_tag(s, 9), silent_tag(s, 9)), ('2', '1'))


@case('a tag that does not exist, or none, stays')
def _(s):
    tags_on(s)
    equal([seen_tag(s, state) for state in (77, None)], ['77', None])
    equal([silent_tag(s, state) for state in (77, None)], ['77', None])


@case('a row that was never seen keeps its tag the first time')
def _(s):
    tags_on(s)
    for never in (None, '1970-01-01 00:00:01', '1970-01-01 01:00:00'):
        equal(seen_tag(s, 1, lastSeen=never), '1')
        equal(silent_tag(s, 2, lastSeen=never), '2')


@case('its second sighting changes the tag, the same part again does not')
def _(s):
    tags_on(s)
    s.address('10.0.0.5', state=1, lastSeen=None)
    message = s.report().part([host('10.0.0.5', ago(60))])
    for _ in range(2):
        s.peer().deliver(message)
        equal(s.column('state', '10.0.0.5'), '1')
    s.applied(host('10.0.0.5', ago(5)))
    equal(s.column('state', '10.0.0.5'), '2')


@case('policy tags never: no tag changes')
def _(s):
    tags_on(s)
    s.hub.policy('policy: {tags: never}')
    equal((seen_tag(s, 1), silent_tag(s, 2)), ('1', '2'))
    s.hub.policy('policy: {tags: never, subnets: {10: {tags: phpipam}}}')
    equal((seen_tag(s, 1), silent_tag(s, 2)), ('2', '1'))


@case('Offline takes a complete scan in which somebody answered')
def _(s):
    tags_on(s)
    s.seen_row('10.0.0.5', ago(500), state=2)
    s.closing(WHOLE, up=0)
    equal(s.column('state', '10.0.0.5'), '2', 'nobody answered')
    s.closing(WHOLE, complete=False)
    equal(s.column('state', '10.0.0.5'), '2', 'broken off')
    s.applied(host('10.0.0.6'))
    equal(s.column('state', '10.0.0.5'), '2', 'a part with hosts')
    s.closing(WHOLE)
    equal(s.column('state', '10.0.0.5'), '1')


@case('Offline is only for what was covered')
def _(s):
    tags_on(s)
    for at in range(1, 8):
        s.seen_row(f'10.0.0.{at}', ago(500), state=2)
    s.closing([('10.0.0.6', '10.0.0.6'), ('10.0.0.2', '10.0.0.3'),
               ('10.0.0.1', '10.0.0.2')])
    equal([s.column('state', f'10.0.0.{at}') for at in range(1, 8)],
          ['1', '1', '1', '2', '2', '1', '2'])
    s.closing([])
    equal(s.column('state', '10.0.0.7'), '2')


@case('Offline is not for who was seen since the scan began')
def _(s):
    tags_on(s)
    started = ago(60)
    s.seen_row('10.0.0.5', started - 1000, state=2)
    s.seen_row('10.0.0.6', started, state=2)
    s.seen_row('10.0.0.7', started + 9000, state=2)
    s.closing(WHOLE, started=started)
    equal([s.column('state', f'10.0.0.{at}') for at in (5, 6, 7)],
          ['1', '2', '2'])


# --- new rows ---------------------------------------------------------------

@case('a new row: texts, tag and NULLs')
def _(s):
    seen = ago(7)
    verdict = s.applied(host('10.0.0.5', seen), host(
        '10.0.0.6', seen, name='Host-6.example.', mac='02-00-00-00-00-0A'))
    equal((verdict['added'], verdict.get('seen', 0)), (2, 0))
    names = 'subnetId, description, hostname, mac, state, note, lastSeen, ' \
            'owner, port, switch, is_gateway, excludePing, editDate'
    note = f'This host was autodiscovered on {wall(seen)} by agent site-a'
    rest = (None, None, None, '0', '0', None)
    equal(s.columns(names, '10.0.0.5'),
          ('10', MADE, None, None, '2', note, wall(seen), *rest))
    equal(s.columns(names, '10.0.0.6'),
          ('10', MADE, 'Host-6.example', '02:00:00:00:00:0a', '2', note,
           wall(seen), *rest))


@case('an agent\'s name with quotes gets into the note as it is')
def _(s):
    s.update('scanAgents', 2, name="O'Hara\\ \"x\" ü")
    s.applied(host('10.0.0.5', ago(7)))
    assert s.sql.value("SELECT note LIKE '%by agent O\\'Hara%\"x\" ü' FROM "
                       'ipaddresses') == '1'


@case('without discovery nothing is inserted')
def _(s):
    s.update('subnets', 10, discoverSubnet=0)
    verdict = s.applied(host('10.0.0.5'))
    equal((verdict['skipped'], verdict.get('added', 0)), (1, 0))
    equal(s.count(), 0)


@case('a check inserts nothing, a discovery does')
def _(s):
    verdict = s.applied(host('10.0.0.5'), kind='check')
    equal((s.count(), verdict['skipped']), (0, 1))
    s.applied(host('10.0.0.5'), kind='discover')
    equal(s.count(), 1)


@case('the policy for names is not for new rows')
def _(s):
    s.hub.policy('policy: {hostname: never, mac: never}')
    s.applied(host('10.0.0.5', name='x.example', mac=MAC_NEW))
    equal(s.columns('hostname, mac', '10.0.0.5'), ('x.example', MAC_NEW))


# --- the subnet's times -----------------------------------------------------

@case('a closing part sets lastScan and lastDiscovery by kind and flags')
def _(s):
    started = ago(60)
    at = wall(started)
    for kind, check, discover, wanted in (
            ('both', 1, 1, (at, at)), ('check', 1, 1, (at, None)),
            ('discover', 1, 1, (None, at)), ('both', 1, 0, (at, None)),
            ('both', 0, 1, (None, at)), ('check', 0, 1, (None, None)),
            ('discover', 1, 0, (None, None))):
        s.update('subnets', 10, lastScan=None, lastDiscovery=None,
                 pingSubnet=check, discoverSubnet=discover)
        s.closing(WHOLE, started=started, kind=kind)
        equal(s.times(), wanted, f'{kind} {check} {discover}')


@case('a part with hosts does not set them')
def _(s):
    s.applied(host('10.0.0.5'))
    equal(s.times(), (None, None))


@case('a scan that was broken off, or that nobody answered, sets them')
def _(s):
    started = ago(60)
    s.closing([], complete=False, up=0, started=started)
    equal(s.times(), (wall(started),) * 2)


@case('they move forward only, and back from the future')
def _(s):
    later, earlier = ago(60), ago(90)
    s.closing(WHOLE, started=later)
    s.closing(WHOLE, started=earlier)
    equal(s.times(), (wall(later),) * 2)
    s.update('subnets', 10, lastScan=wall(now_ms() + 3600000))
    s.closing(WHOLE, started=earlier)
    equal(s.times(), (wall(earlier), wall(later)))


@case('a closing part sets times by subnet id')
def _(s):
    s.subnet(11, '10.0.0.0/24', sectionId=2)
    s.closing(WHOLE, subnet=11)
    equal(s.times(10), (None, None))


# --- older reports ----------------------------------------------------------

def overtaken(s, started, stored, **times):
    """A row and a new host, reported by a scan that began at 'started' while
    the subnet's times are as given."""
    tags_on(s)
    s.hub.policy('policy: {hostname: follow, mac: follow}')
    s.update('subnets', 10, **times)
    s.seen_row('10.0.0.5', stored, state=1, **STALE)
    s.applied(host('10.0.0.5', started + 1000, name=FRESH[0], mac=FRESH[1]),
              host('10.0.0.6', started + 1000), started=started)
    return (*s.columns('hostname, mac, state', '10.0.0.5'),
            s.column('lastSeen', '10.0.0.5') == wall(started + 1000),
            s.count())


@case('a report older than both times only moves lastSeen')
def _(s):
    started = ago(600)
    times = {'lastScan': wall(started + 1000),
             'lastDiscovery': wall(started + 1000)}
    equal(overtaken(s, started, started - 9000, **times), (*KEPT, '1', True, 1))


@case('a report that began when the stored one did is not older')
def _(s):
    started = ago(600)
    times = {'lastScan': wall(started), 'lastDiscovery': wall(started)}
    equal(overtaken(s, started, started - 9000, **times),
          (*FRESH, '2', True, 2))


@case('lastDiscovery alone decides about new rows')
def _(s):
    started = ago(600)
    got = overtaken(s, started, started - 9000,
                    lastDiscovery=wall(started + 1000))
    equal(got[2:], ('2', True, 1))


@case('lastScan alone decides about tags')
def _(s):
    started = ago(600)
    got = overtaken(s, started, started - 9000, lastScan=wall(started + 1000))
    equal(got[2:], ('1', True, 2))


@case('a stored time in the future does not make a report old')
def _(s):
    started = ago(600)
    future = wall(now_ms() + 7200000)
    equal(overtaken(s, started, started - 9000, lastScan=future,
                    lastDiscovery=future), (*FRESH, '2', True, 2))


@case('an older closing part makes nobody Offline')
def _(s):
    tags_on(s)
    started = ago(600)
    s.update('subnets', 10, lastScan=wall(started + 5000))
    s.seen_row('10.0.0.5', started - 9000, state=2)
    s.closing(WHOLE, started=started)
    equal(s.column('state', '10.0.0.5'), '2')
    s.closing(WHOLE, started=started + 5000)
    equal(s.column('state', '10.0.0.5'), '1')


# --- what must stay as it is ------------------------------------------------

@case('editDate is kept in both tables')
def _(s):
    tags_on(s)
    s.hub.policy('policy: {hostname: follow, mac: follow}')
    for at in (5, 6):
        s.seen_row(f'10.0.0.{at}', ago(500), state=1 if at == 5 else 2,
                   editDate=OLD_EDIT, **STALE)
    s.update('subnets', 10, editDate=OLD_EDIT)
    s.applied(host('10.0.0.5', name=FRESH[0], mac=FRESH[1]), started=ago(60))
    s.closing(WHOLE, started=ago(60))
    equal(s.columns('hostname, mac, state, editDate', '10.0.0.5'),
          (*FRESH, '2', OLD_EDIT))
    equal(s.columns('state, editDate', '10.0.0.6'), ('1', OLD_EDIT))
    equal(s.sql.value('SELECT editDate FROM subnets WHERE id = 10'), OLD_EDIT)
    assert s.times() != (None, None)


@case('an unchanged report writes nothing and burns no id')
def _(s):
    hosts = [host(f'10.0.0.{at}', ago(60), name=f'h{at}.example',
                  mac=f'02:00:00:00:00:{at:02x}') for at in range(1, 255)]
    s.applied(*hosts)
    before, next_id = s.tables(), s.next_id()
    equal(next_id, 255)
    for _ in range(3):
        equal(s.applied(*hosts)['seen'], 254)
    equal((s.tables(), s.next_id()), (before, next_id))
    equal(s.address('10.0.0.255'), 255, 'the id of the next row')


@case('hosts that lie close together leave those between them alone')
def _(s):
    # They are read as one stretch, but where numbers get a digit more: in
    # 0.0.3.0/24 at .232, which is 1000.
    s.subnet(11, '0.0.3.0/24')
    old = ago(7200)
    for subnet, network in ((10, '10.0.0'), (11, '0.0.3')):
        for at in range(1, 255):
            s.seen_row(f'{network}.{at}', old, subnet)
        verdict = s.applied(*(host(f'{network}.{at}', ago(60))
                              for at in range(2, 255, 2)), subnet=subnet,
                            cidr=f'{network}.0/24')
        equal((verdict['seen'], verdict.get('added', 0)), (127, 0))
        equal(s.sql.rows('SELECT ip_addr % 2, COUNT(*), MAX(lastSeen) = '
                         f"'{wall(old)}' FROM ipaddresses WHERE subnetId = "
                         f'{subnet} GROUP BY ip_addr % 2 ORDER BY 1'),
              [('0', '127', '0'), ('1', '127', '1')])


@case('a report that only moves lastSeen burns no id')
def _(s):
    seen = ago(60)
    for shift in range(3):
        s.applied(*(host(f'10.0.0.{at}', seen + shift * 1000)
                    for at in range(1, 100)))
    equal((s.next_id(), s.count()), (100, 99))


def updates(s):
    return int(s.sql.rows("SHOW GLOBAL STATUS LIKE 'Com_update'")[0][1])


@case('hosts seen at different times: each its own, in one UPDATE')
def _(s):
    # Ids in runs and alone, in another order than the addresses; what is
    # stored is older, newer, in the future, or never.
    stored = (wall(ago(7200)), wall(ago(10)), wall(now_ms() + 7200000), None,
              '1970-01-01 00:00:01')
    order = [*range(200, 100, -1), *range(1, 100, 3), *range(2, 100, 3)]
    for at in order:
        s.address(f'10.0.0.{at}', lastSeen=stored[at % len(stored)],
                  excludePing=int(at % 50 == 0))
        if at % 7 == 0:
            s.sql.rows('DELETE FROM ipaddresses WHERE id = '
                       f'{s.address("10.0.0.254")}')
    seen = {at: ago(100 + at * 7 % 20) for at in order}
    wanted = {at: before if at % 50 == 0
              else max(before, wall(seen[at])) if at % len(stored) in (0, 1)
              else wall(seen[at])
              for at in order for before in [stored[at % len(stored)]]}
    before = updates(s)
    s.applied(*(host(f'10.0.0.{at}', seen[at]) for at in sorted(order)))
    equal({at: s.column('lastSeen', f'10.0.0.{at}') for at in order}, wanted)
    # There are twenty times; beside them last_access of the agent is written.
    assert 1 <= updates(s) - before <= 4, updates(s) - before


# --- what the scanner asks --------------------------------------------------

@case('assignments: exactly what phpIPAM would scan')
def _(s):
    s.insert('nameservers', id=4, name='ns', namesrv1='192.0.2.1;192.0.2.2')
    s.subnet(11, '10.0.1.0/25', pingSubnet=0, resolveDNS=1, nameserverId=4)
    s.subnet(12, '2001:db8::/64', discoverSubnet=0, isPool=1)
    s.subnet(13, '10.0.3.0/24', scanAgent=3)
    s.subnet(14, '10.0.4.0/24', isFolder=1)
    s.subnet(15, '10.0.5.0/24')
    s.subnet(16, '10.0.5.0/25', masterSubnetId=15)
    s.subnet(17, '10.0.6.0/24', pingSubnet=0, discoverSubnet=0)
    s.hub.reload()

    def rows():
        return {row['id']: row for row in s.peer().assignments()}
    until(lambda: sorted(rows()) == [10, 11, 12, 16], 'the new assignments')
    common = {'resolve': False, 'pool': False, 'ns': []}
    equal(rows()[10], {'id': 10, 'cidr': '10.0.0.0/24', 'discover': True,
                       'check': True, **common, 'discover_s': 3600,
                       'check_s': 300})
    equal(rows()[11], {'id': 11, 'cidr': '10.0.1.0/25', 'discover': True,
                       'check': False, 'resolve': True, 'pool': False,
                       'ns': ['192.0.2.1', '192.0.2.2'], 'discover_s': 3600})
    equal(rows()[12], {'id': 12, 'cidr': '2001:db8::/64', 'discover': False,
                       'check': True, **common, 'pool': True, 'check_s': 300,
                       'ipv6': 'stable'})


@case('a change of the assignments is pushed')
def _(s):
    s.hub.reload()
    peer = s.peer()
    until(lambda: [row['id'] for row in peer.assignments()] == [10],
          'the first assignments')
    s.update('subnets', 10, discoverSubnet=0)
    s.hub.reload()
    assert peer.wait('revision')['rev']
    equal(peer.assignments()[0]['discover'], False)


@case('targets: known addresses, ascending, the excluded ones marked')
def _(s):
    s.address('10.0.0.9')
    s.address('10.0.0.10', excludePing=1)
    s.address('10.0.0.2')
    equal(s.peer().targets(10),
          [{'ip': packed(ip), 'exclude': exclude} for ip, exclude in
           (('10.0.0.2', False), ('10.0.0.9', False), ('10.0.0.10', True))])


@case('targets of another agent\'s subnet are not told')
def _(s):
    s.address('10.0.0.9')
    try:
        s.peer('site-b').targets(10)
    except HubError as error:
        equal(str(error), 'subnet-not-assigned')
    else:
        raise AssertionError('they were told')


@case('beats are answered')
def _(s):
    s.peer().send({'v': 1, 't': 'beat', 'now': now_ms(), 'spool': 3})
    assert abs(s.peer().wait('beat')['now'] - now_ms()) < 5000


@case('peer.py as a program reports who is up')
def _(s):
    s.hub.reload()
    until(lambda: len(s.peer().assignments()) == 1, 'assignments')
    s.seen_row('10.0.0.7', ago(9000), state=2)
    public, secret = s.hub.keys['site-a']
    cert = s.directory / 'peer.cert'
    cert.write_text(f'curve\n    public-key = "{public}"\n'
                    f'    secret-key = "{secret}"\n')
    done = subprocess.run(
        [sys.executable, '-B', harness.SOURCE / 'tests/integration/peer.py',
         '--endpoint', s.hub.endpoint, f'--hub-key={s.hub.public}', '--cert',
         cert, '--subnet', '10', '--up', '10.0.0.5,10.0.0.6'],
        capture_output=True, text=True, timeout=60, check=False)
    equal((done.returncode, done.stderr), (0, ''))
    equal(done.stdout.count("'applied'"), 2)
    equal(s.count(), 3)
    assert None not in s.times()


# --- a big one --------------------------------------------------------------

@case('a report of 65,536 hosts: doubled, out of order, its end lost')
def _(s):
    s.update('subnets', 10, subnet=decimal('10.16.0.0'), mask='16')
    report = s.report(cidr='10.16.0.0/16', started=ago(60))
    base, seen = int(decimal('10.16.0.0')), ago(30)
    parts = [report.part([{'ip': (base + at).to_bytes(4, 'big'), 'seen': seen}
                          for at in range(part * 4096, part * 4096 + 4096)],
                         part) for part in range(16)]
    random.Random(5).shuffle(parts)
    verdicts = s.peer().deliver(*parts)
    equal({verdict['result'] for verdict in verdicts}, {'applied'})
    equal(sum(verdict['added'] for verdict in verdicts), 65534)
    equal(sorted(one['cause'] for verdict in verdicts
                 for one in verdict.get('refused', [])),
          ['host-broadcast', 'host-network'])
    digest = 'SELECT COUNT(*), MIN(id), MAX(id), SUM(CRC32(CONCAT_WS(";", ' \
             'id, ip_addr, lastSeen, note, state))) FROM ipaddresses'
    before, next_id = s.sql.row(digest), s.next_id()
    equal(before[0], '65534')
    equal(s.times(), (None, None), 'the closing part was lost')

    # The scanner comes back, sends all of it again, and then its end.
    s.end_case()
    random.Random(6).shuffle(parts)
    for message in parts:
        s.peer().send(message)
    verdicts = s.peer().deliver(*parts)
    equal({verdict['result'] for verdict in verdicts}, {'applied'})
    equal(sum(verdict.get('added', 0) for verdict in verdicts), 0)
    s.peer().deliver(report.closing([('10.16.0.1', '10.16.255.254')], 16,
                                    up=65534))
    equal((s.sql.row(digest), s.next_id()), (before, next_id))
    equal(s.times(), (wall(report.head['started']),) * 2)


# --- hosts of an earlier scan ------------------------------------------------

@case('an old host gets a row or its time, and no tag')
def _(s):
    s.sql.rows('UPDATE settings SET updateTags = 1')
    s.seen_row('10.0.0.5', ago(9000), state=1)
    first, newest = ago(600), ago(60)
    report = s.report(started=newest)
    message = report.part([host('10.0.0.5', first, old=first - 5000),
                           host('10.0.0.6', first, old=first - 5000),
                           host('10.0.0.7', newest)])
    verdict = s.peer().deliver(message)[0]
    equal((verdict['seen'], verdict['added'], verdict.get('tagged', 0)),
          (1, 2, 0))
    s.closing([('10.0.0.1', '10.0.0.254')], report, up=1)
    equal([s.columns('lastSeen, state', f'10.0.0.{at}') for at in (5, 6, 7)],
          [(wall(first), '1'), (wall(first), '1'), (wall(newest), '2')])


@case('an old host of a scan before the last one does not come back')
def _(s):
    began = ago(300)
    s.closing(started=began)
    verdict = s.applied(host('10.0.0.4', ago(290), old=began - 1000),
                        host('10.0.0.5', ago(600), old=ago(610)),
                        host('10.0.0.6', ago(200), old=ago(210)),
                        started=ago(60))
    equal((verdict['added'], verdict['skipped']), (1, 2))
    equal((s.columns('lastSeen', '10.0.0.5'), s.count()), (None, 1))


if __name__ == '__main__':
    sys.exit(harness.main(Rules))
