# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
#
# Names old modules that are still loaded, and an initramfs that contains old ones:
# the kernel refuses to mix them with those that a script has just installed or
# removed.  To be sourced by a script that has say().

# All modules of this tree, each after those that it needs
# shellcheck disable=SC2034 # for the caller
vfio_names="vfio vfio_iommu_type1 vfio-migration vfio-pci-core vfio-pci
	vfio-pci-migration igbvf-vfio-pci"

# using_vfio: the names of loaded modules that use vfio-pci-core and are not of this
# tree, such as variant drivers of the kernel
using_vfio()
{
	local holder name own
	for holder in /sys/module/vfio_pci_core/holders/*; do
		[ -e "$holder" ] || continue
		name=$(basename "$holder" | tr _ -)
		for own in $vfio_names; do
			[ "$own" != "$name" ] || continue 2
		done
		echo "$name"
	done
}

# tell_loaded KERNEL: names those that are loaded on this machine, if it runs KERNEL.
# rmmod, as modprobe -r does not find modules whose files have been removed.
tell_loaded()
{
	local name loaded=
	[ "$1" = "$(uname -r)" ] || return 0
	for name in $vfio_names $(using_vfio); do
		[ ! -e "/sys/module/$(echo "$name" | tr - _)" ] ||
			loaded="$name${loaded:+ }$loaded"
	done
	[ -z "$loaded" ] ||
		say "old modules are still loaded. End what uses their" \
			"devices, then run: rmmod $loaded"
}

# tell_initramfs KERNEL [PREFIX]: whether the initramfs has modules, which are loaded
# at boot before the file system with PREFIX/lib/modules is there.
tell_initramfs()
{
	local list make image="${2-}/boot/initrd.img-$1"
	[ -e "$image" ] || return 0
	# Newer than the last change of the modules
	[ ! "$image" -nt "${2-}/lib/modules/$1/modules.dep" ] || return 0
	if command -v lsinitramfs >/dev/null; then
		list="lsinitramfs $image"
		make="update-initramfs -u -k $1"
	elif command -v lsinitrd >/dev/null; then
		list="lsinitrd $image"
		make="dracut --force $image $1"
	else
		return 0
	fi
	$list 2>/dev/null | grep -q '/[^/]*vfio[^/]*\.ko' || return 0
	say "$image has old vfio modules, which may be loaded at boot." \
		"Run: $make"
}
