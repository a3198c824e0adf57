#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Installs the modules of a build in /lib/modules/<kernel>/updates, where
# modprobe prefers them to the distribution's, or removes them.  Our modules and
# the distribution's do not work together, so it names old ones that are still
# loaded, and an initramfs that contains old ones.

set -eu

usage()
{
	echo "usage: modules.sh install|uninstall BUILD KDIR [PREFIX]" >&2
	exit 2
}

say()
{
	echo "modules.sh: $*" >&2
}

die()
{
	say "$@"
	exit 1
}

[ $# -ge 3 ] || usage
action=$1 build=$2 kdir=$3 prefix=${4-}
names="vfio vfio_iommu_type1 vfio-migration vfio-pci-core vfio-pci
	vfio-pci-migration igbvf-vfio-pci"

[ -d "$kdir" ] || die "$kdir does not exist: install the kernel's headers" \
	"(linux-headers-amd64) or give KDIR="
kver=$(make -s -C "$kdir" kernelrelease)
dir=$prefix/lib/modules/$kver
[ -d "$dir" ] || die "$dir does not exist: install that kernel, or give the" \
	"KDIR= of an installed one"

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
	[ -n "$built" ] || die "$build has no modules: run make KDIR=$kdir"
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

# Names our and the distribution's modules that are loaded on this machine.
tell_loaded()
{
	[ -z "$prefix" ] && [ "$kver" = "$(uname -r)" ] || return 0
	loaded=
	for name in $names; do
		[ ! -e "/sys/module/$(echo "$name" | tr - _)" ] ||
			loaded="$name${loaded:+ }$loaded"
	done
	[ -z "$loaded" ] ||
		say "old modules are still loaded. End what uses their devices," \
			"then run: modprobe -r $loaded"
}

# Tells whether the initramfs has modules, which are loaded at boot before the
# file system with /lib/modules is there.
tell_initramfs()
{
	image=$prefix/boot/initrd.img-$kver
	[ -e "$image" ] || return 0
	if command -v lsinitramfs >/dev/null; then
		list="lsinitramfs $image"
		make="update-initramfs -u -k $kver"
	elif command -v lsinitrd >/dev/null; then
		list="lsinitrd $image"
		make="dracut --force $image $kver"
	else
		return 0
	fi
	$list 2>/dev/null | grep -q '/[^/]*vfio[^/]*\.ko' || return 0
	say "$image has old vfio modules, which may be loaded at boot." \
		"Run: $make"
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
tell_loaded
tell_initramfs
