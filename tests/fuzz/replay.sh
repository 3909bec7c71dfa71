#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Runs every fuzz target over its corpus: what once was found stays found.
# Prints TAP.
set -u
: "${srcdir:=.}" "${top_builddir:=.}"
count=0
status=0
for target in "$top_builddir"/tests/fuzz/fuzz_*; do
    [ -x "$target" ] || continue
    name=${target##*/fuzz_}
    case $name in *.*) continue ;; esac
    count=$((count + 1))
    if output=$("$target" "$srcdir/tests/fuzz/corpus/$name" 2>&1); then
        echo "ok $count - corpus of $name"
    else
        echo "not ok $count - corpus of $name"
        printf '%s\n' "$output" | tail -n 40 | sed 's/^/# /'
        status=1
    fi
done
echo "1..$count"
[ "$count" -gt 0 ] || status=1
exit $status
