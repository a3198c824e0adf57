#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Puts the modules of a build into /lib/modules/<kernel>/updates, where
# modprobe prefers them to the distribution's, or takes them away again.
# What is loaded stays loaded, and what an initramfs has stays in it: says so,
# since modules of ours and of the distribution do not go together.

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

# Modules that run on this machine now
tell_loaded()
{
	[ -z "$prefix" ] && [ "$kver" = "$(uname -r)" ] || return 0
	loaded=
	for name in $names; do
		[ ! -e "/sys/module/$(echo "$name" | tr - _)" ] ||
			loaded="$name${loaded:+ }$loaded"
	done
	[ -z "$loaded" ] ||
		say "modules from before are still loaded. End what uses the" \
			"devices, then: modprobe -r $loaded"
}

# Modules that are loaded at boot, before /lib/modules is there
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
	say "$image has vfio modules from before, which boot may load." \
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
