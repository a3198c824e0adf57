#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs a command where guest/serve runs, be that in a VM or in a namespace.

set -eu

usage()
{
	cat <<-END
	usage: on.sh DIR COMMAND [ARG]...
	       on.sh DIR --stop

	Runs COMMAND where "serve" has the channels of DIR (see channels.sh), once
	it is up, brings the output out as it comes and ends with the command's
	exit status.  Status 125: nobody serves DIR any more.  With --stop, ends
	"serve".
	END
}

[ "${1-}" != --help ] || { usage; exit 0; }
[ $# -ge 2 ] || { usage >&2; exit 2; }

dir=$1
shift

gone()
{
	echo "on.sh: nobody serves $dir any more" >&2
	exit 125
}

# take N [FLOCK-OPTION]: channel N, if it can be had.
take()
{
	local n=$1
	shift
	exec {lock}<"$dir/channel$n.lock" || gone
	if flock "$@" "$lock"; then
		channel=$dir/channel$n
		return 0
	fi
	exec {lock}<&-
	return 1
}

take 0 -n || take 1 -n || take 2 -n || take 3 -n || take 0

case $1 in
--stop) request=--stop ;;
*) request=$(printf '%q ' "$@") ;;
esac
id=$$.$RANDOM
{
	exec {answer}<"$channel.out" && echo "$id $request" >"$channel.in"
} 2>/dev/null || gone
[ "$request" != --stop ] || exit 0

# What an earlier command left there, of a caller that was killed, is not ours.
begun=
while IFS= read -r line <&"$answer"; do
	case $line in
	"begin $id") begun=1 ;;
	:*) [ -z "$begun" ] || printf '%s\n' "${line#:}" ;;
	=*) [ -z "$begun" ] || exit "${line#=}" ;;
	esac
done
gone
