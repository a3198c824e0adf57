#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Compares the interfaces of this tree with those of the distribution's kernel:
# the user space header, the two driver headers, the exported symbols, and the
# modules' parameters and aliases.  Prints TAP; a failed test shows the
# difference.  This script enters the Debian root; compare.sh does the
# comparison.

set -eu

usage()
{
	cat <<-END
	usage: run.sh ROOT KVER SRC BUILD

	  ROOT    the Debian root, with the headers and modules of kernel KVER
	  SRC     this tree, or a copy; SRC/build/abi keeps what was compared
	  BUILD   where the modules were built: Module.symvers, *.ko
	Must be run as root.
	END
}

case ${1-} in
--help) usage; exit 0 ;;
esac
[ $# = 4 ] || { usage >&2; exit 2; }

here=$(dirname "$(realpath "$0")")
VFIO_ROOT=$(realpath "$1")
export VFIO_ROOT
src=$(realpath "$3")
build=$(realpath -m "$4")
mkdir -p "$src/build/abi" "$build"

exec "$here/../vm/inroot.sh" --bind "$here" --bind "$src" --bind "$build" -- \
	sh "$here/compare.sh" "$2" "$src" "$build" "$src/build/abi"
