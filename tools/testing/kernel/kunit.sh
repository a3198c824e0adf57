#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs the KUnit suites of drivers/vfio on the debug kernel.

set -eu

usage()
{
	cat <<-END
	usage: kunit.sh KERNEL LOG [OPTION]...

	Loads the modules of KERNEL, which debug-kernel.sh has made, in a VM, and
	prints the results of their suites as KTAP, which ktap.sh reads.  LOG is
	the directory for the logs of vm.sh, which gets the OPTIONs.
	END
}

case ${1-} in
--help) usage; exit 0 ;;
-*) usage >&2; exit 2 ;;
esac
[ $# -ge 2 ] || { usage >&2; exit 2; }
kernel=$1
log=$2
shift 2

exec "$(dirname "$(realpath "$0")")/../vm/vm.sh" --kernel "$kernel" \
	--log "$log" --timeout 900 --append 'kunit.enable=1 panic_on_warn=1' \
	"$@" -- bash -c '
		modprobe -a vfio_iommu_type1 vfio-pci igbvf-vfio-pci &&
		cat /sys/kernel/debug/kunit/vfio*/results &&
		modprobe -r igbvf-vfio-pci vfio-pci vfio_iommu_type1'
