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

# shellcheck source=tools/modules-tell.sh
. "$(dirname "$(realpath "$0")")/modules-tell.sh"

[ $# -ge 3 ] || usage
action=$1 build=$2 kdir=$3 prefix=${4-}

[ -d "$kdir" ] || die "$kdir does not exist: install the kernel's headers" \
	"(linux-headers-amd64) or give KDIR="
kver=$(make -s -C "$kdir" kernelrelease)
dir=$prefix/lib/modules/$kver
[ -d "$dir" ] || die "$dir does not exist: install that kernel, or give the" \
	"KDIR= of an installed one"

remove()
{
	for name in $vfio_names; do
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

case $action in
install) install_all ;;
uninstall) remove ;;
*) usage ;;
esac
depmod ${prefix:+-b "$prefix"} "$kver"

for name in $vfio_names; do
	file=$(modinfo ${prefix:+-b "$prefix"} -k "$kver" -F filename \
		"$name" 2>/dev/null) || continue
	echo "$name: $file"
done
[ -n "$prefix" ] || tell_loaded "$kver"
tell_initramfs "$kver" "$prefix"
