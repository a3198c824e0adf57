#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Makes a layer for vm.sh with which a VM has another QEMU than the Debian root's:
# one of Debian's packages, or one that somebody has built.  The layer is kept in
# the cache, where it is named after what it was made of.

set -euo pipefail

usage()
{
	cat <<-END
	usage: qemu.sh [--again] QEMU

	Prints the path of the layer with QEMU, having made it if it was not there.
	QEMU is for x86-64, and one of
	  SUITE        a suite of Debian, e.g. trixie-backports: qemu-system-x86
	               from there, and what it needs
	  FILE.deb[,FILE.deb]...
	               these packages; what else they need is taken from Debian 13
	  DIR          where a QEMU was installed: DIR/bin/qemu-system-x86_64; or
	               the directory that it was built in: DIR/qemu-system-x86_64
	Packages are unpacked, their scripts are not run.  Of DIR, the emulator, its
	modules and its firmware without UEFI are copied, and from this machine the
	libraries that the emulator needs and the root lacks.  If the layer cannot run
	in the root, qemu.sh says why and fails.
	  --again   make the layer even if it is there, to have the packages that
	            the suite has now
	Packages come from the mirror that the root came from.  Needs root.
	END
}

again=
case ${1-} in
--help) usage; exit 0 ;;
--again) again=1; shift ;;
esac
[ $# = 1 ] || { usage >&2; exit 2; }
what=$1

# stdout is for the path only.
exec 3>&1 >&2

die()
{
	echo "qemu.sh: $*"
	exit 1
}

here=$(dirname "$(realpath "$0")")
root=$("$here/root.sh")
export VFIO_ROOT=$root
libraries=usr/lib/x86_64-linux-gnu

# installed DIR: the files of a QEMU that was installed in DIR, relative to it
installed()
(
	cd "$1"
	find -L bin/qemu-system-x86_64 share/qemu lib*/qemu lib/*/qemu \
		-type f ! -name 'edk2-*' 2>/dev/null || :
)

# built DIR: the same for one that was built there.  qemu-bundle has links to what
# would be installed.
built()
(
	cd "$1"
	find -L qemu-system-x86_64 qemu-bundle -type f \
		! -name 'edk2-*' ! -path '*/bin/*' 2>/dev/null || :
)

# Sets $kind (suite, debs, installed, built) and $key, which changes when what the
# layer is made of changes.
look()
{
	local deb
	if [ -x "$what/bin/qemu-system-x86_64" ]; then
		kind=installed
	elif [ -x "$what/qemu-system-x86_64" ]; then
		kind=built
	elif [ -d "$what" ]; then
		die "$what has neither bin/qemu-system-x86_64 nor qemu-system-x86_64"
	elif [[ $what = *.deb ]]; then
		kind=debs
		IFS=, read -ra debs <<<"$what"
		for deb in "${!debs[@]}"; do
			debs[deb]=$(realpath -e "${debs[deb]}")
		done
		key=$(sha256sum "${debs[@]}")
		return
	elif [[ $what =~ ^[a-z][a-z-]*$ ]]; then
		kind=suite
		key=$what
		return
	else
		die "$what is neither a directory, nor a package, nor a suite"
	fi
	what=$(realpath "$what")
	key=$what$(cd "$what" && $kind . | sort | xargs -d '\n' stat -Lc '%n %s %y')
}

# apt with the packages of the root, but with directories of its own, and with this
# machine's proxy
apt_get()
{
	apt-get -qq -y -o Debug::NoLocking=true \
		-o Dir::State="$tmp/state" -o Dir::Cache="$tmp/cache" \
		-o Dir::State::status="$root/var/lib/dpkg/status" \
		-o Dir::Etc::SourceList="$tmp/sources" \
		-o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::Preferences=/dev/null \
		-o Dir::Etc::PreferencesParts=/dev/null \
		-o APT::Architecture=amd64 -o APT::Architectures=amd64 \
		-o APT::Sandbox::User=root -o APT::Install-Recommends=false \
		-o Acquire::Languages=none "$@"
}

# unpack DEB...: into the layer.  The links are those of the root.
unpack()
{
	local deb dir

	for dir in bin sbin lib lib64; do
		mkdir -p "$layer/usr/$dir"
		ln -s "usr/$dir" "$layer/$dir"
	done
	for deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$layer" \
			--keep-directory-symlink --exclude='./usr/share/doc' \
			--exclude='./usr/share/man' --exclude='./usr/share/locale'
	done
	find "$layer" -maxdepth 1 -type l -delete
}

# packages SUITE [OPTION]... PACKAGE...: downloads what apt would install, also from
# SUITE, and sets $downloaded to these files.
packages()
{
	local uri keys=$root/usr/share/keyrings/debian-archive-keyring.gpg suite

	uri=$(sed -nE '/^deb /{ s/^deb (\[[^]]*\] )?([^ ]+) .*/\2/p; q }' \
		"$root/etc/apt/sources.list")
	[ -n "$uri" ] || die "the root's sources.list names no mirror"
	mkdir -p "$tmp/state/lists/partial" "$tmp/cache/archives/partial"
	for suite in trixie ${1:+"$1"}; do
		echo "deb [signed-by=$keys] $uri $suite main"
	done | sort -u >"$tmp/sources"
	shift
	{
		apt_get update -o APT::Update::Error-Mode=any &&
			apt_get install --download-only "$@"
	} >"$cache/qemu.log" 2>&1 || {
		tail -n 20 "$cache/qemu.log"
		die "apt failed, its output is in $cache/qemu.log"
	}
	mapfile -t downloaded < <(
		find "$tmp/cache/archives" -maxdepth 1 -name '*.deb')
}

