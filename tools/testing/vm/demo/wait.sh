# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Waits on the bed (bed.sh) for something that may never happen.  The limit is in
# seconds in which the host could run, as vm.sh counts them: a busy machine does not
# reach it.  It is below the limit of vm.sh, and both hosts get a command in each
# round, so that a wait that fails leaves both hosts running.

# shellcheck disable=SC2154 # bed.sh sets $bed
patience=600
# With this exit status, the command of wait_for() says that it cannot succeed later.
hopeless=99

# granted NAME: for how many seconds host NAME could run.  The file is empty for a
# moment when vm.sh writes it.
granted()
{
	local seconds=

	until [ -n "$seconds" ]; do
		seconds=$(on "$1" cat /run/vm/ctl/granted) || return
	done
	echo "$seconds"
}

# wait_for NAME COMMAND...: repeats COMMAND, which has to end by itself, until it
# succeeds.  False if it is hopeless, if host NAME could run for $patience seconds
# meanwhile, or if a host has ended; then prints why, and the last output of COMMAND.
wait_for()
{
	local name=$1 start now said status
	shift

	start=$(granted "$name") || return
	while :; do
		status=0
		said=$("$@" 2>&1) || status=$?
		[ $status != 0 ] || return 0
		if [ $status = $hopeless ]; then
			echo "$said"
			return 1
		fi
		if ! { on A true && on B true && now=$(granted "$name"); }; then
			echo "$said"
			return 1
		fi
		if [ $((now - start)) -ge $patience ]; then
			echo "$said"
			echo "not so after $((now - start)) s in which host $name" \
				"could run: $*"
			return 1
		fi
		sleep 1
	done
}

# answers_ping: one try, of a minute
answers_ping()
{
	on peer timeout 60 "$bed/peer.sh" reach && return
	echo "the VM does not answer a ping"
	return 1
}
