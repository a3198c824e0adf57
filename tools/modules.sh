#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Puts the modules of a build into /lib/modules/<kernel>/updates, where
# modprobe prefers them to the distribution's, or takes them away again.
# What is loaded stays loaded: see README.md for the order of rmmod.

set -eu

usage()
{
	echo "usage: modules.sh install|uninstall BUILD KDIR [PREFIX]" >&2
	exit 2
}

die()
{
	echo "modules.sh: $*" >&2
	exit 1
}

[ $# -ge 3 ] || usage
action=$1 build=$2 kdir=$3 prefix=${4-}
names="vfio vfio_iommu_type1 vfio-migration vfio-pci-core vfio-pci
	vfio-pci-migration igbvf-vfio-pci"

[ -d "$kdir" ] || die "$kdir is not there: install the kernel's headers" \
	"(linux-headers-amd64) or say KDIR="
kver=$(make -s -C "$kdir" kernelrelease)
dir=$prefix/lib/modules/$kver
[ -d "$dir" ] || die "$dir is not there: no such kernel is installed"

remove()
{
	for name in $names; do
		find "$dir/updates" -name "$name.ko*" -delete 2>/dev/null || :
	done
	find "$dir/updates" -mindepth 1 -type d -empty -delete 2>/dev/null || :
	rmdir "$dir/updates" 2>/dev/null || :
}

install_all()
{
	built=$(find "$build" -name '*.ko')
	[ -n "$built" ] || die "nothing built in $build: run make KDIR=$kdir"
	magic="vermagic=$kver "
	for ko in $built; do
		grep -qa "$magic" "$ko" ||
			die "$ko was built for another kernel than $kver:" \
				"run make clean, then make KDIR=$kdir"
	done
	remove
	mkdir -p "$dir/updates"
	for ko in $built; do
		install -m 644 "$ko" "$dir/updates/"
	done
}

case $action in
install) install_all ;;
uninstall) remove ;;
*) usage ;;
esac
depmod ${prefix:+-b "$prefix"} "$kver"

for name in $names; do
	file=$(modinfo ${prefix:+-b "$prefix"} -k "$kver" -F filename \
		"$name" 2>/dev/null) || continue
	echo "$name: $file"
done