make_suite()
{
	packages "$what" -t "$what" qemu-system-x86
	unpack "${downloaded[@]}"
	emulator=$layer/usr/bin/qemu-system-x86_64
}

# apt takes packages from files in place of those of the same name that it knows.
make_debs()
{
	packages '' "${debs[@]}"
	unpack "${downloaded[@]}" "${debs[@]}"
	emulator=$layer/usr/bin/qemu-system-x86_64
}

# copy TO: copies the files to TO in the layer.
copy()
{
	mkdir -p "$layer/$1"
	$kind "$what" | tar -C "$what" -chf - -T - | tar -C "$layer/$1" -xf -
}

make_installed()
{
	# QEMU finds its files relative to where it is itself.
	copy usr/local
	emulator=$layer/usr/local/bin/qemu-system-x86_64
}

make_built()
{
	copy usr/local/lib/qemu-build
	emulator=$layer/usr/local/lib/qemu-build/qemu-system-x86_64
	mkdir -p "$layer/usr/local/bin"
	ln -s ../lib/qemu-build/qemu-system-x86_64 "$layer/usr/local/bin/"
}

# Adds the libraries of this machine that the root lacks.
add_libraries()
{
	local name path module

	mkdir -p "$layer/$libraries"
	{
		# ldd fails for a static emulator, which needs no library.
		ldd "$emulator" || :
		find "$layer/usr/local" -path '*/qemu/*.so' | while read -r module; do
			ldd "$module" || :
		done
	} 2>/dev/null | sed -nE 's/^\s+(\S+) => (\/\S+|not found).*/\1 \2/p' |
		sort -u | while read -r name path; do
		[ ! -e "$root/$libraries/$name" ] || continue
		[ "$path" != "not found" ] ||
			die "$name, which this QEMU needs, is not on this machine"
		cp -L "$path" "$layer/$libraries/"
	done
}

cache=$("$here/cache.sh")
look
entry=$cache/qemu-$({ cat "$0"; echo "$root $key"; } | sha256sum | cut -c1-12)

# One maker at a time
exec 9>"$cache/qemu.lock"
flock 9
[ -z "$again" ] || rm -rf "$entry"
if [ ! -d "$entry" ]; then
	echo "qemu.sh: making the layer with the QEMU of $what"
	tmp=$entry.tmp
	rm -rf "$tmp"
	trap 'rm -rf "$tmp"' EXIT
	layer=$tmp/layer
	mkdir -p "$layer/usr"
	"make_$kind"
	[ -x "$emulator" ] || die "$what has no other QEMU than the root"
	[[ $kind = @(suite|debs) ]] || add_libraries
	"$here/inroot.sh" --layer "$layer" -- qemu-system-x86_64 --version \
		9>&- || die "the QEMU of $what does not run in the Debian root"
	mv "$layer" "$entry"
fi
touch "$entry"
"$here/cache.sh" --prune
echo "$entry" >&3
