#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# In the VM: loads each variant driver, looks whether it registers on the PCI bus
# and uses our modules, and unloads it.  The VM has a virtio-net device, which
# virtio's driver takes and vfio-mig opens.

set -u

usage()
{
	cat <<-END
	usage: in-vm.sh NUMBER NAME...

	NUMBER: of the last test before, NAME: a variant driver's module.
	Prints TAP.
	END
}

[ "${1-}" != --help ] || { usage; exit 0; }
[ $# -ge 2 ] || { usage >&2; exit 2; }
number=$1
shift
failed=0

verdict()
{
	local text=$1 output
	shift
	number=$((number + 1))
	if output=$("$@" 2>&1); then
		echo "ok $number - variants: $text"
	else
		echo "not ok $number - variants: $text"
		echo "# ${output//$'\n'/$'\n'# }"
		dmesg | tail -n 5 | sed 's/^/# dmesg: /'
		failed=1
	fi
}

# loaded_is_ours MODULE: is the loaded module the file in updates/?
loaded_is_ours()
{
	modinfo -F filename "$1" | grep /updates/ &&
		[ "$(cat "/sys/module/${1//-/_}/srcversion")" = \
			"$(modinfo -F srcversion "$1")" ]
}

# driver_of MODULE: the name of the driver that it has registered on the PCI bus
driver_of()
{
	local link
	for link in "/sys/module/${1//-/_}/drivers"/pci:*; do
		[ ! -e "$link" ] || echo "${link##*/pci:}"
	done
}

registered()
{
	local driver
	driver=$(driver_of "$1")
	[ -n "$driver" ] && [ -d "/sys/bus/pci/drivers/$driver" ]
}

# For each device of the driver, libvirt asks for the module with such an alias.
aliases_lead_to()
{
	local alias found
	modinfo -F alias "$1" | grep '^vfio_pci:' >/tmp/aliases || return
	while read -r alias; do
		found=$(modprobe -R "${alias//\*/0}") || return
		echo "$alias: $found"
		grep -qx "${1//-/_}" <<<"$found" || return
	done </tmp/aliases
}

gone()
{
	! [ -e "/sys/module/${1//-/_}" ] && ! [ -e "/sys/bus/pci/drivers/$2" ]
}

# A virtio device that is no VF, and so has no migration: the driver serves it as
# vfio-pci does.
drive_virtio()
{
	local bdf

	bdf=$(find-pci 1af4:1041 | tail -n 1)
	opens() {
		/tools/vfio-mig info "$bdf"
		/tools/vfio-mig info --json "$bdf" | tee /dev/stderr |
			grep -q "\"driver\": *\"$1\""
	}
	verdict "the virtio device is bound to virtio's driver" \
		bind-driver "$1" "$bdf"
	verdict "it has a device of VFIO" \
		test -d "/sys/bus/pci/devices/$bdf/vfio-dev"
	verdict "vfio-mig opens it" opens "$1"
	/tools/vfio-mig info "$bdf" 2>&1 | sed 's/^/# /'
	verdict "it goes back to the host's driver" bind-driver '' "$bdf"
}

for name; do
	verdict "$name is loaded" modprobe "$name"
	driver=$(driver_of "$name")
	verdict "$name registers on the PCI bus, as ${driver:-nothing}" \
		registered "$name"
	for module in vfio vfio-pci-core "$name"; do
		verdict "with it, the loaded $module is this build's" \
			loaded_is_ours "$module"
	done
	verdict "the aliases of $name lead to it" aliases_lead_to "$name"
	[ "$name" != virtio-vfio-pci ] || drive_virtio "$driver"
	verdict "$name is unloaded" modprobe -r "$name"
	verdict "and its driver is gone" gone "$name" "$driver"
done
exit $failed
