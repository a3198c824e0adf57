#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Builds the modules for one kernel.  DKMS runs it in a copy of the source (see
# dkms.conf) and keeps its output in make.log.

set -eu

usage()
{
	echo "usage: build.sh KERNEL KDIR whole|migration" >&2
	exit 2
}

[ $# = 3 ] || usage
kernel=$1 kdir=$2 flavour=$3
case $flavour in
whole) set -- ;;
migration) set -- CONFIG_VFIO=n CONFIG_VFIO_PCI_CORE=n ;;
*) usage ;;
esac

rm -rf modules
mkdir modules
if make -j"$(nproc)" modules KDIR="$kdir" BUILD=build "$@"; then
	find build -name '*.ko' -exec mv -t modules {} +
	exit 0
fi
echo "The build for $kernel failed, see above: the kernel keeps its own VFIO" \
	"modules."
exit 77
