#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs in the VM of mixed.sh: loads modules in combinations that do not fit, and in
# those that do, so that a module which is refused is refused for its origin only.

set -u

dir=/lib/modules/$(uname -r)
ours=updates
theirs=kernel
failed=0

verdict()
{
	local text=$1
	shift
	if "$@"; then
		echo "ok - $text"
		return
	fi
	echo "not ok - $text"
	dmesg | tail -n 5 | sed 's/^/# /'
	failed=1
}

# file_of ORIGIN MODULE: prints the path of the module's file.
file_of()
{
	find -L "$dir/$1" -name "$2.ko*" 2>/dev/null | head -n 1
}

load()
{
	insmod "$(file_of "$1" "$2")" 2>/dev/null
}

# What the modules need besides VFIO
for needed in $(modprobe --show-depends vfio-pci 2>/dev/null |
	sed -n 's|^insmod \([^ ]*\).*|\1|p' | grep -v /updates/); do
	insmod "$needed" 2>/dev/null
done

# stack ORIGIN MODULE...: loads these in place of all VFIO modules that are loaded.
stack()
{
	local origin=$1 module
	shift
	rmmod igbvf-vfio-pci vfio-pci-migration vfio-migration vfio-pci \
		vfio-pci-core vfio_iommu_type1 vfio 2>/dev/null
	for module; do
		verdict "$(name "$origin") $module is loaded" \
			load "$origin" "$module"
	done
}

name()
{
	if [ "$1" = $ours ]; then echo "our"; else echo "the kernel's"; fi
}

says_why()
{
	dmesg | tail -n 3 |
		grep -qE 'Unknown symbol|disagrees about version|does not import it'
}

refused()
{
	! load "$1" "$2" && says_why
}

# refuses ON ORIGIN MODULE...: what is loaded is ON's.
refuses()
{
	local on=$1 origin=$2 module
	shift 2
	for module; do
		verdict "$(name "$origin") $module is refused on $(name "$on") vfio" \
			refused "$origin" "$module"
	done
}

# Makes a module as one of another version of this tree: that differs in its name
# space, if it has one.
make_other()
{
	local file
	file=$(file_of $ours vfio_iommu_type1)
	sed 's/\(import_ns=VFIO_OUT_OF_TREE_\)[0-9]/\1x/g' "$file" >/tmp/other.ko
	! cmp -s "$file" /tmp/other.ko
}

other_is_refused()
{
	! insmod /tmp/other.ko 2>/dev/null && says_why
}

stack $theirs vfio
refuses $theirs $ours vfio_iommu_type1 vfio-pci-core vfio-migration
stack $theirs vfio vfio-pci-core
refuses $theirs $ours vfio-pci
stack $ours vfio
refuses $ours $theirs vfio_iommu_type1 vfio-pci-core
stack $ours vfio vfio-pci-core
refuses $ours $theirs vfio-pci
if make_other; then
	stack $ours vfio
	verdict "our vfio_iommu_type1 of another version is refused on our vfio" \
		other_is_refused
fi
stack $ours vfio vfio_iommu_type1 vfio-pci-core vfio-pci vfio-migration \
	vfio-pci-migration igbvf-vfio-pci
stack $theirs vfio vfio_iommu_type1 vfio-pci-core vfio-pci
exit $failed
