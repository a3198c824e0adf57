#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The demo: a VM that owns a VF of an 82576 migrates from one host to another
# and back, while traffic runs between the VM and a peer on neither host.  This
# script has the order of the steps.  bed.sh makes the machines; host.sh,
# peer.sh and guest.sh do the steps there; report gives the verdict.

set -u

usage()
{
	cat <<-END
	usage: demo.sh [--check] [OPTION]...

	Migrates a VM with a VF between two hosts and back, under traffic.
	Prints what happened and the verdict.  Exit status:
	  0    the VM saw nothing but the outages
	  1    something failed
	  75   not judged: the emulator died, or too little was recorded.  What
	       is tested has not failed
	  --check          TAP output, no picture
	  --modules DIR    modules to use (default: builds them, make modules)
	  --kernel DIR     the hosts run this kernel, with the modules in it
	                   (debug-kernel.sh makes such a DIR)
	  --linux-b VERSION   host B runs Debian's Linux VERSION, e.g. 7.3, with
	                   modules built for it (see ../kernel-root.sh)
	  --qemu QEMU      the hosts run this QEMU: a suite of Debian, packages or a
	                   directory, see ../qemu.sh --help (default Debian 13's)
	  --qemu-b QEMU    host B runs this one.  The VM has the newest machine type
	                   that both hosts' QEMUs have
	  --driver NAME    the VF's VFIO driver (default igbvf-vfio-pci), or none:
	                   a virtio-net card instead of the VF, for comparison
	  --moves N        how often the VM migrates (default 3; with --check 2,
	                   there and back)
	  --tracking LIST  what tracks the VF's writes to the VM's memory, for each
	                   move (the last entry also for the moves after it):
	                   device: the VF's driver, as is QEMU's default;
	                   container: nothing, type 1 counts all memory as written.
	                   The default is device,device,container, with --check
	                   device
	  --downtime MS    QEMU's downtime limit (default: with device QEMU's own,
	                   300; with container 60000).  The demo doubles it after
	                   each ten passes that did not get below it
	  --memory MIB     the VM's memory, an even number (default 128; up to 2048)
	  --vfs N          how many VFs the VM has (default 1; up to 2)
	  --pfs N          how many PFs the VFs belong to (default 1; up to 2)
	  --hold RATE      the VM holds all of the memory that it can get under
	                   checksum.  It also receives RATE bytes a second (0: as
	                   many as it can), and leaves some MiB of them unread in
	                   the buffers that the VF wrote
	  --kill           kill QEMU in further migrations, with the device in
	                   PRE_COPY and in STOP_COPY: the destination's before the
	                   first move (--moves 0 is not possible), the source's
	                   after the last one
	  --fault lose     make the VF lose frames after the last move, to see
	                   that the demo fails
	  --fault hide-log hide most of the VF's log from QEMU, to see that the
	                   demo fails (with --hold)
	  --out DIR        logs (default build/demo, or build/demo-check)
	  --svg FILE       the picture (default build/demo.svg)
	  --keep-going     report even if a step failed (for development)
	END
}

here=$(dirname "$(realpath "$0")")
vm=$(dirname "$here")
top=$(realpath "$vm/../../..")
check=
modules=
kernel=
driver=igbvf-vfio-pci
moves=
tracking=
downtime=
memory=128
vfs=1
pfs=1
hold=
record=1
out=
svg=$top/build/demo.svg
kill=
keep_going=
fault=
qemu=
qemu_b=
linux_b=

while [ $# -gt 0 ]; do
	case $1 in
	--help) usage; exit 0 ;;
	--check) check=1 svg=; shift; continue ;;
	--keep-going) keep_going=1; shift; continue ;;
	--kill) kill=1; shift; continue ;;
	--modules | --kernel | --driver | --moves | --tracking | --downtime | \
		--memory | --vfs | --pfs | --hold | --fault | --out | --svg | \
		--qemu | --qemu-b | --linux-b)
		[ $# -gt 1 ] || { usage >&2; exit 2; }
		;;
	*) usage >&2; exit 2 ;;
	esac
	case $1 in
	--modules) modules=$2 ;;
	--kernel) kernel=$(realpath -e "$2") || exit 2 ;;
	--qemu) qemu=$2 ;;
	--qemu-b) qemu_b=$2 ;;
	--linux-b) linux_b=$2 ;;
	--driver) driver=$2 ;;
	--moves) moves=$2 ;;
	--tracking) tracking=$2 ;;
	--downtime) downtime=$2 ;;
	--memory) memory=$2 ;;
	--vfs) vfs=$2 ;;
	--pfs) pfs=$2 ;;
	--hold) hold=$2 ;;
	--fault)
		[[ $2 = @(lose|hide-log) ]] || { usage >&2; exit 2; }
		fault=$2
		;;
	--out) out=$2 ;;
	--svg) svg=$2 ;;
	esac
	shift 2
