#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The kernel must refuse our modules on the distribution's vfio, and the
# distribution's on ours: their structures differ.

set -eu

usage()
{
	cat <<-END
	usage: mixed.sh MODULES LOG

	MODULES: a build of the modules, LOG: a directory for logs.  Prints TAP.
	END
}

[ "${1-}" != --help ] || { usage; exit 0; }
[ $# = 2 ] || { usage >&2; exit 2; }

here=$(dirname "$(realpath "$0")")
vm=$(dirname "$here")
modules=$(realpath -e "$1")
rm -rf "$2"
mkdir -p "$2/vm"
log=$(realpath "$2")

"$vm/layer.sh" "$log/layer" "$modules"
"$vm/vm.sh" --log "$log/vm" --cpus 1 --memory 1024 --layer "$log/layer" \
	--share "$here:/mixed" -- bash /mixed/host.sh
