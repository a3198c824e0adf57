#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs a command in a VM that is already up and runs guest/serve.

set -eu

usage()
{
	cat <<-END
	usage: on.sh DIR COMMAND [ARG]...
	       on.sh DIR --ready | --stop

	Runs COMMAND in the VM that serves DIR (see guest/serve), brings its
	output out as it comes and ends with its exit status (125 if the VM
	ended: DIR/ended exists).  With --ready, waits until the VM serves; with
	--stop, ends it.
	END
}

[ "${1-}" != --help ] || { usage; exit 0; }
[ $# -ge 2 ] || { usage >&2; exit 2; }

dir=$1
shift

wait_for()
{
	until [ -e "$1" ]; do
		if [ -e "$dir/ended" ]; then
			echo "on.sh: the VM has ended" >&2
			exit 125
		fi
		sleep 0.1
	done
}

case $1 in
--ready)
	wait_for "$dir/ready"
	exit 0
	;;
--stop)
	: >"$dir/stop"
	exit 0
	;;
esac

# The next number; callers may be many.
exec 9>"$dir/lock"
flock 9
n=$(cat "$dir/last" 2>/dev/null || echo 0)
n=$((n + 1))
echo $n >"$dir/last"
printf '%q ' "$@" >"$dir/$n.tmp"
mv "$dir/$n.tmp" "$dir/$n.cmd"
flock -u 9

wait_for "$dir/$n.out"
at=1
show()
{
	local size
	size=$(stat -c %s "$dir/$n.out")
	if [ "$size" -ge "$at" ]; then
		tail -c "+$at" "$dir/$n.out" | head -c $((size - at + 1))
		at=$((size + 1))
	fi
}
until [ -e "$dir/$n.status" ]; do
	show
	if [ -e "$dir/ended" ]; then
		echo "on.sh: the VM has ended" >&2
		exit 125
	fi
	sleep 0.1
done
show
exit "$(cat "$dir/$n.status")"
