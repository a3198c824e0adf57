# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests of run.sh, which reads this file: what vfio-mig tells of devices, from files
# in $tree like those in /sys, /dev and /lib/modules.  The devices are not real: what
# an open device answers is tested in tools/testing/selftests/vfio/vfio_mig.sh.

pci=$tree/sys/bus/pci/devices
debugfs=$tree/sys/kernel/debug/vfio

# function_at ADDRESS [DRIVER]: makes a PCI function, an 82576 VF, in group 7
function_at()
{
	mkdir -p "$pci/$1"
	echo 0x8086 >"$pci/$1/vendor"
	echo 0x10ca >"$pci/$1/device"
	echo pci:v00008086d000010CAsv0sd0bc02sc00i00 >"$pci/$1/modalias"
	ln -s ../../../kernel/iommu_groups/7 "$pci/$1/iommu_group"
	[ $# = 1 ] || ln -s "../../bus/pci/drivers/$2" "$pci/$1/driver"
}

# vfio_device N DIRECTORY: makes vfioN, whose parent has this directory
vfio_device()
{
	mkdir -p "$tree/sys/class/vfio-dev/vfio$1" "$2/vfio-dev"
	ln -s "$2" "$tree/sys/class/vfio-dev/vfio$1/device"
}

# new_tree: 0000:00:02.0 is a function of vfio-pci, 0000:01:10.0 one of
# igbvf-vfio-pci, which nobody uses and of which debugfs tells.
vf=0000:01:10.0
new_tree()
{
	rm -rf "$tree"
	function_at 0000:00:02.0 vfio-pci
	vfio_device 0 "$pci/0000:00:02.0"
	function_at $vf igbvf-vfio-pci
	vfio_device 1 "$pci/$vf"
	mkdir -p "$debugfs/$vf/migration" "$tree/dev/vfio"
	echo RUNNING >"$debugfs/$vf/migration/state"
	printf '%s\n' stop-copy p2p pre-copy dirty-tracking \
		>"$debugfs/$vf/migration/features"
	echo off >"$debugfs/$vf/dma_logging"
	: >"$debugfs/$vf/opener"
	touch "$tree/dev/vfio/7"
}

# said PATTERN...: has the output, or what it complains about, each pattern?
said()
{
	local pattern
	for pattern; do
		grep -qE -- "$pattern" "$tmp/out" "$tmp/err" && continue
		echo "# no \"$pattern\""
		sed 's/^/# /' "$tmp/out" "$tmp/err"
		return 1
	done
}

# answers ANSWER [CODE]: JSON of the last vfio-mig, about one device
answers()
{
	validates info && said "^  \"live_migratable\": \"$1\"" || return
	[ $# = 1 ] || said "\"code\": \"$2\""
}

# What --all --json tells of the VF, which is the last in the list
vf_of_all()
{
	exits 0 info --all --json && validates info-all &&
		sed -i '1,/"device": "'$vf'"/d' "$tmp/out"
}

all_devices()
{
	new_tree
	exits 0 info --all && said "^0000:00:02.0 +vfio-pci +unknown +not-opened" \
		"^$vf +igbvf-vfio-pci +yes" &&
		follows info-all 0 info --all --json
}
verdict "info --all" all_devices
no_devices()
{
	rm -rf "$tree"
	mkdir -p "$pci"
	follows info-all 0 info --all --json && exits 0 info --all &&
		said "no device has a VFIO driver"
}
verdict "info --all without devices" no_devices
one_device()
{
	new_tree
	exits 0 info --json $vf && answers unknown not-opened
}
verdict "info of a device that can't be opened" one_device

# ---- Names ----

dots()
{
	local name
	new_tree
	for name in . .. /dev/vfio/devices/.. 0000:; do
		exits 1 info "$name" && said "$name: no(t the name| such device)" ||
			return
	done
}
verdict "no device has a name of dots" dots
no_device_json()
{
	new_tree
	follows info 1 info --json ffff:ff:1f.7 && answers no no-device &&
		said '^  "device": "ffff:ff:1f.7"' && [ ! -s "$tmp/err" ] &&
		follows info 1 info --json "$(printf 'a"b\377%0200d' 0)"
}
verdict "info --json of a device that does not exist is JSON" no_device_json
other_bus()
{
	new_tree
	mkdir -p "$tree/sys/devices/platform/fe1b0000.dma"
	vfio_device 2 "$tree/sys/devices/platform/fe1b0000.dma"
	exits 0 info --all && said "^fe1b0000.dma +none +no " "^$vf " &&
		[ "$(wc -l <"$tmp/out")" = 3 ] &&
		follows info-all 0 info --all --json &&
		said '"device": "fe1b0000.dma"' && rm -r "$tree/sys/bus" &&
		exits 0 info --all && said "^fe1b0000.dma "
}
verdict "info --all lists devices that are not PCI functions" other_bus
no_sysfs()
{
	rm -rf "$tree"
	mkdir "$tree"
	exits 1 info --all && said "no devices in sysfs"
}
verdict "info --all without sysfs" no_sysfs

# ---- The driver for a device ----

# variant MODULE [DRIVER]: a module is made for the VF; it is loaded, with this driver
variant()
{
	local modules
	modules=$tree/lib/modules/$(uname -r)
	mkdir -p "$modules"
	printf 'alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci
alias vfio_pci:v00008086d000010CAsv*sd*bc*sc*i* %s\n' "$1" \
		>"$modules/modules.alias"
	[ $# = 1 ] || mkdir -p "$tree/sys/module/$1/drivers/pci:$2"
}

# can_not_migrate DRIVER: the VF has this driver, without migration
can_not_migrate()
{
	ln -sfn "../../bus/pci/drivers/$1" "$pci/$vf/driver"
	rm -r "$debugfs/$vf/migration"
	vf_of_all
}

own_name()
{
	local driver
	for driver in igbvf-vfio-pci igbvf_vfio_pci; do
		new_tree
		variant igbvf_vfio_pci $driver
		can_not_migrate $driver && said '"code": "not-offered"' \
			"\"variant_driver\": \"$driver\"" \
			'"variant_module": "igbvf_vfio_pci"' || return
	done
}
verdict "a driver named like its module, or with -, is known as the VF's" own_name
other_name()
{
	local driver
	for driver in igbvf-vfio-pci igbvf_vfio_pci another; do
		new_tree
		variant igbvf_vfio_pci $driver
		can_not_migrate vfio-pci && said '"code": "other-driver"' \
			"\"variant_driver\": \"$driver\"" \
			"the driver for it is $driver\"" \
			"echo $driver >.*/driver_override" || return
	done
}
verdict "the name of a loaded module's driver is taken from sysfs" other_name
not_loaded()
{
	new_tree
	variant igbvf_vfio_pci
	can_not_migrate vfio-pci && said '"code": "other-driver"' \
		"the driver for it is in the module igbvf_vfio_pci\"" \
		"bind it to that: modprobe igbvf_vfio_pci, and ask again" \
		'"variant_module": "igbvf_vfio_pci"' &&
		! grep -q 'variant_driver\|driver_override' "$tmp/out"
}
verdict "a driver whose module is not loaded has no name yet" not_loaded
no_variant()
{
	new_tree
	variant vfio_pci vfio-pci
	can_not_migrate vfio-pci && said '"code": "no-migration-driver"' &&
		! grep -q variant_ "$tmp/out"
}
verdict "vfio-pci is no variant driver" no_variant

# ---- A device in use ----

in_use()
{
	new_tree
	echo "qemu-system-x86 (4711)" >"$debugfs/$vf/opener"
	[ $# = 0 ] || sed -i "/$1/d" "$debugfs/$vf/migration/features"
}

logs()
{
	in_use
	mkdir -p "$tree/sys/class/misc/iommu"
	exits 0 info --all && said "^$vf +igbvf-vfio-pci +yes"
}
verdict "a device in use whose driver logs can be migrated" logs
iommufd_or_not()
{
	in_use dirty-tracking
	mkdir -p "$tree/sys/class/misc/iommu"
	exits 0 info --all && said "^$vf +igbvf-vfio-pci +unknown +in-use" &&
		exits 0 info --all --json && validates info-all &&
		said "does not tell whether it is bound to an iommufd"
}
verdict "without logging it is unknown whether an iommufd's IOMMU tracks" \
	iommufd_or_not
no_iommufd()
{
	in_use dirty-tracking
	exits 0 info --all && said "^$vf +igbvf-vfio-pci +forced +no-tracker"
}
verdict "in a kernel without iommufd it can be forced" no_iommufd
# An idle driver says that it logs, but it does not for an iommufd.
only_nodes()
{
	new_tree
	mkdir "$tree/dev/vfio/devices"
	rm "$tree/dev/vfio/7"
	touch "$tree/dev/iommu" "$tree/dev/vfio/devices/vfio1"
	exits 0 info --all && said "^$vf +igbvf-vfio-pci +unknown +not-opened"
}
verdict "an idle device that has only a node is asked itself" only_nodes
no_opener()
{
	new_tree
	rm "$debugfs/$vf/opener"
	exits 0 info --all && said "^$vf +igbvf-vfio-pci +unknown +not-opened"
}
verdict "a device that may be in use, for all debugfs tells, is asked itself" \
	no_opener

# ---- The interface of the PF ----

# pf_has DRIVER [INTERFACE INDEX]: the VF's PF.  The interface is one of this
# host's, or none.
pf=0000:01:00.0
pf_has()
{
	new_tree
	mkdir -p "$pci/$pf/net"
	ln -s "../$pf" "$pci/$vf/physfn"
	ln -s "../$vf" "$pci/$pf/virtfn0"
	ln -s "../../bus/pci/drivers/$1" "$pci/$pf/driver"
	[ $# = 1 ] || mkdir "$pci/$pf/net/$2"
	[ $# = 1 ] || echo "$3" >"$pci/$pf/net/$2/ifindex"
	vf_of_all
}

# Every network namespace has "lo", with index 1.
interface()
{
	pf_has igb lo 1 && said '"interface": "lo"' '"up": ' '"carrier": ' &&
		! grep -q pf-unknown "$tmp/out"
}
verdict "rtnetlink tells of the PF's interface" interface
unknown_interface()
{
	local args
	for args in "lo 2147483647" "lo -1" "lo x" "nosuch 1" "nosuch 0" "l 1"; do
		# shellcheck disable=SC2086 # two arguments
		pf_has igb $args && said '"live_migratable": "unknown"' \
			'"code": "pf-unknown"' "\"interface\": \"${args% *}\"" &&
			! grep -q '"up"\|"carrier"\|pf-down\|no-link' "$tmp/out" ||
			return
	done
}
verdict "an interface that rtnetlink does not know is not judged" \
	unknown_interface
other_namespace()
{
	pf_has igb && said '"live_migratable": "unknown"' '"code": "pf-unknown"' &&
		pf_has vfio-pci && said '"live_migratable": "no"' \
		'"code": "pf-without-interface"'
}
verdict "igb's interface may be in another network namespace" other_namespace
