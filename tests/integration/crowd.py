# SPDX-License-Identifier: MPL-2.0
"""A crowd of scanners that report at the same time of the same subnets, made
so that the rows that come of it do not depend on who is first."""

import random
import threading

import harness
from harness import CODE_A, ago, decimal, equal, host, wall

CROWD = 6       # keys that report at the same time, to each hub
NETWORKS = 6    # each of them in two sections: rows of their own

crowd_begun = ago(3600)


def register_crowd(hub, keys_from=None):
    """Keys of the crowd: new ones, or those of another hub."""
    for key in range(CROWD):
        name = f'crowd-{key}'
        if keys_from:
            hub.keys[name] = keys_from.keys[name]
            hub.register(name, hub.keys[name][0], CODE_A)
        else:
            hub.scanner(name, CODE_A)


def crowd_stage(s):
    for network in range(NETWORKS):
        for section in (1, 2):
            s.subnet(100 * section + network, f'10.7.{network}.0/24',
                     sectionId=section)
            # Offline ones that are there again, Used ones that are not.
            s.sql.rows('INSERT INTO ipaddresses (subnetId, ip_addr, lastSeen, '
                       'state) VALUES ' + ', '.join(
                           f"({100 * section + network}, "
                           f"'{decimal(f'10.7.{network}.{last}')}', "
                           f"'{wall(crowd_begun - 9_000_000)}', "
                           f"{1 if last % 2 else 2})"
                           for last in range(1, 255, 3)))
    s.sql.rows('UPDATE settings SET updateTags = 1')


def crowd_reports(seed):
    """Of every subnet one report from each key: hosts and times by chance."""
    dice = random.Random(seed)
    reports = []
    for key in range(CROWD):
        for network in range(NETWORKS):
            for section in (1, 2):
                report = harness.Report(100 * section + network,
                                        f'10.7.{network}.0/24',
                                        started=crowd_begun)
                lasts = dice.sample([last for last in range(1, 255)
                                     if last % 11], 150)
                parts = [report.part(
                    [host(f'10.7.{network}.{last}',
                          crowd_begun + 1000 * dice.randrange(1, 3000),
                          name=f'h{last}.example', mac=f'02:07:00:00:'
                          f'{network:02x}:{last:02x}')
                     for last in lasts[at:at + 50]], at // 50)
                    for at in range(0, 150, 50)]
                closing = report.closing(
                    [(f'10.7.{network}.1', f'10.7.{network}.254')], len(parts),
                    up=150)
                reports.append((key, parts, closing))
    return reports


def deliver_all(hubs, reports, dice):
    """Every key's reports to every hub at once, each in an order of its own;
    the closing parts when all others are done."""
    faults = []
    barrier = threading.Barrier(len(hubs) * CROWD)

    def one(hub, key, mine):
        peer = hub.peer(f'crowd-{key}', 60)
        try:
            for _, parts, _ in mine:
                faults.extend(verdict for verdict in peer.deliver(*parts)
                              if verdict['result'] != 'applied')
            barrier.wait(60)
            for _, _, closing in mine:
                faults.extend(verdict for verdict in peer.deliver(closing)
                              if verdict['result'] != 'applied')
        except Exception as error:
            faults.append(repr(error))
            barrier.abort()
        finally:
            peer.socket.close()

    threads = []
    for hub in hubs:
        for key in range(CROWD):
            mine = [report for report in reports if report[0] == key]
            dice.shuffle(mine)
            threads.append(threading.Thread(target=one, args=(hub, key, mine)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(faults, [])


def crowd_rows(sql):
    return (sql.rows('SELECT subnetId, ip_addr, lastSeen, hostname, mac, '
                     'state, description FROM ipaddresses ORDER BY subnetId, '
                     'ip_addr + 0'),
            sql.rows('SELECT id, lastScan, lastDiscovery FROM subnets '
                     'ORDER BY id'))


def crowd_wanted(s, hub, reports):
    """What one hub makes of the reports, one after the other."""
    crowd_stage(s)
    peer = hub.peer('crowd-0', 60)
    for _, parts, _ in reports:
        peer.deliver(*parts)
    for _, _, closing in reports:
        peer.deliver(closing)
    peer.socket.close()
    return crowd_rows(s.sql)


def same_rows(got, wanted, what='rows'):
    for kind in (0, 1):
        wrong = set(wanted[kind]) ^ set(got[kind])
        equal((len(wrong), sorted(wrong)[:6]), (0, []), f'{what} that differ')
        equal(len(got[kind]), len(wanted[kind]), what)
