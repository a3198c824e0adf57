#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Assigns three kinds of PCI functions to one nested VM, by vfio-pci: a VF of
# the 82576, an 82574L (e1000e) and an NVMe controller.  The nested VM's
# unmodified drivers must work: traffic through both network cards, the 82574L
# with MSI-X and with INTx, and data that is written to the disk and read back.

set -eu

usage()
{
	cat <<-END
	usage: assigned.sh MODULES LOG
	       assigned.sh --kernel DIR LOG

	MODULES: a build of the modules, LOG: a directory for logs.  --kernel: the
	host runs a debug kernel with the modules (DIR is made by debug-kernel.sh),
	and QEMU opens the functions by their nodes, with iommufd.
	Prints TAP.
	END
}

kernel=
case ${1-} in
--help) usage; exit 0 ;;
--kernel) kernel=1; shift ;;
esac
[ $# = 2 ] || { usage >&2; exit 2; }

here=$(dirname "$(realpath "$0")")
vm=$(dirname "$here")
system=$(realpath -e "$1")
rm -rf "$2"
mkdir -p "$2/vm"
log=$(realpath "$2")

if [ -n "$kernel" ]; then
	args=(--kernel "$system" --append "panic_on_warn=1 kmemleak=off")
else
	"$vm/layer.sh" "$log/layer" "$system"
	args=(--layer "$log/layer")
fi

# The host's virtio-net card is on the same network as the 82574L.
"$vm/vm.sh" --log "$log/vm" --timeout "${VM_TIMEOUT:-900}" \
	--cpus 1 "${args[@]}" \
	--share "$here:/assigned" \
	--igb '' --nic e1000e hubport,hubid=7 --nvme \
	--nic virtio-net-pci hubport,hubid=7 \
	-- bash /assigned/host.sh ${kernel:+iommufd}
