#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Makes the channels between on.sh on this machine and guest/serve in a VM or in
# a namespace.  A channel is a pair of named pipes, for one command at a time.
# A request is the line "ID COMMAND".  The answer is the line "begin ID", the
# command's output with ":" before each line, and the line "=STATUS".

set -eu

usage()
{
	cat <<-END
	usage: channels.sh make DIR    make channelN.in and channelN.out in DIR
	       channels.sh end DIR     remove them; on.sh then fails with status 125
	END
}

[ "${1-}" != --help ] || { usage; exit 0; }
[ $# = 2 ] || { usage >&2; exit 2; }

case $1 in
make)
	# The demo never runs as many commands at the same time.
	for n in 0 1 2 3; do
		rm -f "$2/channel$n.in" "$2/channel$n.out"
		mkfifo "$2/channel$n.in" "$2/channel$n.out"
		: >"$2/channel$n.lock"
	done
	;;
end)
	# on.sh may be waiting in open(): open both ends.
	fds=()
	for pipe in "$2"/channel*.in "$2"/channel*.out; do
		[ -p "$pipe" ] || continue
		exec {fd}<>"$pipe"
		fds+=("$fd")
		rm "$pipe"
	done
	;;
*)
	usage >&2
	exit 2
	;;
esac
