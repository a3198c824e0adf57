#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The channels between on.sh on this machine and guest/serve elsewhere, in a VM
# or in a namespace: pairs of named pipes, each for one command at a time.  A
# request is the line "ID COMMAND"; the answer is "begin ID", the command's output
# with ":" before each line, and "=STATUS".  Both ends sleep until something comes.

set -eu

usage()
{
	cat <<-END
	usage: channels.sh make DIR    make channelN.in and channelN.out in DIR
	       channels.sh end DIR     remove them; on.sh learns that nobody serves
	END
}

[ "${1-}" != --help ] || { usage; exit 0; }
[ $# = 2 ] || { usage >&2; exit 2; }

case $1 in
make)
	# More than the demo has at work at the same time
	for n in 0 1 2 3; do
		rm -f "$2/channel$n.in" "$2/channel$n.out"
		mkfifo "$2/channel$n.in" "$2/channel$n.out"
		: >"$2/channel$n.lock"
	done
	;;
end)
	# To open a pipe may be what on.sh waits for.
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
