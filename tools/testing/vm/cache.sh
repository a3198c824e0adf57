#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Where what takes long to make is kept, outside of the tree, so that every
# clone on this machine has it: roots, initramfs images, debug kernels, each
# named KIND-HASH after what went into it.

set -eu

usage()
{
	cat <<-END
	usage: cache.sh
	       cache.sh --prune
	       cache.sh --remove

	Prints the directory of the cache: \$VFIO_CACHE, else /var/cache/vfio-testbed.
	  --prune    remove what has not been used for a day, but for the last
	             two of each kind
	  --remove   remove it all
	END
}

cache=${VFIO_CACHE:-/var/cache/vfio-testbed}
mkdir -p "$cache"
cache=$(realpath "$cache")

# Its own file system only, should something be mounted there.
remove()
{
	rm -rf --one-file-system "$1"
}

# By the time of the directory, which its users touch.
prune()
{
	local kind entry

	for kind in root kernel initramfs-host initramfs-nested; do
		find "$cache" -maxdepth 1 -name "$kind-*" ! -name '*.lock' \
			! -name '*.tmp' -printf '%T@ %p\n' | sort -rn |
			tail -n +3 | while read -r _ entry; do
			[ -z "$(find "$entry" -maxdepth 0 -mtime -1)" ] ||
				continue
			remove "$entry"
			rm -f "$entry.lock"
		done
	done
}

case ${1-} in
'') echo "$cache" ;;
--help) usage ;;
--prune) prune ;;
--remove) remove "$cache" ;;
*) usage >&2; exit 2 ;;
esac
