#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Makes the hermetic Debian 13 root if it does not exist, and prints its path.
# Modules are built in this file system, and the VMs run it.  Its name has a
# hash of its recipe (this file, the hook and the list of packages, without
# comments), so a changed recipe makes a new root.  Needs root, on Debian 12 or
# 13.

set -eu

usage()
{
	cat <<-END
	usage: root.sh

	Prints the path of the Debian root in the cache (see cache.sh), and makes
	it before if it does not exist (1 to 2 minutes, 1 GiB).  With VFIO_ROOT=DIR
	set, only prints DIR.  Packages come from \$VFIO_MIRROR, or from the mirror
	that apt on this machine uses.
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

# stdout is for the path only.
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
root=$cache/root-$(grep -hv '^#' "$0" "$here/root-hook.sh" "$here/packages" |
	sha256sum | cut -c1-12)

if [ -d "$root" ]; then
	touch "$root"
	echo "$root" >&3
	exit 0
fi

[ "$(id -u)" = 0 ] || die "must be run as root (to make $root)"

# Others that want the root wait here, and then find it made.
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
		# On a fresh machine, apt has no package lists yet.
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
