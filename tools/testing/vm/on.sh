#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs a command in the VM or the namespace where guest/serve runs.

set -eu

usage()
{
	cat <<-END
	usage: on.sh DIR COMMAND [ARG]...
	       on.sh DIR --stop

	Waits until "serve" runs on the channels of DIR (see channels.sh), has it
	run COMMAND, and prints the output as it comes.  The exit status is
	COMMAND's, or 125 if "serve" has ended.  With --stop, ends "serve".
	END
}

[ "${1-}" != --help ] || { usage; exit 0; }
[ $# -ge 2 ] || { usage >&2; exit 2; }

dir=$1
shift

gone()
{
	echo "on.sh: \"serve\" has ended on the channels of $dir" >&2
	exit 125
}

# take N [FLOCK-OPTION]: takes channel N; false if another on.sh has it.
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

# Skips output of an earlier command, whose caller was killed.
begun=
while IFS= read -r line <&"$answer"; do
	case $line in
	"begin $id") begun=1 ;;
	:*) [ -z "$begun" ] || printf '%s\n' "${line#:}" ;;
	=*) [ -z "$begun" ] || exit "${line#=}" ;;
	esac
done
gone
