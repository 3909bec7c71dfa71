# SPDX-License-Identifier: MPL-2.0
"""The stage for both doctors, the hub's and a scanner's: their findings as
Python has them."""

import json
import os
import subprocess

import harness
from harness import PATIENCE, SCANHUBCTL, ago, equal, wall
from service import Scanner

DAY = 86400
GOOD, WARNING, ERROR = 'good', 'warning', 'error'


def findings(done, status=None):
    """Of a run with --json: {check: [(result, text)]}."""
    found = json.loads(done.stdout)
    if status is not None:
        equal(done.returncode, status, done.stdout + (done.stderr or ''))
    checks = {}
    for one in found['findings']:
        checks.setdefault(one['check'], []).append(
            (one['result'], one['text']))
    for word, result in (('good', GOOD), ('warnings', WARNING),
                         ('errors', ERROR)):
        equal(found[word], sum(result == one['result']
                               for one in found['findings']), word)
    return checks


def finding(checks, check, result, *words):
    """The text of the finding that has these words."""
    found = checks.get(check, [])
    for graded, text in found:
        if graded == result and all(word in text for word in words):
            return text
    raise AssertionError(f'{check}: no {result} with {words}: {found}')


class Site(Scanner):
    """A scanner with a doctor."""

    def doctor(self, status=None, prefix=(), **environment):
        done = subprocess.run(
            [*prefix, *self.command('doctor', '--json')], text=True,
            check=False, stdin=subprocess.DEVNULL, capture_output=True,
            timeout=PATIENCE * 2, env={**os.environ, **environment})
        equal(done.stderr, '')
        return findings(done, status)

    def sees(self, check, result, *words, **more):
        return finding(self.doctor(**more), check, result, *words)

    def is_well(self, check):
        found = self.doctor().get(check, [])
        assert found and all(result == GOOD for result, _ in found), found


class Stage(harness.Stage):
    hub_config = {'workers': 1}

    def reset(self):
        super().reset()
        now = wall(ago(0))
        self.update('scanAgents', 2, last_access=now)
        self.update('scanAgents', 3, last_access=now)

    def run_doctor(self, *words, config=None, **more):
        env = {**os.environ, 'TZ': 'UTC0',
               'STATE_DIRECTORY': str(self.hub.directory)}
        return subprocess.run(
            [str(SCANHUBCTL), '--config', str(config or self.hub.path),
             'doctor', *words], text=True, stdin=subprocess.DEVNULL,
            capture_output=True, timeout=PATIENCE * 2, check=False,
            **{'env': env, **more})

    def doctor(self, *words, status=None, **more):
        done = self.run_doctor('--json', *words, **more)
        equal(done.stderr, '')
        return findings(done, status)

    def sees(self, check, result, *words, **more):
        """That check finds this, once at least; its text."""
        return finding(self.doctor(**more), check, result, *words)

    def is_well(self, check):
        found = self.doctor().get(check, [])
        assert found and all(result == GOOD for result, _ in found), found

    def account(self):
        return f"'{self.database.env['DB_USER']}'@'localhost'"


def may_be_other():
    if os.geteuid() != 0:
        raise harness.Skip('becoming another user takes root')
    return {'user': 65534, 'group': 65534, 'extra_groups': []}
