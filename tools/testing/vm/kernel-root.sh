#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Makes a Debian root with another kernel than root.sh's, if it does not exist,
# and prints its path.  With VFIO_ROOT set to that path, modules are built for
# that kernel.  The root consists of hard links to root.sh's root, except that
# kernel, headers and linux-libc-dev are those of trixie-backports.  Needs root.

set -eu

usage()
{
	cat <<-END
	usage: kernel-root.sh VERSION

	Prints the path of the Debian root with Linux VERSION, e.g. 7.3, and makes
	it before if it does not exist (half a minute, 250 MiB of the cache).  To
	build the modules for that kernel:
	    VFIO_ROOT=\$(tools/testing/vm/kernel-root.sh 7.3) make BUILD=build/7.3
	Packages come from the mirror of root.sh's root.  The exit status is 75 if
	that does not have Linux VERSION (any more).
	END
}

case ${1-} in
--help) usage; exit 0 ;;
[1-9].[0-9]*) ;;
*) usage >&2; exit 2 ;;
esac
[ $# = 1 ] || { usage >&2; exit 2; }
version=$1

# stdout is for the path only.
exec 3>&1 >&2

say()
{
	echo "kernel-root.sh: $*"
}

die()
{
	say "$*"
	exit 1
}

here=$(dirname "$(realpath "$0")")
cache=$("$here/cache.sh")
base=$(unset VFIO_ROOT; "$here/root.sh")
root=$cache/root-$version-$({ grep -v '^#' "$0"; echo "$base"; } |
	sha256sum | cut -c1-12)

if [ -d "$root" ]; then
	touch "$root" "$base"
	echo "$root" >&3
	exit 0
fi

[ "$(id -u)" = 0 ] || die "must be run as root (to make $root)"

# One process makes the root; others wait here.
exec 9>"$cache/root.lock"
flock 9
if [ -d "$root" ]; then
	echo "$root" >&3
	exit 0
fi

tmp=$root.tmp
rm -rf --one-file-system "$tmp"
trap 'rm -rf --one-file-system "$tmp"' EXIT
mkdir -p "$tmp/apt/lists/partial" "$tmp/apt/archives/partial" "$tmp/root"

# This machine's apt, with the mirror and the keys of the root, and without this
# machine's configuration of apt
sed -n 's|^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) trixie main.*|\2|p' \
	"$base/etc/apt/sources.list" | head -n 1 >"$tmp/apt/mirror"
[ -s "$tmp/apt/mirror" ] || die "$base has no mirror in its sources.list"
keys=$base/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keys] $(cat "$tmp/apt/mirror") trixie-backports main" \
	>"$tmp/apt/sources.list"
: >"$tmp/apt/status"
cat >"$tmp/apt/conf" <<-END
	Dir::Etc::sourcelist "$tmp/apt/sources.list";
	Dir::Etc::sourceparts "/dev/null";
	Dir::State "$tmp/apt";
	Dir::State::lists "$tmp/apt/lists";
	Dir::State::status "$tmp/apt/status";
	Dir::Cache "$tmp/apt";
	Dir::Cache::pkgcache "";
	Dir::Cache::srcpkgcache "";
	APT::Architecture "amd64";
	APT::Sandbox::User "root";
	END
apt()
{
	local command=$1
	shift
	APT_CONFIG=$tmp/apt/conf "apt-$command" -qq "$@"
}

say "making the Debian root with Linux $version"
apt get update || die "cannot read the list of trixie-backports"
kver=$(apt cache pkgnames "linux-headers-$version." |
	sed -n 's/^linux-headers-\([0-9.]*+deb13-amd64\)$/\1/p' |
	sort -V | tail -n 1)
[ -n "$kver" ] || {
	say "trixie-backports has no Linux $version (any more)"
	exit 75
}
abi=${kver%-amd64}
packages=$(apt cache show "linux-headers-$kver" |
	sed -n 's/^Version: //p' | head -n 1)
(
	cd "$tmp/apt"
	apt get download "linux-headers-$kver" "linux-headers-$abi-common" \
		"linux-kbuild-$abi" "linux-base-$kver" "linux-binary-$kver" \
		"linux-modules-$kver" \
		"linux-libc-dev=$packages"
) || die "cannot get the packages of Linux $kver"

cp -al "$base/." "$tmp/root/"
rm -rf "$tmp/root/lib/modules"/* "$tmp/root/usr/src"/linux-headers-* \
	"$tmp/root/usr/src"/linux-kbuild-* "$tmp/root/usr/lib"/linux-kbuild-* \
	"$tmp/root/boot"/*-amd64 "$tmp/root/usr/include/linux"
# tar replaces files.  It does not write into them, so the base root keeps its
# own.
for deb in "$tmp/apt"/*.deb; do
	dpkg-deb --fsys-tarfile "$deb" |
		tar -x -C "$tmp/root" --keep-directory-symlink \
			--exclude ./usr/share/doc
done
ln -sfn "usr/lib/modules/$kver/vmlinuz" "$tmp/root/vmlinuz"
chroot "$tmp/root" depmod "$kver"
mv "$tmp/root" "$root"
touch "$root"
echo "$root" >&3
