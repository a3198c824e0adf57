#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs on the operator's machine in a VM that has an 82576: one step for each time
# that it is booted.  Prints TAP.
# usage: in-vm.sh installed|rebooted|second|removed

# shellcheck disable=SC2086 # lists of modules
# shellcheck source=tools/testing/packages/tap.sh
. /srv/test/tap.sh
second=$(cat /srv/second)
kernel=$(uname -r)
pf=0000:01:00.0
vf=0000:01:10.0
other=0000:01:10.2
examples=/usr/share/doc/vfio-live-migration-dkms/examples

# The driver that has a function, or nothing
driver()
{
	basename "$(readlink "/sys/bus/pci/devices/$1/driver")" 2>/dev/null
}

# taint MODULE: O for ours, nothing for the kernel's own
taint()
{
	tr -d 'E\n' <"/sys/module/$1/taint"
}

interface()
{
	ls /sys/bus/pci/devices/$pf/net
}

has_mac()
{
	ip link show "$(interface)" | grep -q "vf $1 .*link/ether $2" && return
	ip link show "$(interface)" | sed 's/^/# /'
	return 1
}

can_migrate()
{
	run vfio-mig info $vf && cat /tmp/output && said "$1"
}

# The VF's state is read, and looked at by the PF as on a destination.
state_goes()
{
	run vfio-mig save --quiet $vf /tmp/state &&
		run vfio-mig check $vf /tmp/state
}

step_installed()
{
	verdict "modprobe would load ours" \
		comes_from "$kernel" updates/dkms $linux $ours
	verdict "the driver is loaded" run modprobe igbvf-vfio-pci
	verdict "on our vfio" test "$(taint vfio)" = O
	cp $examples/vfs-for-vms.conf /etc/modprobe.d/
	cp $examples/70-igb-vfs.link $examples/70-igb-pf.network \
		/etc/systemd/network/
	systemctl -q enable systemd-networkd
	echo 2 >/sys/bus/pci/devices/$pf/sriov_numvfs
	ip link set "$(interface)" up
	verdict "driverctl binds a VF" \
		run driverctl set-override $vf igbvf-vfio-pci
	verdict "to the driver" test "$(driver $vf)" = igbvf-vfio-pci
}

# kept: what the examples and driverctl are for
kept()
{
	verdict "the VFs are there" test -d "/sys/bus/pci/devices/$other"
	verdict "the first has its MAC address" has_mac 0 52:54:00:12:34:56
	verdict "the second has its own" has_mac 1 52:54:00:12:34:57
	# shellcheck disable=SC2016 # expanded by eval
	verdict "the PF's interface is up" eval \
		'ip link show "$(interface)" | grep -q "[<,]UP[,>]"'
	verdict "the VF has its driver" test "$(driver $vf)" = igbvf-vfio-pci
	verdict "no driver of the host has the other" test -z "$(driver $other)"
	verdict "vfio-mig says that it can migrate" can_migrate stop-copy
	verdict "its state is saved, and would load" state_goes
}

step_rebooted()
{
	kept
	verdict "on our vfio" test "$(taint vfio)" = O
}

step_second()
{
	verdict "the second kernel runs" test "$kernel" = "$second"
	kept
	verdict "on the kernel's own vfio" test -z "$(taint vfio)"
	verdict "with our driver" test "$(taint igbvf_vfio_pci)" = O
	verdict "the package is removed while the driver is in use" \
		run apt remove vfio-live-migration-dkms
	cp /tmp/output /tmp/output.removed
	verdict "the end says how to unload it" \
		said "rmmod igbvf-vfio-pci"
	verdict "driverctl takes the VF back" \
		run driverctl --noprobe unset-override $vf
	# shellcheck disable=SC2046 # words
	verdict "what it says works" run $(sed -n 's/.*then run: //p' \
		/tmp/output.removed)
	verdict "the driver is gone" test ! -e /sys/module/igbvf_vfio_pci
}

step_removed()
{
	verdict "the first kernel has its own modules again" \
		comes_from "$kernel" kernel $linux
	verdict "driverctl binds the VF to vfio-pci" \
		run driverctl set-override $vf vfio-pci
	verdict "on the kernel's own vfio" test -z "$(taint vfio)"
	verdict "the package is purged" run apt purge vfio-live-migration-dkms
	verdict "no setting is left" test -z \
		"$(find /etc /var/lib/dkms -name '*vfio-live-migration*')"
}

"step_$1"
