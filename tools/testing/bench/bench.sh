#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The benchmark: builds our modules, measures them and the distribution's in
# VMs, and prints tables.  It has no verdict.
#
# Most costs are counted in instructions, in one VM that loads our modules and
# the distribution's one after the other.  These numbers are the same on every
# machine, also on a busy one.  Rates are those of software emulation: only
# their ratio has a meaning.

set -eu

usage()
{
	cat <<-END
	usage: bench.sh [--size MIB] [--rounds N] [calls|open|walk|log|stream]...

	  calls    system calls and page faults, on our modules and on the
	           distribution's
	  open     opening and closing VFs, one and seven at once, on both
	  walk     state changes of a device that does nothing, on both
	  log      what it costs to log what a VF of an 82576 writes
	  stream   read() and write() on the data fd, and on a memfd
	  --size MIB   size of the state that "stream" reads and writes (1024)
	  --rounds N   number of reads and writes that the median is taken of (7)
	Logs are kept in build/bench/.  Needs root.
	END
}

cd "$(dirname "$(realpath "$0")")/../../.."
src=$PWD
out=$src/build/bench
vm=$src/tools/testing/vm
size=1024
rounds=7
what=()
while [ $# -gt 0 ]; do
	case $1 in
	--help) usage; exit 0 ;;
	--size) size=$2; shift ;;
	--rounds) rounds=$2; shift ;;
	calls | open | walk | log | stream) what+=("$1") ;;
	*) usage >&2; exit 2 ;;
	esac
	shift
