#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# assigned.sh runs this in the host VM: binds the three functions to vfio-pci,
# runs the nested VM with them, and gives them back to the host's drivers.  With
# the argument "iommufd", QEMU opens them by their nodes.

set -u

iommufd=${1-}

e1000e=0000:02:00.0
nvme=0000:03:00.0
pf_if=$(ls /sys/bus/pci/devices/0000:01:00.0/net)
nic_if=$(ls /sys/bus/pci/devices/0000:04:00.0/virtio*/net)

modprobe vfio-pci || exit
vf=$(make-vfs 0000:01:00.0 1) || exit
ip addr add 10.1.0.1/24 dev "$pf_if" && ip link set "$pf_if" up || exit
# A frame that arrives at the 82574L before the guest's driver has set it up
# would make it hang: without IPv6, the host sends none.
sysctl -qw "net.ipv6.conf.$nic_if.disable_ipv6=1"
ip addr add 10.2.0.1/24 dev "$nic_if" && ip link set "$nic_if" up || exit
bind-driver vfio-pci "$vf" $e1000e $nvme || exit

failed=0
args=(--memory 256)
for bdf in "$vf" $e1000e $nvme; do
	args+=(--vfio "$bdf${iommufd:+,iommufd=iommufd0}")
done
[ -z "$iommufd" ] || args+=(--qemu -object --qemu iommufd,id=iommufd0)
nested "${args[@]}" /assigned/guest.sh || failed=1

for bdf in $e1000e $nvme "$vf"; do
	echo $bdf >/sys/bus/pci/drivers/vfio-pci/unbind
	echo >/sys/bus/pci/devices/$bdf/driver_override
done
if modprobe -r vfio-pci vfio_iommu_type1 &&
	! grep -q '^vfio' /proc/modules; then
	echo "ok - modules unload after the VM"
else
	echo "not ok - modules unload after the VM"
	failed=1
fi
if grep -q '^nvme ' /proc/modules; then
	echo $nvme >/sys/bus/pci/drivers_probe
	# The disk comes some time after its controller, unless that has failed.
	until [ -b /dev/nvme0n1 ] || [ ! -e /sys/bus/pci/devices/$nvme/driver ]
	do
		sleep 0.1
	done
fi
if [ -b /dev/nvme0n1 ]; then
	echo "ok - the host's driver drives the NVMe controller again"
else
	echo "not ok - the host's driver drives the NVMe controller again"
	failed=1
fi
exit $failed
