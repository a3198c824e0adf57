# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The steps that the ways are made of.  The VM runs in QEMU number $n, which is empty
# if there is no VM.  QEMUs with odd numbers are on host A, the others on host B.
# Steps write what they do to $log.

# shellcheck disable=SC2154,SC2034,SC2086 # ways.sh sets and uses variables; no spaces
n=
new=
last=0
limit=300
saved=/run/demo/saved

host_of()
{
	[ $(($1 % 2)) = 1 ] && echo A || echo B
}

# The host where the VM is not
other()
{
	host_of $((n + 1))
}

# new_on HOST: sets $new to the number of a new QEMU on HOST.
new_on()
{
	new=$((last + 1))
	[ "$(host_of "$new")" = "$1" ] || new=$((new + 1))
	last=$new
}

# host COMMAND N [ARG]...: runs host.sh on the host of QEMU N.
host()
{
	echo "+ host.sh $*" >>"$log"
	on "$(host_of "$2")" $tools/host.sh "$@" >>"$log" 2>&1
}

# ask COMMAND N [ARG]...: the same.  What QEMU said is in $out/said then.
ask()
{
	local status=0

	echo "+ host.sh $*" >>"$log"
	on "$(host_of "$2")" $tools/host.sh "$@" >"$out/said" 2>&1 || status=$?
	cat "$out/said" >>"$log"
	return $status
}

# qmp N ARG...: runs qmp on QEMU N.
qmp()
{
	ask qmp "$@"
}

# hosts_run: ends the test if a host has ended.  If its emulator died, nothing is
# judged.
hosts_run()
{
	if ! { on A true && on B true; }; then
		fail
	fi
}

# refused: takes what QEMU said last for the outcome.  False if QEMU has neither
# refused the command nor given the migration up.
refused()
{
	outcome=$(sed -nE 's/^qmp: migration [a-z]+: /fails: /p; t
		s/^qmp: [a-z_-]+: /refused: /p' "$out/said" | tail -n 1)
	[ -n "$outcome" ]
}

# new_vm PROPERTIES: starts a VM on host A, whose VF has these properties, and the
# traffic with it.  A VM that was there is killed.
new_vm()
{
	local name

	for name in A B; do
		on $name $tools/host.sh kill-all >>"$log" 2>&1 || return
	done
	[ "$last" = 0 ] || peer drop "$out/peer" "$vfs" || return
	new_on A
	n=$new
	host start "$n" device ${1:+--props "$1"} &&
		wait_for A answers >>"$log" 2>&1 || return
	peer start "$out/peer" "$vfs" >>"$log" 2>&1
}

# has_qemu: QEMU $n answers.  Hopeless if it is gone.
has_qemu()
{
	local status=0
	on "$(host_of "$n")" timeout 60 $tools/host.sh qmp "$n" query-status ||
		status=$?
	# 124 is from timeout.
	case $status in
	0) ;;
	124) return 1 ;;
	*) return $hopeless ;;
	esac
}

# answers: the VM answers a ping.
answers()
{
	has_qemu || return
	answers_ping
}

# flows: the VM's traffic goes on.  Hopeless if the TCP connection is lost.
flows()
{
	local said

	has_qemu || return
	said=$(on peer timeout 60 "$bed/peer.sh" flows "$out/peer" 2>&1) && return
	echo "${said:-the traffic does not go on}"
	# Its last words, when it has ended
	[[ $said != *stream* ]] || return $hopeless
	return 1
}

same_sums()
{
	local sent sum_sent received sum_received
	local to sum_to from sum_from

	read -r _ _ _ sent sum_sent _ received sum_received < <(
		grep '^stream end' "$out/peer/stream-0.out")
	read -r _ _ _ to sum_to _ from sum_from < <(
		grep '^stream end' "$out/$(host_of "$n")/vm-$n.out")
	echo "# the peer: $sent $sum_sent, $received $sum_received"
	echo "# the VM:   $from $sum_from, $to $sum_to"
	[ -n "$sent" ] && [ "$sent $sum_sent" = "$from $sum_from" ] &&
		[ "$received $sum_received" = "$to $sum_to" ]
}

# Ends the traffic and the VM, and compares what both sides sent and received.
end_vm()
{
	say "ending the traffic and the VM"
	if ! { peer stop "$out/peer" "$vfs" >>"$log" 2>&1 && host wait "$n"; }
	then
		hosts_run
		tail -n 3 "$out/peer/stream-0.out" \
			"$out/$(host_of "$n")/vm-$n.out" | sed 's/^/# /'
	fi
	verdict "all bytes of the TCP transfer arrived, checksums correct" same_sums
	n=
}

# await HOST TRACKING [OPTION]...: starts a QEMU there that waits for the VM, with
# these options of host.sh.  Its number is $new.
await()
{
	new_on "$1"
	host start "$new" "$2" --defer "${@:3}"
}

# listen [CAPABILITY]...: has QEMU $new listen on the network.
listen()
{
	host capabilities "$new" "$@" &&
		qmp "$new" migrate-incoming '{ "uri": "tcp:0:4444" }'
}

# Where QEMU $new listens
uri()
{
	echo "tcp:$(address_of "$(host_of "$new")"):4444"
}

# The VM is in QEMU $new, and the one that it has left ends.
arrived()
{
	qmp "$new" --wait-running && host end "$n" || return
	n=$new
	outcome=works
}

# Ends QEMU $new, to which the VM does not go.
give_up()
{
	host give-up "$new"
}

# carry [CAPABILITY]...: moves the VM to QEMU $new.
carry()
{
	listen "$@" && host capabilities "$n" "$@" || return
	if qmp "$n" --migrate "$(uri)" "$limit"; then
		arrived
	else
		refused && give_up
	fi
}

# move [CAPABILITY]...: moves the VM to the other host.
move()
{
	await "$(other)" device && carry "$@"
}

# hang CAPABILITY...: begins to move the VM to a QEMU on the other host that does not
# run, so that the migration goes on until somebody ends it.
hang()
{
	await "$(other)" device && listen "$@" && host freeze "$new" &&
		host capabilities "$n" "$@" &&
		qmp "$n" --begin "$(uri)" "$limit"
}

# to_pre_switchover [CAPABILITY]...: begins to move the VM to the other host, until it
# has stopped.  Its devices are not saved yet.
to_pre_switchover()
{
	await "$(other)" device && listen "$@" &&
		host capabilities "$n" "$@" pause-before-switchover &&
		qmp "$n" --begin "$(uri)" "$limit" &&
		qmp "$n" --wait-for pre-switchover
}

# Has QEMU save the devices then.
switch_over()
{
	qmp "$n" migrate-continue '{ "state": "pre-switchover" }'
}

# set_parameter N PARAMETER VALUE: sets a parameter of migrations.
set_parameter()
{
	qmp "$1" migrate-set-parameters "{ \"$2\": \"$3\" }"
}

# set_capability N NAME true|false
set_capability()
{
	qmp "$1" migrate-set-capabilities "{ \"capabilities\": [
		{ \"capability\": \"$2\", \"state\": $3 } ] }"
}

# set_property N NAME VALUE: sets a property of the VF.
set_property()
{
	qmp "$1" qom-set "{ \"path\": \"/machine/peripheral/vf0\",
		\"property\": \"$2\", \"value\": \"$3\" }"
}
