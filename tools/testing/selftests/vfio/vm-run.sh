#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs the selftests in VMs that have all devices: builds them in the Debian root,
# boots the VMs with the modules under test, and ends with the status of run.sh in
# the VMs, or of vm.sh if a VM itself failed.

set -eu

usage()
{
	cat <<-END
	usage: vm-run.sh [--vms N] [--stock] MODULES LOG [ARG]...
	       vm-run.sh [--vms N] --kernel DIR [--fast | --races] LOG [ARG]...

	MODULES: a build of the modules, LOG: a directory for logs.  ARGs go to
	run.sh.
	--vms N: N VMs share the programs; each keeps a core busy (default: as many
	as there are cores, at most four, as each takes 2 to 3 GiB, and at most one
	for each program that is named).  Their output is printed VM by VM when all
	have ended.
	--stock: MODULES has igbvf-vfio-pci only, for the distribution's VFIO
	modules.
	--kernel DIR: a debug kernel with the modules (of debug-kernel.sh).  A memory
	leak of the modules is a failure.  --fast: no leak check, about three times
	faster.  --races: DIR was made with --kcsan; a data race in which one of the
	modules takes part is a failure.
	VFIO_TEST_SCALE=N: tests that repeat something run 1/N of their full
	number of rounds.  VFIO_TEST_SEED=N: random tests repeat the run that
	printed this seed.
	END
}

vms=
stock=
kernel=
[ "${1-}" != --vms ] || { vms=$2; shift 2; }
case ${1-} in
--help) usage; exit 0 ;;
--stock) stock=1; shift ;;
--kernel) kernel=$(realpath -e "$2"); shift 2 ;;
esac
leaks=1
races=
case ${1-} in
--fast) leaks=; shift ;;
--races) leaks=; races=1; shift ;;
esac
if [ $# = 0 ] || { [ $# = 1 ] && [ -z "$kernel" ]; }; then
	usage >&2
	exit 2
fi

here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../../../..")
vm=$top/tools/testing/vm
VFIO_ROOT=$("$vm/root.sh")
export VFIO_ROOT
if [ -z "$kernel" ]; then
	modules=$(realpath -e "$1")
	shift
fi
log=$1
shift

# vms_for [ARG]...: how many VMs share the programs that these ARGs of run.sh name
vms_for()
{
	local n programs OPTIND=1

	n=$(nproc)
	while getopts :d:m:q:st:h _; do
		:
	done
	programs=$(($# - OPTIND + 1))
	[ "$n" -le 4 ] || n=4
	[ $programs = 0 ] || [ $programs -ge "$n" ] || n=$programs
	echo "$n"
}
[ -n "$vms" ] || vms=$(vms_for "$@")

rm -rf "$log"
mkdir -p "$log/tests" "$log/queue"
log=$(realpath "$log")

in_root()
{
	"$vm/inroot.sh" --bind "$top" --bind "$log" \
		${modules:+--bind "$modules"} --chdir "$here" -- "$@"
}

build()
{
	in_root make -s "$@" OUTPUT="$log/tests" >>"$log/make.log" 2>&1 || {
		cat "$log/make.log"
		exit 1
	}
}

build -j"$(nproc)"
if [ -n "$kernel" ]; then
	cp -r "$kernel/modules" "$log/tests/"
elif [ -z "$stock" ]; then
	build modules VFIO_BUILD="$modules" \
		KDIR="/lib/modules/$(ls "$VFIO_ROOT/lib/modules")/build"
fi
if [ -n "$kernel" ]; then
	system=(--kernel "$kernel" --memory 2560)
	if [ -n "$leaks" ]; then
		system+=(--append panic_on_warn=1 --leaks)
	elif [ -n "$races" ]; then
		system+=(--allow 'BUG: KCSAN: ')
	else
		system+=(--append panic_on_warn=1 --append kmemleak=off)
	fi
else
	"$vm/layer.sh" "$log/layer" "$modules"
	system=(--layer "$log/layer")
fi

# Emulation is single-threaded, as QEMU 10.0 with one thread per CPU sometimes
# crashes in the PCI tests.  But only CPUs that run at the same time race.
accel=tcg,thread=single
[ -z "$races" ] || accel=tcg,thread=multi

# boot N ARG...: becomes the Nth VM, with the devices that run.sh lists.  The time
# limit is for a run.sh that hangs itself.
boot()
{
	local n=$1
	shift
	mkdir -p "$log/vm$n"
	exec "$vm/vm.sh" --log "$log/vm$n" --timeout "${VM_TIMEOUT:-1800}" \
		--accel $accel "${system[@]}" \
		--share "$log/tests:/tests" --share "$log/queue:/queue" \
		--igb hubport,hubid=1 --igb hubport,hubid=1 \
		--nic e1000e hubport,hubid=1 --nvme \
		--device pcie-pci-bridge,id=pair \
		--device e1000,bus=pair,addr=1 --device e1000,bus=pair,addr=2 \
		--qemu -object --qemu \
		memory-backend-ram,id=big,size=64M,share=on \
		--device ivshmem-plain,memdev=big \
		--device VGA --append modprobe.blacklist=bochs \
		-- env VFIO_TEST_SCALE="${VFIO_TEST_SCALE:-1}" \
		${VFIO_TEST_SEED:+"VFIO_TEST_SEED=$VFIO_TEST_SEED"} \
		/tests/run.sh ${stock:+-s} "$@"
}

[ "$vms" != 1 ] || [ -n "$races" ] || boot 1 "$@"

# Prints which program each VM runs; the full output of each VM comes at the end.
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; wait; exit 143' INT TERM HUP
for ((n = 1; n <= vms; n++)); do
	boot "$n" -q /queue "$@" > >(tee "$log/vm$n.out" |
		sed -unE "/^(# running|(not )?ok )/s/^/# VM $n: /p") 2>&1 &
	pids+=($!)
done
status=0
for pid in "${pids[@]}"; do
	ended=0
	wait "$pid" || ended=$?
	[ $ended = 0 ] || [ $status = 75 ] || status=$ended
done
cat "$log"/vm?.out
if [ -n "$races" ]; then
	awk -f "$top/tools/testing/kernel/races.awk" "$log"/vm?/console \
		>"$log/races"
	cat "$log/races"
	[ ! -s "$log/races" ] || status=1
fi
exit $status
