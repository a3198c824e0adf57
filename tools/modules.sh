#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Installs the modules of a build in /lib/modules/<kernel>/updates, where
# modprobe prefers them to the distribution's, or removes them.  The kernel's own
# variant drivers, which variants.sh builds, go to updates/variants there; they
# are removed together with our modules, as they do not work without these.  Our
# modules and the distribution's do not work together, so it names old ones that
# are still loaded, and an initramfs that contains old ones.

set -eu

usage()
{
	cat <<-END
	usage: modules.sh install BUILD KDIR [PREFIX]
	       modules.sh install-variants VARIANTS KDIR [PREFIX]
	       modules.sh uninstall BUILD KDIR [PREFIX]

	  BUILD      where make has built our modules
	  VARIANTS   where make variants has built the kernel's variant drivers
	  KDIR       the headers of the kernel, whose modules are in
	             PREFIX/lib/modules
	uninstall removes the variant drivers as well.
	END
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

[ "${1-}" != --help ] || { usage; exit 0; }
[ $# = 3 ] || [ $# = 4 ] || { usage >&2; exit 2; }
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

# find_built COMMAND: sets $built, the modules of the build.  COMMAND makes them.
find_built()
{
	built=$(find "$build" -name '*.ko')
	[ -n "$built" ] || die "$build has no modules: run $1 KDIR=$kdir"
	magic="vermagic=$kver "
	for ko in $built; do
		grep -qa "$magic" "$ko" ||
			die "$ko was built for another kernel than $kver:" \
				"run make clean, then build with KDIR=$kdir"
	done
}

# copy_built DIR
copy_built()
{
	mkdir -p "$1"
	for ko in $built; do
		install -m 644 "$ko" "$1/"
	done
}

# found MODULE: prints the file that modprobe would load.
found()
{
	modinfo ${prefix:+-b "$prefix"} -k "$kver" -F filename "$1" 2>/dev/null
}

install_all()
{
	find_built make
	remove
	copy_built "$dir/updates"
}

install_variants()
{
	find_built "make variants"
	case $(found vfio) in
	*/updates/*) ;;
	*) die "$kver has not our vfio module, which these drivers need: run" \
		"make install first" ;;
	esac
	rm -rf "$dir/updates/variants"
	copy_built "$dir/updates/variants"
}

case $action in
install) install_all ;;
install-variants) install_variants ;;
uninstall)
	rm -rf "$dir/updates/variants"
	remove
	;;
*) usage >&2; exit 2 ;;
esac
depmod ${prefix:+-b "$prefix"} "$kver"

variants=$(cd "$dir/updates/variants" 2>/dev/null && echo *.ko) || :
for name in $vfio_names $variants; do
	name=${name%.ko}
	file=$(found "$name") || continue
	echo "$name: $file"
done
[ -n "$prefix" ] || tell_loaded "$kver"
tell_initramfs "$kver" "$prefix"
