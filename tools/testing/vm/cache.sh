#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The cache for what takes long to make: roots, initramfs images and debug
# kernels.  It lies outside of the tree, so that all clones on this machine
# share it.  Each entry is named KIND-HASH, where HASH covers everything that
# the entry is made of.

set -eu

usage()
{
	cat <<-END
	usage: cache.sh
	       cache.sh --prune
	       cache.sh --remove

	Prints the directory of the cache: \$VFIO_CACHE, else /var/cache/vfio-testbed.
	  --prune    remove entries that have not been used for a day, except
	             the two of each kind that were used last
	  --remove   remove the whole cache
	END
}

cache=${VFIO_CACHE:-/var/cache/vfio-testbed}
mkdir -p "$cache"
cache=$(realpath "$cache")

# Does not go into file systems that are mounted below.
remove()
{
	rm -rf --one-file-system "$1"
}

# The users of an entry touch it, so its time is that of the last use.
prune()
{
	local kind entry

	for kind in root kernel initramfs-host initramfs-nested packaging qemu \
		operator; do
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