done
[ ${#what[@]} -gt 0 ] || what=(calls open walk log stream)

[ "$(id -u)" = 0 ] || { echo "bench.sh: must be run as root" >&2; exit 1; }
VFIO_ROOT=$("$vm/root.sh")
export VFIO_ROOT
kver=$(ls "$VFIO_ROOT/lib/modules")
mkdir -p "$out"

# quietly LOG COMMAND...: shows the output only if COMMAND fails.
quietly()
{
	local log=$out/$1.log
	shift
	"$@" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
}

in_root()
{
	"$vm/inroot.sh" --bind "$src" --chdir "$src" -- "$@"
}

# build SET [ARG]...: builds a set of modules and the benchmark's module for
# it.  The set "stock" has only the modules that the distribution lacks.
build()
{
	local set=$1
	shift
	quietly "make-$set" make modules BUILD="build/bench/$set" "$@"
	quietly "make-module-$set" in_root make -C tools/testing/bench modules \
		OUT="$out/module-$set" VFIO_BUILD="$out/$set" \
		KDIR="/lib/modules/$kver/build" \
		STOCK="$([ "$set" != stock ] || echo 1)"
}

# boot LOG [VM-OPTION]... -- COMMAND: a VM with the benchmark's files in /bench.
boot()
{
	local log=$out/vm-$1
	shift
	"$vm/vm.sh" --log "$log" --timeout 1800 --share "$out:/bench" --cpus 1 \
		--accel tcg,thread=single "$@" ||
		{ echo "bench.sh: status $?; see $log" >&2; exit 1; }
}

# count PART...: measures in a VM whose clock counts its instructions, one for
# each nanosecond, and skips the time in which the VM is idle.
count()
{
	boot count --igb hubport,hubid=1 \
		--device ivshmem-plain,memdev=bar \
		--qemu -object --qemu memory-backend-ram,id=bar,size=64M \
		--qemu -icount --qemu shift=0,sleep=off \
		-- bash /bench/guest.sh /bench "$@"
}

print_calls()
{
	cat <<-END
	What vfio-pci and type 1 cost, in instructions that the CPU executes from
	a system call to its return (a string instruction, as in copies, counts
	once for each byte).  Each number is the average of the middle half of 40
	to 2000 repetitions.  Ratio: ours divided by the distribution's.
	map, unmap: MAP_DMA and UNMAP_DMA of one range of 4 to 32 MiB, no two pages
	of which are neighbours in physical memory.  MiB: of memory, or of a BAR.
	page faults: each page of a mapped BAR of 64 MiB is read in turn.

	END
	awk -f tools/testing/bench/table.awk "$out"/result/{ours,stock}.calls
}

print_open()
{
	cat <<-END
	How long opening and closing VFs of an 82576 takes on vfio-pci.  Each VF
	has a thread and a container of its own; the time ends with the last
	thread.  In ms of a CPU that executes 1000 instructions in a microsecond;
	average of 10.  Ratio: ours divided by the distribution's.

	END
	awk -f tools/testing/bench/table.awk "$out"/result/{ours,stock}.open
}

print_walk()
{
	awk -F '\t' '
		FNR == 1 { set = FILENAME; gsub(/.*\/|\.walk$/, "", set) }
		{
			if (!($1 in seen)) { seen[$1] = 1; name[++n] = $1 }
			cost[set, $2, $1] = $3
		}
		function row(device, i,    a, b, c) {
			a = cost["ours", device, name[i]]
			b = cost["plain", device, name[i]]
			c = cost["stock", device, name[i]]
			printf "%-22s %8d %8d %8d %6.2f %6.2f\n", name[i],
				a, b, c, a / c, b / c
		}
		function table(title, device,    i) {
			print title
			printf "%-22s %8s %8s %8s %6s %6s\n", "", "ours",
				"plain", "distro", "ratio", "plain"
			for (i = 1; i <= n; i++)
				row(device, i)
		}
		END {
			printf "State changes, in instructions; " \
				"plain: ours without debugfs\n\n"
			table("A driver that does the bare minimum",
				"vfio_bench.0")
			print ""
			table("A driver that uses the migration library",
				"vfio_bench.1")
		}' "$out"/result/{ours,plain,stock}.walk
}

print_log()
{
	printf '%s\n\n' "Logging by igbvf-vfio-pci, in instructions"
	awk -F '\t' '{ printf "%-38s %-6s %10d\n", $1, $2, $3 }' \
		"$out"/result/ours.log
}

# stream_of NAME STEP: measures a device that produces STEP bytes of state at a
# time.
stream_of()
{
	# shellcheck disable=SC2016 # expanded in the VM
	boot "stream-$1" --memory 4096 --layer "$out/layer-ours" -- sh -euc '
		modprobe -a vfio vfio_iommu_type1 vfio-migration
		insmod /bench/bulk/vfio_bulk.ko size=$0 step=$1
		/bench/stream vfio_bulk $2
		rmmod vfio_bulk' "$((size << 20))" "$2" "$rounds" \
		>"$out/stream-$1.txt" 2>"$out/stream-$1.rounds"
}

print_streams()
{
	awk -v size="$size" -v rounds="$rounds" '
		FNR == 1 { run = FILENAME ~ /ready/ ? "ready" : "made" }
		{ rate[run, $1, $2] = $3 }
		function row(text, run, what,    a, b) {
			a = rate[run, what, "data-fd"]
			b = rate[run, what, "memfd"]
			printf "%-42s %8d %8d %6.2f\n", text, a, b, a / b
		}
		END {
			printf "%d MiB of state, 1 MiB a call, in MiB/s " \
				"(median of %d)\n", size, rounds
			printf "%-42s %8s %8s %6s\n", "", "data fd", "memfd",
				"ratio"
			row("write()", "ready", "write")
			row("read(), state produced before", "ready", "read")
			row("read(), state produced while it is read",
				"made", "read")
		}' "$out/stream-ready.txt" "$out/stream-made.txt"
}

bench_stream()
{
	quietly make-bulk in_root make -C tools/testing/selftests/vfio modules \
		OUTPUT="$out/selftests" VFIO_BUILD="$out/ours" \
		KDIR="/lib/modules/$kver/build"
	quietly layer-ours "$vm/layer.sh" "$out/layer-ours" "$out/ours"
	mkdir -p "$out/bulk"
	cp "$out/selftests/modules/vfio_bulk.ko" "$out/bulk/"
	stream_of ready "$((size << 20))"
	stream_of made "$((1 << 20))"
	print_streams
}

quietly make-programs in_root make -C tools/testing/bench OUT="$out"
cp tools/testing/bench/guest.sh "$out/"
build ours
counted=()
for part in "${what[@]}"; do
	[ "$part" = stream ] || counted+=("$part")
done
rm -rf "$out/result" "$out"/module-plain
if [ ${#counted[@]} -gt 0 ]; then
	build stock CONFIG_VFIO=n CONFIG_VFIO_PCI_CORE=n
	[[ " ${what[*]} " != *" walk "* ]] || build plain CONFIG_VFIO_DEBUGFS=n
	count "${counted[@]}"
fi
first=1
for part in "${what[@]}"; do
	[ -n "$first" ] || echo
	first=
	if [ "$part" = stream ]; then
		bench_stream
	else
		"print_$part"
	fi
done