done
if [ -n "$check" ]; then
	: "${moves:=2}" "${tracking:=device}"
else
	: "${moves:=3}" "${tracking:=device,device,container}"
fi
: "${out:=$top/build/demo${check:+-check}}"
IFS=, read -ra trackers <<<"$tracking"
for tracker in "${trackers[@]}"; do
	case $tracker in
	device | container) ;;
	*) usage >&2; exit 2 ;;
	esac
done
if { [ -n "$kill" ] && [ "$moves" = 0 ]; } ||
	[[ ! $vfs$pfs =~ ^[12][12]$ ]] || [ "$pfs" -gt "$vfs" ] ||
	{ [ "$driver" = none ] && [ "$vfs" != 1 ]; } ||
	{ [ -n "$linux_b" ] && [ -n "$kernel" ]; }; then
	usage >&2
	exit 2
fi

# Seconds of undisturbed traffic before, between and after the moves.
settle=4

# shellcheck source=tools/testing/vm/demo/bed.sh
. "$here/bed.sh"
bed_begin
bed_build
bed_boot
bed_setup

# tracking_of N: what tracks the VF's writes in the Nth move, as in --tracking
tracking_of()
{
	local last=$((${#trackers[@]} - 1))

	echo "${trackers[$(($1 - 1 < last ? $1 - 1 : last))]}"
}

# limit_of N: the downtime limit of the Nth move in milliseconds.  Without
# tracking, all memory is dirty in every pass, and the limit has to allow for a
# whole pass.
limit_of()
{
	local limit=300

	[ "$(tracking_of "$1")" = device ] || limit=60000
	echo "${downtime:-$limit}"
}

# start N NAME [--incoming]: starts QEMU number N, on host NAME.
start()
{
	start_vm "$1" "$2" "$(tracking_of "$1")" ${3:+"$3"}
}

# await N NAME: starts QEMU number N, which waits for the VM, on host NAME.
await()
{
	start "$1" "$2" --incoming
}

say "host A: starting the VM (Debian's kernel and igbvf), then the traffic"
waiting=
if [ "$moves" -gt 0 ]; then
	await 2 B &
	waiting=$!
fi
start 1 A || fail
peer start "$out/peer" "$vfs" ${hold:+"$hold"} || {
	cat "$out"/A/vm-1.out "$out"/A/log/vm-1.* >&2
	fail
}

# clocks N: compares both hosts' clocks with the peer's, before the Nth move.
clocks()
{
	{
		echo "A $(peer clock 10.1.0.11)"
		echo "B $(peer clock 10.1.0.12)"
	} >"$out/clocks-$1"
}

# Shows the migration's progress on one line.
progress()
{
	local word at status pass sent left
	while read -r word at _ status _ pass _ sent _ _ left _; do
		[ "$word $at" != "migrate limit" ] ||
			say "no end after $pass passes: the limit is now $status ms"
		[ "$word $at" = "migrate at" ] || continue
		if [ -n "$check" ] || ! [ -t 1 ]; then
			continue
		fi
		printf '\r        %-10s pass %s, %6d KiB sent, %6d KiB left ' \
			"$status" "$pass" "$sent" "$left"
	done
	dirty_line=1
}

# killed_in STATE N FROM M TO VICTIM: QEMU N on host FROM migrates the VM to
# QEMU M on host TO.  When its device is in STATE, QEMU N is stopped, and
# VICTIM, which is N or M, is killed.  For PRE_COPY, QEMU M is stopped before:
# PRE_COPY lasts until the destination acknowledges the switchover.
killed_in()
{
	local state=$1 n=$2 from=$3 m=$4 to=$5 victim=$6 where=$5 qmp_state

	[ "$victim" = "$m" ] || where=$from
	say "host $from: migrating the VM to host $to; QEMU on host $where is" \
		"killed when the device is in $state"
	qmp_state=${state,,}
	[ "$state" != PRE_COPY ] || on "$to" $tools/host.sh freeze "$m" || return
	on "$from" $tools/host.sh migrate "$n" "$(address_of "$to")" \
		"$(limit_of "$n")" "${qmp_state/_/-}" \
		>"$out/killed-$victim-$state" 2>&1 || {
		cat "$out/killed-$victim-$state" >&2
		return 1
	}
	on "$where" $tools/host.sh kill "$victim" || return
	if [ "$victim" = "$n" ]; then
		[ "$state" != PRE_COPY ] || on "$to" $tools/host.sh thaw "$m"
		return
	fi
	on "$from" $tools/host.sh thaw "$n" || return
	# On a busy machine the migration may end before QEMU N is stopped.
	on "$from" $tools/host.sh wait-failed "$n" || {
		not_judged="the migration was over before QEMU could be killed"
		return 1
	}
}

# Kills the destination's QEMU: the VM must go on at the source.
kill_destination()
{
	local state

	for state in PRE_COPY STOP_COPY; do
		wait $waiting || return
		sleep $settle
		killed_in "$state" 1 A 2 B 2 || return
		on A $tools/host.sh wait-running 1 || return
		say "host A: the VM goes on; host B: waiting for it on the same VF"
		await 2 B &
		waiting=$!
	done
}

# Kills the source's QEMU, and so the VM: another VM must start on either host's
# VF.
kill_source()
{
	local state n=$((moves + 2)) name

	n=$((n + 1 - n % 2))
	for state in PRE_COPY STOP_COPY; do
		start $n A || return
		await $((n + 1)) B || return
		peer reach || return
		killed_in "$state" $n A $((n + 1)) B $n || return
		say "host B: QEMU ends, as the VM did not come"
		on B $tools/host.sh wait-end $((n + 1)) || return
		for name in A B; do
			n=$((n + 2))
			say "host $name: starting a VM on the same VF"
			start $n $name || return
			peer reach || return
			on $name $tools/host.sh end $n || return
		done
		n=$((n + 2))
	done
}

# how N: the conditions of the Nth move
how()
{
	local tracked="tracked by the VF's driver"

	[ "$(tracking_of "$1")" = device ] ||
		tracked="all memory counts as written"
	[ "$driver" != none ] || tracked="written by QEMU itself"
	echo "$tracked, downtime limit $(limit_of "$1") ms"
}

# move N FROM TO: the Nth move.
move()
{
	local n=$1 from=$2 to=$3 next=$(($1 + 1))

	if [ -n "$waiting" ]; then
		wait $waiting || return
		waiting=
	else
		say "host $to: waiting for the VM to come back"
		await $next "$to" || return
	fi
	sleep $settle
	clocks "$n"
	say "host $from: migrating the VM to host $to, $(how "$n")"
	on "$from" $tools/host.sh migrate "$n" "$(address_of "$to")" \
		"$(limit_of "$n")" 2>"$out/migrate-$n.err" |
		tee "$out/migrate-$n" | progress
	[ "${PIPESTATUS[0]}" = 0 ] || {
		tail -n 3 "$out/migrate-$n" "$out/migrate-$n.err" >&2
		return 1
	}
	on "$to" $tools/host.sh wait-running $next || return
	say "host $to: the VM runs here; host $from: its QEMU ends"
	on "$from" $tools/host.sh end "$n" || return
}

[ -z "$kill" ] || kill_destination || fail
from=A
to=B
for ((n = 1; n <= moves; n++)); do
	move "$n" $from $to || {
		[ -n "$keep_going" ] || {
			tail -n 20 "$out"/[AB]/log/vm-*.qemu >&2
			fail
		}
		break
	}
	swap=$from from=$to to=$swap
done
sleep $settle
if [ "$fault" = lose ]; then
	say "host $from: the VF loses frames, on purpose"
	on $from $tools/host.sh lose || fail
	sleep $settle
fi

say "ending the traffic; the VM on host $from prints what it saw"
peer stop "$out/peer" "$vfs" ${hold:+"$hold"} >"$out/stop" || fail
on $from $tools/host.sh wait "$n" || {
	cat "$out"/$from/vm-"$n".out >&2
	[ -n "$keep_going" ] || fail
}
[ -z "$kill" ] || kill_source || fail
on A $tools/host.sh seen
on B $tools/host.sh seen
on A --stop
on B --stop
wait "${pids[@]}"
kernel=0
for name in A B; do
	status=$(cat "$out/$name/ended")
	if [ "$status" = 75 ]; then
		cannot_judge "the emulator of host $name died"
	fi
	[ "$status" = 0 ] || kernel=1
	sed "s/^/$name: /" "$out/$name.err" >&2
done

"$here/report" --dir "$out" --moves "$moves" --hosts-ok $((1 - kernel)) \
	--nics "$vfs" --pfs "$pfs" --tracking "$tracking" \
	${hold:+--hold} ${check:+--tap} ${svg:+--svg "$svg"}
