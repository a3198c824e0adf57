#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Copies the modules of the Debian root, so that a test can install modules and
# run depmod without changing the root.

set -eu

usage()
{
	cat <<-END
	usage: modules-copy.sh PREFIX

	Makes PREFIX/lib/modules/<version>, with the root's modules (VFIO_ROOT, else
	root.sh's) as hard links, and its indexes as files.  PREFIX has to be on the
	file system of the root.
	END
}

[ "${1-}" != --help ] || { usage; exit 0; }
[ $# = 1 ] || { usage >&2; exit 2; }

root=$(realpath "${VFIO_ROOT:-$("$(dirname "$(realpath "$0")")/root.sh")}")
kver=$(ls "$root/lib/modules")
mkdir -p "$1/lib/modules"
cp -al "$root/lib/modules/$kver" "$1/lib/modules/"
# depmod rewrites these files in place, so they must not be links.
for file in "$1/lib/modules/$kver"/modules.*; do
	cp --remove-destination "$(realpath "$file")" "$file.copy"
	mv "$file.copy" "$file"
done
