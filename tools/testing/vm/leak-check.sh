#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Finds out whether VFIO's modules leaked memory: searches kmemleak's report for
# objects whose allocation went through these modules.  A bare address in a
# backtrace counts as VFIO's: it is of a module that has been unloaded, and the
# tests unload only VFIO's.  Leaks of other code are ignored.

set -u

usage()
{
	cat <<-END
	usage: leak-check.sh FILE

	FILE: a copy of /sys/kernel/debug/kmemleak.  Prints the objects that
	VFIO leaked.  Exit status 1 if there are any, or if FILE is no report.
	END
}

[ "${1-}" != --help ] || { usage; exit 0; }
[ $# = 1 ] || { usage >&2; exit 2; }

if ! [ -e "$1" ] || grep -q '^init:' "$1"; then
	echo "leak-check.sh: there is no report of kmemleak"
	cat "$1" 2>/dev/null
	exit 1
fi
# A backtrace has lines "    [<...>] symbol+0x1/0x2 [module]" or "    [<...>]
# 0x1".
awk '
	function judge() {
		if (ours) { printf "%s", record; bad = 1 }
		record = ""; ours = 0
	}
	/^unreferenced object/ { judge() }
	{ record = record $0 "\n" }
	/^ *\[<[0-9a-f]+>\] / && (/\[(vfio|igbvf_vfio)[a-z0-9_]*\]/ ||
		/ vfio_[a-z0-9_]+\+0x/ || /\] 0x[0-9a-f]+ *$/) { ours = 1 }
	END { judge(); exit bad }' "$1"
