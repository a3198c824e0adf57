#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Makes sure that the hermetic Debian 13 root exists and prints its path: the
# one file system in which modules are built and which the VMs run.  It is
# named after a hash of its recipe (this file, its hook and the list of packages), so a
# changed recipe makes a new one.  Needs root, on Debian 12 or 13.

set -eu

usage()
{
	cat <<-END
	usage: root.sh

	Prints the path of the Debian root, having made it if it was not there
	(1 to 2 minutes, 1 GiB), in the cache (see cache.sh).  With VFIO_ROOT=DIR
	set, prints that.  Packages come from the mirror that apt on this machine
	uses, or from \$VFIO_MIRROR.
	END
}

case ${1-} in
--help) usage; exit 0 ;;
'') ;;
*) usage >&2; exit 2 ;;
esac

if [ -n "${VFIO_ROOT-}" ]; then
	realpath -e "$VFIO_ROOT"
	exit
fi

# Everything but the path goes to stderr.
exec 3>&1 >&2

say()
{
	echo "root.sh: $*"
}

die()
{
	say "$*"
	exit 1
}

here=$(dirname "$(realpath "$0")")
cache=$("$here/cache.sh")
root=$cache/root-$(cat "$0" "$here/root-hook.sh" "$here/packages" | sha256sum | cut -c1-12)

if [ -d "$root" ]; then
	touch "$root"
	echo "$root" >&3
	exit 0
fi

[ "$(id -u)" = 0 ] || die "must be run as root (to make $root)"

# One maker at a time; who waited finds the work done.
exec 9>"$cache/root.lock"
flock 9

mirror()
{
	if [ -n "${VFIO_MIRROR-}" ]; then
		echo "$VFIO_MIRROR"
		return
	fi
	# shellcheck disable=SC2016 # apt expands it
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
		'Origin: Debian' 'Label: Debian' | head -n 1
}

if ! command -v mmdebstrap >/dev/null; then
	say "installing mmdebstrap"
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
		--no-install-recommends mmdebstrap ||
		{
			apt-get update -qq
			DEBIAN_FRONTEND=noninteractive apt-get install -y \
				-qq --no-install-recommends mmdebstrap
		} || die "cannot install mmdebstrap: install it by hand"
fi

if [ ! -d "$root" ]; then
	uri=$(mirror)
	if [ -z "$uri" ]; then
		# Lists that were never fetched, as on a fresh machine
		apt-get update -qq
		uri=$(mirror)
	fi
	[ -n "$uri" ] || die "apt knows no Debian mirror: set VFIO_MIRROR"
	say "making the Debian 13 root (1 to 2 minutes)"
	tmp=$root.tmp
	rm -rf --one-file-system "$tmp"
	trap 'rm -rf --one-file-system "$tmp"' EXIT
	include=$(grep -v '^#' "$here/packages" | paste -sd,)
	mmdebstrap --quiet --mode=root --variant=apt --include="$include" \
		--aptopt='Apt::Install-Recommends "false"' \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--customize-hook="$here/root-hook.sh" \
		trixie "$tmp" "$uri" >"$cache/root.log" 2>&1 9>&- || {
		tail -n 20 "$cache/root.log"
		die "mmdebstrap failed; all of its output is in $cache/root.log"
	}
	mv "$tmp" "$root"
	trap - EXIT
	touch "$root"
	"$here/cache.sh" --prune
fi
echo "$root" >&3
