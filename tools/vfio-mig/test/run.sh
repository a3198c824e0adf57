#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests what vfio-mig does without a device of VFIO: its command line, its JSON, the
# graphs, how it reads damaged files and the PF's settings, and how it judges them.
# Prints TAP.  run.sh OUT: OUT has what "make tests" builds.  The tests read no file
# of this host's devices, and open none.

set -u
[ $# = 1 ] || { echo "usage: run.sh OUT" >&2; exit 2; }
out=$(realpath "$1")
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

# exits STATUS ARG...: vfio-mig exits with STATUS; if that is not 0, it says why.  It
# sees the devices in $tree, see devices.sh.
tree=$tmp/tree
mkdir "$tree"
exits()
{
	local status=$1 got
	shift
	(cd "$tree" && exec "$out/test-vfio-mig" "$@") >"$tmp/out" 2>"$tmp/err" \
		</dev/null
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
tokens()
{
	local token status
	while read -r status token; do
		exits "$status" info --vf-token "$token" ffff:ff:1f.7 || return
		[ "$status" = 1 ] || grep -qF "\"$token\" is no UUID" "$tmp/err" ||
			return
	done <<-END
	1 8a2d5b0e-3f61-4c7a-9d10-6b7f0e5c4a39
	1 8A2D5B0E-3F61-4C7A-9D10-6B7F0E5C4A39
	2 8a2d5b0e-3f61-4c7a-9d10-6b7f0e5c4a3
	2 8a2d5b0e-3f61-4c7a-9d10-6b7f0e5c4a399
	2 8a2d5b0e-3f61-4c7a-9d10-6b7f0e5c4a3g
	2 8a2d5b0e-3f614c-7a-9d10-6b7f0e5c4a39
	2 8a2d5b0e3f614c7a9d106b7f0e5c4a39
	2 8a2d5b0e--f61-4c7a-9d10-6b7f0e5c4a39
	2 +a2d5b0e-3f61-4c7a-9d10-6b7f0e5c4a39
	2 8a2d5b0e-
	2
	END
}
verdict "a VF token has to be a UUID" tokens
verdict "info of nothing" exits 2 info
verdict "info of one device and of all" exits 2 info --all x
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

# ---- JSON ----

# follows DEFINITION STATUS ARG...: vfio-mig exits with STATUS, and its output is as
# the schema says
follows()
{
	local definition=$1
	shift
	exits "$@" && validates "$definition"
}

# validates DEFINITION: is the output of the last vfio-mig as the schema says?
validates()
{
	[ -n "$no_validate" ] || test/validate "$1" "$tmp/out"
}

# Without env, python3 or its jsonschema, "validate" can't tell.
no_validate=$(test/validate info /dev/null 2>&1 >/dev/null)
case $? in
2|126|127) ;;
*) no_validate= ;;
esac

. test/devices.sh

if [ -n "$no_validate" ]; then
	number=$((number + 1))
	echo "ok $number vfio-mig: JSON follows the schema # SKIP $no_validate"
else
	verdict "check --json without a device follows the schema" \
		follows check 1 check --json ffff:ff:1f.7 /dev/null
	verdict "inspect --json of an empty file follows the schema" \
		follows inspect 1 inspect --json /dev/null
	echo '{ "schema": 1, "device": "x", "driver": null, "reasons": [],
		"live_migratable": "perhaps" }' >"$tmp/wrong"
	wrong()
	{
		! test/validate info "$tmp/wrong" >"$tmp/out" &&
			grep -q perhaps "$tmp/out"
	}
	verdict "the schema refuses another answer" wrong
fi

# Each code that a reason can have is in the schema, and no other.
codes()
{
	grep -oh 'reason_add([^"]*"[a-z-]*"' ./*.c | grep -o '"[a-z-]*"' |
		sort -u >"$tmp/codes"
	sed -n 's/.*"const": \("[a-z-]*"\).*/\1/p' vfio-mig.schema.json |
		sort | diff "$tmp/codes" -
}
verdict "the schema has the codes of all reasons, and no other" codes

# ---- Programs ----

# run_program NAME: its results, with numbers that continue those from above
run_program()
{
	local status
	"$out/test-$1" >"$tmp/$1"
	status=$?
	awk -v n=$number '/^(not )?ok / { sub(/ok [0-9]+/, "ok " ++n " vfio-mig:") }
		!/^1\.\./' "$tmp/$1"
	number=$((number + $(grep -cE '^(not )?ok ' "$tmp/$1")))
	verdict "the $1 tests end as they should" test $status = 0
}
run_program streams
run_program policy
echo "1..$number"
exit $failed
