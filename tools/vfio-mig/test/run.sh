#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests what vfio-mig does without a device: its command line, the graphs, and how
# it reads damaged files.  Prints TAP.  run.sh OUT: OUT has vfio-mig and
# test-streams, as "make tests" builds them.

set -u
[ $# = 1 ] || { echo "usage: run.sh OUT" >&2; exit 2; }
out=$1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
number=0
failed=0

# verdict TEXT COMMAND...
verdict()
{
	local text=$1 result=ok
	shift
	"$@" || { result="not ok"; failed=1; }
	number=$((number + 1))
	echo "$result $number vfio-mig: $text"
}

# exits STATUS ARG...: vfio-mig exits with STATUS; if that is not 0, it says why
exits()
{
	local status=$1 got
	shift
	"$out/vfio-mig" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	got=$?
	[ $got = "$status" ] && { [ "$status" = 0 ] ||
		[ -s "$tmp/err" ] || [ -s "$tmp/out" ]; } && return
	echo "# vfio-mig $*: exit status $got instead of $status"
	return 1
}

# graph FLAGS ARC...: the graph has exactly these arcs, written FROM:TO
graph()
{
	local flags=$1
	shift
	# shellcheck disable=SC2086 # a list
	"$out/vfio-mig" fsm $flags >"$tmp/dot" || return
	printf '%s\n' "$@" ERROR:RUNNING | sort >"$tmp/expected"
	sed -n 's/^\t\([A-Z0-9_]*\) -> \([A-Z0-9_]*\).*/\1:\2/p' "$tmp/dot" |
		sort | diff "$tmp/expected" -
}

verdict "--help" exits 0 --help
verdict "no command" exits 2
verdict "an unknown command" exits 2 frobnicate
verdict "an unknown option" exits 2 info --frobnicate x
verdict "an option of another command" exits 2 save --json x y
verdict "an operand too few" exits 2 save x
verdict "an operand too many" exits 2 inspect x y
verdict "a flag that does not exist" exits 2 fsm p3p
verdict "flags that no device has" exits 2 fsm p2p
verdict "a device that does not exist" exits 1 info ffff:ff:1f.7
verdict "a name that is a path" exits 1 info ../../../etc
verdict "no such file" exits 1 inspect "$tmp/none"
verdict "an empty file" exits 1 inspect /dev/null
verdict "JSON of an empty file" exits 1 inspect --json /dev/null
verdict "a directory" exits 1 inspect /
# shellcheck disable=SC2094 # it only reads
verdict "its own program" exits 1 inspect "$out/vfio-mig"
full()
{
	"$out/vfio-mig" fsm >/dev/full 2>/dev/null
	[ $? = 1 ]
}
verdict "a full disk" full

stopped="STOP:STOP_COPY STOP_COPY:STOP STOP:RESUMING RESUMING:STOP"
# shellcheck disable=SC2086 # lists
{
	verdict "graph of stop-copy" graph stop-copy $stopped \
		RUNNING:STOP STOP:RUNNING
	verdict "graph of stop-copy, p2p" graph "stop-copy p2p" $stopped \
		RUNNING:RUNNING_P2P RUNNING_P2P:RUNNING \
		RUNNING_P2P:STOP STOP:RUNNING_P2P
	verdict "graph of stop-copy, pre-copy" graph "pre-copy stop-copy" \
		$stopped RUNNING:STOP STOP:RUNNING \
		RUNNING:PRE_COPY PRE_COPY:RUNNING PRE_COPY:STOP_COPY
	verdict "graph of all flags" graph "" $stopped \
		RUNNING:RUNNING_P2P RUNNING_P2P:RUNNING \
		RUNNING_P2P:STOP STOP:RUNNING_P2P \
		RUNNING:PRE_COPY PRE_COPY:RUNNING \
		RUNNING_P2P:PRE_COPY_P2P PRE_COPY_P2P:RUNNING_P2P \
		PRE_COPY:PRE_COPY_P2P PRE_COPY_P2P:PRE_COPY \
		PRE_COPY_P2P:STOP_COPY
}

# Graphviz writes the arcs of a graph into titles.
picture()
{
	"$out/vfio-mig" fsm |
		sed -n 's/^\t\([A-Z0-9_]*\) -> \([A-Z0-9_]*\).*/\1:\2/p' |
		sort >"$tmp/expected"
	sed -n 's,^<title>\(.*\)&#45;&gt;\(.*\)</title>$,\1:\2,p' "$1" | sort |
		diff "$tmp/expected" -
}
verdict "the picture in the documentation has the arcs of the graph" \
	picture ../../Documentation/images/migration-states.svg

"$out/test-streams" >"$tmp/streams"
status=$?
# Their numbers continue those from above.
awk -v n=$number '/^(not )?ok / { sub(/ok [0-9]+/, "ok " ++n " vfio-mig:") }
	!/^1\.\./' "$tmp/streams"
number=$((number + $(grep -cE '^(not )?ok ' "$tmp/streams")))
verdict "the stream tests end as they should" test $status = 0
echo "1..$number"
exit $failed
