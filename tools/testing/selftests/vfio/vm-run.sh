#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs the selftests in a VM that has all the devices they want: builds them
# in the Debian root, boots the VM with the modules under test, and ends with
# the status of run.sh in there, or of vm.sh if the VM itself failed.

set -eu

usage()
{
	cat <<-END
	usage: vm-run.sh [--stock] MODULES LOG [ARG]...

	MODULES: a build of the modules, LOG: a directory for logs.  ARGs go to
	run.sh.  --stock: MODULES has igbvf-vfio-pci only, to be run on the
	distribution's VFIO modules.
	END
}

stock=
[ "${1-}" != --stock ] || { stock=1; shift; }
case ${1-} in
--help) usage; exit 0 ;;
esac
[ $# -ge 2 ] || { usage >&2; exit 2; }

here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../../../..")
vm=$top/tools/testing/vm
modules=$(realpath -e "$1")
log=$2
shift 2
VFIO_ROOT=$("$vm/root.sh")
export VFIO_ROOT
kver=$(ls "$VFIO_ROOT/lib/modules")

rm -rf "$log"
mkdir -p "$log/tests" "$log/vm"
log=$(realpath "$log")

in_root()
{
	"$vm/inroot.sh" --bind "$top" --bind "$log" --bind "$modules" \
		--chdir "$here" -- "$@"
}

in_root make -s -j"$(nproc)" OUT="$log/tests" >"$log/make.log" 2>&1 || {
	cat "$log/make.log"
	exit 1
}
if [ -z "$stock" ]; then
	in_root make -s modules OUT="$log/tests" \
		KDIR="/lib/modules/$kver/build" \
		VFIO_BUILD="$modules" \
		>>"$log/make.log" 2>&1 || {
		cat "$log/make.log"
		exit 1
	}
fi
cp "$here/run.sh" "$log/tests/"
"$vm/layer.sh" "$log/layer" "$modules"

# The devices that run.sh names.  Single-threaded emulation: with one thread
# per CPU, QEMU 10.0 itself dies now and then under the PCI tests.
"$vm/vm.sh" --log "$log/vm" --timeout "${VM_TIMEOUT:-2400}" \
	--accel tcg,thread=single \
	--layer "$log/layer" --share "$log/tests:/tests" \
	--igb hubport,hubid=1 --igb hubport,hubid=1 \
	--nic e1000e hubport,hubid=1 --nvme \
	--device pcie-pci-bridge,id=pair \
	--device e1000,bus=pair,addr=1 --device e1000,bus=pair,addr=2 \
	-- /tests/run.sh ${stock:+-s} "$@"
