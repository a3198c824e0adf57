#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Makes a layer for vm.sh with which modprobe finds the given modules in place
# of the distribution's, as it does after `make install`.  The layer has the
# modules in updates/, and depmod's indexes of these and the root's modules.

set -eu

usage()
{
	cat <<-END
	usage: layer.sh OUT MODULES_DIR

	Makes the directory OUT anew, with all *.ko below MODULES_DIR in
	usr/lib/modules/<version>/updates/, and depmod's indexes.
	END
}

[ "${1-}" != --help ] || { usage; exit 0; }
[ $# = 2 ] || { usage >&2; exit 2; }

here=$(dirname "$(realpath "$0")")
root=$(realpath "${VFIO_ROOT:-$("$here/root.sh")}")
kver=$(ls "$root/lib/modules")
modules=$(find "$(realpath -e "$2")" -name '*.ko' ! -path '*/updates/*')
[ -n "$modules" ] || { echo "layer.sh: no modules in $2" >&2; exit 1; }

rm -rf "$1"
mkdir -p "$1/usr/lib/modules/$kver/updates"
out=$(realpath "$1")
echo "$modules" | xargs cp -t "$out/usr/lib/modules/$kver/updates"

# shellcheck disable=SC2016 # expanded in the root
VFIO_ROOT=$root "$here/inroot.sh" --bind "$out" --chdir "$out" -- sh -euc '
	dir=usr/lib/modules/$1
	ln -s usr/lib lib
	for file in kernel modules.order modules.builtin \
		modules.builtin.modinfo; do
		ln -s "/$dir/$file" "$dir/"
	done
	depmod -b "$PWD" "$1"
	find . -type l -delete
	' sh "$kver"
