#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Measures what logging costs a VM that receives, on one host of the demo's
# bed.  The peer measures (peer.sh) with logging off and on in turn; then again
# with a QEMU that maps no registers, so that each access to them is trapped.  A
# migration that leads nowhere and never ends switches logging on.  Prints lines
# of "MODE WHAT NUMBER".

set -u

usage()
{
	cat <<-END
	usage: receive.sh --modules DIR --out DIR [--rounds N] [--seconds S]
	END
}

here=$(dirname "$(realpath "$0")")
check=1
modules=
kernel=
driver=igbvf-vfio-pci
memory=128
vfs=1
pfs=1
hold=
record=
fault=
guest=/out/guest.sh
rounds=3
seconds=10
out=

while [ $# -gt 0 ]; do
	case $1 in
	--help) usage; exit 0 ;;
	--*) [ $# -gt 1 ] || { usage >&2; exit 2; } ;;
	esac
	case $1 in
	--modules) modules=$2 ;;
	--out) out=$2 ;;
	--rounds) rounds=$2 ;;
	--seconds) seconds=$2 ;;
	*) usage >&2; exit 2 ;;
	esac
	shift 2
done
[ -n "$out" ] || { usage >&2; exit 2; }

# stdout is for the results, stderr for everything else.
exec 3>&1 >&2
# shellcheck source=tools/testing/vm/demo/bed.sh
. "$here/../../vm/demo/bed.sh"
bed_begin
bed_build
compile "$here/bulk.c" || fail
# Into directories that the host and the peer can see
cp "$here/guest.sh" "$out/A/"
cp "$here/peer.sh" "$out/peer/"
bed_boot
bed_setup

# Prints for how long the threads that log have run, and the uptime.
worker()
{
	on A $tools/host.sh worker
}

# measure MODE: one measurement of each kind
measure()
{
	local mode=$1 what before after

	for what in large small latency; do
		before=$(worker) || return
		on peer "$out/peer/peer.sh" $what "$out/peer" "$seconds" \
			>"$out/measured" || return
		after=$(worker) || return
		sed "s/^/$mode /" "$out/measured" >&3
		echo "$before $after" | awk -v mode="$mode" -v what=$what '{
			printf "%s %s_worker %.3f\n", mode, what,
				100 * ($6 - $2) / 1e9 / ($8 - $4)
		}' >&3
	done
}

# rounds_of N MODE: measures with QEMU N, with logging off and on in turn.
rounds_of()
{
	local n=$1 mode=$2 round

	for ((round = 0; round < rounds; round++)); do
		say "round $((round + 1)) of $rounds: off, then on ($mode)"
		measure "off-$mode" || return
		on A $tools/host.sh log "$n" >"$out/log" || return
		measure "$mode" || return
		on A $tools/host.sh nolog "$n" >>"$out/log" || return
	done
}

say "host A: starting the VM, whose registers are mapped"
start_vm 1 A device || fail
peer reach || fail
rounds_of 1 shadow || fail
on A $tools/host.sh end 1 || fail
say "host A: starting the VM, whose registers are trapped"
start_vm 3 A trap || fail
peer reach || fail
rounds_of 3 trap || fail
on A $tools/host.sh end 3 || fail
on A --stop
on B --stop
wait "${pids[@]}"
