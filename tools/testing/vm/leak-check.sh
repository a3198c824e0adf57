#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Says whether VFIO's modules leaked memory: looks through what kmemleak found
# for objects that were allocated on a path through them.  The addresses in a
# module that has been unloaded have no name any more; only VFIO's modules are
# unloaded in the tests.  What others leaked is not for us to judge.

set -u

usage()
{
	cat <<-END
	usage: leak-check.sh FILE

	FILE: a copy of /sys/kernel/debug/kmemleak.  Exit status 1, and the
	objects on stdout, if VFIO leaked or FILE tells nothing.
	END
}

[ "${1-}" != --help ] || { usage; exit 0; }
[ $# = 1 ] || { usage >&2; exit 2; }

if ! [ -e "$1" ] || grep -q '^init:' "$1"; then
	echo "leak-check.sh: kmemleak was not asked"
	cat "$1" 2>/dev/null
	exit 1
fi
# In each record lines "    [<...>] symbol+0x1/0x2 [module]" or a bare address
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
