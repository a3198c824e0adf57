#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The benchmark of migrations, on the two hosts of the demo: how long a VM with a
# VF stands still, by its memory and by who tracks what the VF writes, and what
# logging costs while the VM receives.  It judges nothing.

set -u

usage()
{
	cat <<-END
	usage: migration.sh [OPTION]... [moves|receive]...

	  moves    downtime, what is sent meanwhile, passes and total time
	  receive  throughput and latency with logging off and on, and what the
	           thread that logs takes of a CPU
	  --memory LIST    of the VM, in MiB (256,1024,2048; more a host can't have)
	  --kinds LIST     of: device (the VF's driver tracks), container (nobody
	                   tracks: all memory counts as written) and virtio (a
	                   virtio-net card instead of a VF); default all
	  --moves N        of which each number is the median (3)
	  --rounds N       the same for what is received (3)
	  --seconds S      how long each is measured (10)
	  --modules DIR    modules to use (default: builds them, make modules)
	Makes build/bench/migration.txt and build/bench/migration.svg.  Needs root.
	END
}

here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../../../..")
demo=$top/tools/testing/vm/demo
results=$top/build/bench
memories=256,1024,2048
kinds=device,container,virtio
moves=3
rounds=3
seconds=10
modules=
parts=()

while [ $# -gt 0 ]; do
	case $1 in
	--help) usage; exit 0 ;;
	moves | receive) parts+=("$1"); shift; continue ;;
	--*) [ $# -gt 1 ] || { usage >&2; exit 2; } ;;
	esac
	case $1 in
	--memory) memories=$2 ;;
	--kinds) kinds=$2 ;;
	--moves) moves=$2 ;;
	--rounds) rounds=$2 ;;
	--seconds) seconds=$2 ;;
	--modules) modules=$2 ;;
	*) usage >&2; exit 2 ;;
	esac
	shift 2
done
[ ${#parts[@]} -gt 0 ] || parts=(moves receive)
[ "$(id -u)" = 0 ] || { echo "migration.sh: must be run as root" >&2; exit 1; }
mkdir -p "$results"
if [ -z "$modules" ]; then
	make -s -C "$top" modules >"$results/make.log" 2>&1 || {
		tail -n 20 "$results/make.log" >&2
		exit 1
	}
	modules=$top/build/modules
fi

# moves_of MEMORY KIND: lines of report --rows.  All of the VM's memory is in use,
# as memory that is free is sent as one word a page.
moves_of()
{
	local memory=$1 kind=$2 out=$results/moves-$1-$2 how

	case $kind in
	virtio) how=(--driver none) ;;
	device | container) how=(--tracking "$kind") ;;
	*) usage >&2; exit 2 ;;
	esac
	"$demo/demo.sh" --check --modules "$modules" --memory "$memory" \
		--moves "$moves" --hold 100000 --out "$out" "${how[@]}" \
		>"$out.log" 2>&1 || {
		echo "migration.sh: $memory MiB, $kind: status $?; see $out.log" >&2
	}
	"$demo/report" --dir "$out" --moves "$moves" --hosts-ok 1 --rows \
		--tracking "$kind" | sed "s/^/memory $memory kind $kind /"
}

measure_moves()
{
	local memory kind

	for memory in ${memories//,/ }; do
		for kind in ${kinds//,/ }; do
			echo "# $SECONDS s: moves, $memory MiB, $kind" >&2
			moves_of "$memory" "$kind"
		done
	done
}

measure_receive()
{
	"$here/receive.sh" --modules "$modules" --rounds "$rounds" \
		--seconds "$seconds" --out "$results/receive"
}

for part in "${parts[@]}"; do
	"measure_$part" >"$results/$part.rows" || exit
done
"$here/table" --svg "$results/migration.svg" \
	"$results/moves.rows" "$results/receive.rows" |
	tee "$results/migration.txt"
