#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Builds the Debian packages of debian/ in a Debian 13 root that has what this
# takes, and has lintian look at them.

set -eu

usage()
{
	cat <<-END
	usage: deb.sh OUT

	Builds the packages, and leaves them in OUT, with lintian's report in
	OUT/lintian; fails if that has an error.  Needs root, for the Debian
	root, which is made at first use (1 to 2 minutes) and kept in the cache.
	On a Debian 13 machine with the build dependencies, dpkg-buildpackage -b
	builds the same.
	END
}

[ "${1-}" != --help ] || { usage; exit 0; }
[ $# = 1 ] || { usage >&2; exit 2; }

here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../..")
vm=$top/tools/testing/vm
root=$("$vm/debian.sh" packaging "$here/packages")
rm -rf "$1"
mkdir -p "$1/build/source"
out=$(realpath "$1")

# What git knows; in a source without git, all but what was built.
cd "$top"
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
	git ls-files -z
else
	find . -path ./build -prune -o -type f -print0
fi | tar --null -cf - -T - | tar -C "$out/build/source" -xf -

VFIO_ROOT=$root "$vm/inroot.sh" --net --bind "$out" \
	--chdir "$out/build/source" -- \
	dpkg-buildpackage -b -us -uc >"$out/log" 2>&1 || {
	tail -n 40 "$out/log"
	echo "deb.sh: cannot build the packages; all output is in $out/log" >&2
	exit 1
}
mv "$out"/build/*.deb "$out"/build/*.changes "$out"/build/*.buildinfo "$out/"
rm -rf "$out/build"
VFIO_ROOT=$root "$vm/inroot.sh" --net --bind "$out" --chdir "$out" -- \
	lintian --allow-root --display-info --fail-on error \
	--suppress-tags initial-upload-closes-no-bugs \
	"$(basename "$out"/*.changes)" >"$out/lintian" 2>&1 || {
	cat "$out/lintian"
	exit 1
}
ls "$out"/*.deb
