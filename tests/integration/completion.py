#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""What bash and zsh complete, with the scripts that the programs print and what
the shells' own machinery would ask of them.  Prints TAP."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

BUILD = Path(os.environ.get('top_builddir',
                            Path(__file__).resolve().parents[2])).resolve()
PROGRAMS = {
    'scanhubctl': ['cli/scanhubctl', 'completion'],
    'scanhub-scanner': ['scanner/scanhub-scanner', 'completion'],
    'scanhubd': ['hub/scanhubd', '--completion'],
    'scanhub-shim': ['shim/scanhub-shim', '--completion'],
}
COMMANDS = {'scanhubctl': r'^  ([a-z][a-z-]+) ', 'scanhub-scanner':
            r'^  ([a-z][a-z-]+)  '}


def run(*words):
    return subprocess.run(words, check=False, text=True, timeout=30,
                          stdin=subprocess.DEVNULL, capture_output=True)


def script(program, shell):
    path, *words = PROGRAMS[program]
    done = run(BUILD / path, *words, shell)
    assert (done.returncode, done.stderr) == (0, ''), done
    return done.stdout


def bash(program, *words):
    """What bash offers for a command line whose last word is being typed."""
    done = run('bash', '--norc', '-c', script(program, 'bash') + '''
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        "_$1" && printf '%s\\n' "${COMPREPLY[@]}"''', 'bash', program, *words)
    assert (done.returncode, done.stderr) == (0, ''), done
    return done.stdout.split()


def zsh(program, *words):
    """The same of zsh; descriptions are left out, FILES stands for files."""
    done = run('zsh', '-f', '-c', '''
        compadd () { shift; print -l -- "$@" }
        _files () { print FILES }
        _describe () { local -a all=("${(@P)4}"); print -l -- "${(@)all%%:*}" }
        words=("${@[2,-1]}") CURRENT=$(($# - 1))
        complete_it () { source /dev/stdin <<<"$script" }
        script=$1
        complete_it''', 'zsh', script(program, 'zsh'), program, *words)
    assert (done.returncode, done.stderr) == (0, ''), done
    return done.stdout.split()


def commands(program):
    text = run(BUILD / PROGRAMS[program][0], '--help').stdout
    return set(re.findall(COMMANDS[program], text, re.M))


def offers_all(shell):
    for program in COMMANDS:
        wanted = commands(program)
        assert len(wanted) > 5, wanted
        offered = set(shell(program, ''))
        assert wanted <= offered, (program, wanted - offered)


def check_shell(shell):
    """What both shells do alike."""
    offers_all(shell)
    assert 'approve' in shell('scanhubctl', 'scanner', '')
    assert '--code' in shell('scanhubctl', 'scanner', 'add', 'NAME', '-')
    assert '--code' in shell('scanhubctl', '--config', 'x', 'scanner', 'add',
                             '--cert', 'y', '--')
    assert set(shell('scanhubctl', 'scan', '--kind', '')) == {
        'discover', 'check', 'both'}
    assert shell('scanhubctl', 'pause', '7', '--until', '') in ([], [''])
    assert '--rate' in shell('scanhub-scanner', 'probe', '10.0.0.0/24', '-')
    assert '--rate' not in shell('scanhub-scanner', 'run', '-')
    assert '--test' in shell('scanhubd', '-')
    if (BUILD / PROGRAMS['scanhub-shim'][0]).exists():
        assert '--test' in shell('scanhub-shim', '-')


def case_bash():
    """bash offers what --help shows"""
    check_shell(bash)
    assert bash('scanhubctl', 'stat') == ['status']
    assert bash('scanhubctl', 'scanner', 'inv') == ['invite']
    assert not bash('scanhubctl', 'keygen', '')  # then bash offers files


def case_zsh():
    """zsh offers what --help shows"""
    check_shell(zsh)
    assert 'FILES' in zsh('scanhubctl', 'keygen', '')
    assert 'FILES' in zsh('scanhubctl', '--config', '')
    assert 'FILES' not in zsh('scanhubctl', 'status', '')


def case_other():
    """another shell is refused"""
    for path, *words in PROGRAMS.values():
        if (BUILD / path).exists():
            done = run(BUILD / path, *words, 'fish')
            assert (done.returncode, done.stdout) == (64, ''), done


def main():
    cases = [case_bash, case_zsh, case_other]
    print(f'1..{len(cases)}')
    failed = False
    for number, one in enumerate(cases, 1):
        name = one.__doc__
        if one is case_zsh and not shutil.which('zsh'):
            print(f'ok {number} - {name} # SKIP there is no zsh')
            continue
        try:
            one()
        except AssertionError as error:
            failed = True
            print('#', repr(error)[:2000])
            print(f'not ok {number} - {name}')
            continue
        print(f'ok {number} - {name}')
    return failed


if __name__ == '__main__':
    sys.exit(main())
