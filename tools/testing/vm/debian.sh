#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Makes a Debian 13 tree of given packages, from the mirror that root.sh's root
# came from, and keeps it in the cache, where it is named after what it was made
# of.

set -eu

usage()
{
	cat <<-END
	usage: debian.sh KIND LIST [HOOK]

	Prints the path of the tree KIND-HASH, having made it if it was not there.
	  LIST   file with packages, one a line.  A line "#: variant NAME" says
	         what they are added to: mmdebstrap's apt (if there is none),
	         important, ...
	  HOOK   program that is called at the end, with the tree
	Needs root.
	END
}

[ "${1-}" != --help ] || { usage; exit 0; }
[ $# = 2 ] || [ $# = 3 ] || { usage >&2; exit 2; }
kind=$1
list=$(realpath -e "$2")
hook=${3:+$(realpath -e "$3")}

here=$(dirname "$(realpath "$0")")
cache=$("$here/cache.sh")
sources=$("$here/root.sh")/etc/apt/sources.list
hash=$(cat "$0" "$list" ${hook:+"$hook"} "$sources" | sha256sum | cut -c1-12)
tree=$cache/$kind-$hash

# One maker at a time
exec 9>"$cache/$kind.lock"
flock 9
if [ ! -d "$tree" ]; then
	echo "debian.sh: making the $kind tree (1 to 3 minutes)" >&2
	tmp=$tree.tmp
	rm -rf --one-file-system "$tmp"
	trap 'rm -rf --one-file-system "$tmp"' EXIT
	variant=$(sed -n 's/^#: variant //p' "$list")
	include=$(grep -v '^#' "$list" | paste -sd,)
	mmdebstrap --quiet --mode=root --variant="${variant:-apt}" \
		--include="$include" \
		--aptopt='Apt::Install-Recommends "false"' \
		${hook:+--customize-hook="$hook"} \
		trixie "$tmp" "$sources" >"$cache/$kind.log" 2>&1 9>&- || {
		tail -n 20 "$cache/$kind.log" >&2
		echo "debian.sh: mmdebstrap failed; all of its output is in" \
			"$cache/$kind.log" >&2
		exit 1
	}
	mv "$tmp" "$tree"
	trap - EXIT
fi
touch "$tree"
"$here/cache.sh" --prune
echo "$tree"
