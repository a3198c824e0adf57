#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The benchmark of migrations, on the two hosts of the demo: the downtime of a
# VM with a VF, by the VM's memory and by the way in which the VF's writes are
# tracked, and what logging costs while the VM receives.  It has no verdict.

set -u

usage()
{
	cat <<-END
	usage: migration.sh [OPTION]... [moves|receive]...

	  moves    downtime, bytes sent meanwhile, passes and total time
	  receive  throughput and latency with logging off and on, and the share
	           of a CPU that the thread needs that logs
	  --memory LIST    sizes of the VM's memory in MiB (256,1024,2048, which
	                   is the most that a host can have)
	  --kinds LIST     device (the VF's driver tracks), container (nothing
	                   tracks: all memory counts as written), virtio (a
	                   virtio-net card instead of a VF); default: all
	  --moves N        number of moves that each median is taken of (3)
	  --rounds N       number of rounds of "receive", likewise (3)
	  --seconds S      how long each throughput is measured (10)
	  --modules DIR    modules to use (default: builds them, make modules)
	Writes build/bench/migration.txt and build/bench/migration.svg.  Needs root.
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

# moves_of MEMORY KIND: prints lines of report --rows.  --hold, so that all of
# the VM's memory is in use: QEMU sends only one word for a free page.
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
