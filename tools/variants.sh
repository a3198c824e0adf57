#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Builds the variant drivers of a Linux source, unchanged, against the modules
# that make has built.  Each driver is copied and built on its own, outside of
# both trees, so one that cannot be built does not keep the others from it.

set -eu

usage()
{
	cat <<-END
	usage: variants.sh [--all] [--only NAME] KERNEL BUILD OUT [KDIR]

	  KERNEL  the source of the kernel that BUILD was built for: a directory, or
	          a tarball such as /usr/src/linux-source-6.12.tar.xz of Debian's
	          package linux-source-6.12
	  BUILD   where make has built our modules
	  OUT     where the drivers go, as *.ko; OUT/NAME.log is the compiler's output.
	          A directory that is there has to be called variants: it is
	          removed first
	  KDIR    the kernel's headers, if BUILD was not built for the kernel of the
	          Debian root of the tests
	  --all   also compile drivers whose other half this kernel does not have, to
	          see whether our headers and exports have all that they use.  No
	          module comes of it
	  --only NAME   build only that driver, e.g. mlx5

	Prints a line for each driver: built, or what it lacks.  If W=1 is in the
	environment, the compiler's additional warnings about our headers count.
	Exit status: 0 if all drivers were built that this kernel has the other half
	of, at least one; 1 if not; 2 for wrong usage.
	END
}

# A line for each driver: its folder in drivers/vfio/pci, the symbol that Kconfig
# has for it, the symbols of the kernel that it needs, and options, as
# SYMBOL:NEED.
drivers="
hisilicon    HISI_ACC_VFIO_PCI     ARM64,CRYPTO_DEV_HISI_QM
mlx5         MLX5_VFIO_PCI         MLX5_CORE
nvgrace-gpu  NVGRACE_GPU_VFIO_PCI  ARM64
ism          ISM_VFIO_PCI          S390
pds          PDS_VFIO_PCI          PDS_CORE
qat          QAT_VFIO_PCI          CRYPTO_DEV_QAT_4XXX
virtio       VIRTIO_VFIO_PCI       VIRTIO_PCI  VIRTIO_VFIO_PCI_ADMIN_LEGACY:VIRTIO_PCI_ADMIN_LEGACY
xe           XE_VFIO_PCI           DRM_XE"

die()
{
	echo "variants.sh: $*" >&2
	exit 1
}

all=
only=
while [ $# -gt 0 ]; do
	case $1 in
	--help) usage; exit 0 ;;
	--all) all=1; shift ;;
	--only)
		[ $# -gt 1 ] || { usage >&2; exit 2; }
		only=$2
		shift 2
		;;
	--*) usage >&2; exit 2 ;;
	*) break ;;
	esac
done
[ $# = 3 ] || [ $# = 4 ] || { usage >&2; exit 2; }
kernel=$1 kdir=${4-}
vm=$(dirname "$(realpath "$0")")/testing/vm

# in_root COMMAND...: runs it where the kernel's headers are.
in_root()
{
	if [ -n "$kdir" ]; then
		"$@"
	else
		"$vm/inroot.sh" --bind "$out" --bind "$build" -- "$@"
	fi
}

# Sets $kdir_host, the headers' path on this machine, and $kdir_root, their path
# for in_root().
find_headers()
{
	if [ -n "$kdir" ]; then
		kdir_root=$(realpath -e "$kdir") ||
			die "$kdir does not exist: install the kernel's headers"
		kdir_host=$kdir_root
	else
		VFIO_ROOT=$("$vm/root.sh")
		export VFIO_ROOT
		kver=$(ls "$VFIO_ROOT/lib/modules")
		kdir_root=/lib/modules/$kver/build
		kdir_host=$VFIO_ROOT/usr/src/linux-headers-$kver
	fi
	kver=$(cat "$kdir_host/include/config/kernel.release") ||
		die "$kdir_host has no headers of a kernel"
}

# Sets $build.  The drivers find our symbols' versions in Module.symvers.
find_build()
{
	local vfio=$1/drivers/vfio/vfio.ko

	build=$(realpath -m "$1")
	if [ ! -e "$build/Module.symvers" ] || [ ! -e "$vfio" ]; then
		die "$1 has no vfio.ko: run make first"
	fi
	grep -qa "vermagic=$kver " "$vfio" ||
		die "$1 was built for another kernel than $kver: run make clean," \
			"then make"
}

# Copies what is needed of the kernel's source to OUT/source, and sets $source.
# Nothing but drivers/vfio/pci is needed, and Makefile for the version.
take_source()
{
	local version

	source=$out/source
	mkdir "$source"
	if [ -d "$kernel" ]; then
		[ ! -e "$kernel/.vfio-overlay" ] ||
			die "this tree is laid over $kernel: run make overlay-undo" \
				"KERNEL=$kernel, or take another source"
		tar -C "$kernel" -cf - Makefile drivers/vfio/pci 2>/dev/null |
			tar -C "$source" -xf - 2>/dev/null || :
	else
		tar -C "$source" --strip-components=1 --wildcards \
			--no-wildcards-match-slash -xf "$kernel" '*/Makefile' \
			'*/drivers/vfio/pci' 2>/dev/null || :
	fi
	if [ ! -e "$source/Makefile" ] || [ ! -d "$source/drivers/vfio/pci" ]; then
		die "$kernel is not the source of a Linux: neither a directory nor" \
			"a tarball with Makefile and drivers/vfio/pci"
	fi
	version=$(sed -n 's/^\(VERSION\|PATCHLEVEL\) = //p' "$source/Makefile" |
		paste -sd.)
	case $kver in
	"$version".*) ;;
	*) die "$kernel is the source of Linux $version, and the modules are" \
		"built for $kver: take the source of that version" ;;
	esac
}

# lacking NEED,...: those symbols that the kernel's configuration does not have
lacking()
{
	local need

	for need in ${1//,/ }; do
		grep -qsE "^CONFIG_$need=[ym]$" "$kdir_host/include/config/auto.conf" ||
			echo "CONFIG_$need"
	done
}

# configure NAME SYMBOL NEEDS OPTION...: sets $config, for make, and writes the
# Kbuild by which the driver's folder is compiled with our headers and our
# configuration in front of the kernel's.
configure()
{
	local name=$1 needs=$3 option need
	local flags=" -DCONFIG_${2}_MODULE=1"

	config=("CONFIG_$2=m")
	shift 3
	# For the case that --all compiles it although these are not there
	for need in $(lacking "$needs"); do
		flags+=" -D${need}_MODULE=1"
	done
	for option; do
		[ -z "$(lacking "${option#*:}")" ] || continue
		config+=("CONFIG_${option%:*}=y")
		flags+=" -DCONFIG_${option%:*}=1"
	done
	cat >"$out/$name/Kbuild" <<-END
		NOSTDINC_FLAGS += -I$build/include
		subdir-ccflags-y += -include $build/include/vfio-build-config.h$flags
		obj-m += drivers/vfio/pci/$name/
	END
}

# names: on one line, separated by commas
names()
{
	sort -u | paste -sd, | sed 's/,/, /g'
}

# undefined LOG: the symbols that modpost has found nowhere
undefined()
{
	sed -nE 's/.*modpost: "([^"]+)" \[.*undefined.*/\1/p' "$1"
}

# Of the symbols in stdin, those that this stack would have to have
of_vfio()
{
	grep -E '^(__)?(vfio|iova_bitmap)_' || :
}

# why LOG: why it was not built
why()
{
	local header symbols first

	header=$(sed -nE 's/.*fatal error: (.*): No such file.*/\1/p' "$1" | names)
	symbols=$(undefined "$1" | names)
	if [ -n "$header" ]; then
		echo "there is no header $header"
	elif [ -n "$(undefined "$1" | of_vfio)" ]; then
		echo "this stack does not export $(undefined "$1" | of_vfio | names)"
	elif [ -n "$symbols" ]; then
		echo "the kernel does not export $symbols"
	else
		first=$(grep -m 1 -oE '(error|ERROR): .*|\*\*\* .*' "$1") || :
		echo "${first:-make failed}; see $1"
	fi
}

# warnings LOG: those that our headers are to blame for.  Without W=1, the
# kernel's drivers have none with the kernel's own headers.  What is not the
# compiler's is not ours.
warnings()
{
	if [ -n "${W-}" ]; then
		grep -E "^$build/include/[^ ]*: warning: " "$1"
	else
		grep -E '^[^ ]*:[0-9]+:[0-9]+: warning: ' "$1"
	fi
}

# not_ours MODULE: the functions of VFIO that the module does not have from this
# stack.  The linker also knows the exports of the kernel's own VFIO, whose modules
# are not loaded together with ours.
not_ours()
{
	local symbols

	symbols=$(in_root nm -u "$1") || {
		echo "(nm cannot read $1)"
		return
	}
	awk '
		from == "module" && !($2 in ours) && $2 in theirs { print $2 }
		from == "ours" { ours[$2] }
		from == "kernel" && $3 ~ /^drivers\/vfio\// { theirs[$2] }
	' from=ours "$build/Module.symvers" \
		from=kernel "$kdir_host/Module.symvers" \
		from=module - <<<"$symbols"
}

# compile NAME SYMBOL NEEDS [OPTION...] -- [ARG...]: prints what is wrong, and
# returns 1, if the driver cannot be used with this stack.
compile()
{
	local name=$1 dir=$out/$1 log=$out/$1.log kos foreign
	local -a symbols=()

	while [ "$1" != -- ]; do
		symbols+=("$1")
		shift
	done
	shift
	mkdir -p "$dir/drivers/vfio/pci"
	cp -r "$source/drivers/vfio/pci/$name" "$dir/drivers/vfio/pci/"
	configure "${symbols[@]}"
	in_root make -s -j"$(nproc)" -C "$kdir_root" M="$dir" \
		KBUILD_EXTRA_SYMBOLS="$build/Module.symvers" W="${W-}" \
		"${config[@]}" "$@" modules >"$log" 2>&1 || {
		why "$log"
		return 1
	}
	kos=$(find "$dir" -name '*.ko')
	[ -n "$kos" ] || { echo "its Makefile has no ${config[0]}"; return 1; }
	foreign=$(echo "$kos" | while read -r ko; do not_ours "$ko"; done
		undefined "$log" | of_vfio)
	if [ -n "$foreign" ]; then
		echo "this stack does not export $(names <<<"$foreign")"
		return 1
	elif warnings "$log" >&2; then
		echo "our headers cause warnings, see $log"
		return 1
	fi
}

# build_driver NAME SYMBOL NEEDS [OPTION...]: prints the line about it, and
# returns 1 if it should have been built and was not.
build_driver()
{
	local name=$1 lack wrong

	lack=$(lacking "$3" | names)
	if [ -n "$lack" ] && [ -z "$all" ]; then
		echo "$name: not built: the kernel has no $lack"
		return 0
	fi
	wrong=$(compile "$@" -- ${lack:+KBUILD_MODPOST_WARN=1}) || {
		# A module that may have been made must not be installed.
		rm -rf "${out:?}/$name"
		echo "$name: not built: $wrong"
		return 1
	}
	if [ -n "$lack" ]; then
		rm -rf "${out:?}/$name"
		good=$((good + 1))
		echo "$name: compiles, not built: the kernel has no $lack"
		return 0
	fi
	echo "$name: built:" "$(find "$out/$name" -name '*.ko' -printf '%f\n' | names)"
	find "$out/$name" -name '*.ko' -exec mv -t "$out" {} +
	rm -rf "${out:?}/$name"
	good=$((good + 1))
}

[ -n "$kernel" ] || die "say which source: KERNEL=DIR or KERNEL=TARBALL, such as" \
	"/usr/src/linux-source-6.12.tar.xz of the package linux-source-6.12"
[ -e "$kernel" ] || die "$kernel does not exist"
find_headers
find_build "$2"
case $(realpath -m "$3") in
*/variants) rm -rf "$3" ;;
*) [ ! -e "$3" ] || die "$3 exists, and would be removed: give OUT a name that is" \
	"free, or ends in /variants" ;;
esac
mkdir -p "$3"
out=$(realpath "$3")
take_source
[ -z "$only" ] || [ -d "$source/drivers/vfio/pci/$only" ] ||
	die "$kernel has no variant driver $only"
good=0
failed=0
while read -r name; do
	line=$(grep "^$name " <<<"$drivers") || {
		echo "$name: not built: variants.sh does not know what it needs"
		continue
	}
	# shellcheck disable=SC2086 # words
	build_driver $line </dev/null || failed=1
done < <(find "$source/drivers/vfio/pci" -mindepth 1 -maxdepth 1 -type d \
	-name "${only:-*}" -printf '%f\n' | sort)
rm -rf "$source"
[ $good -gt 0 ] || die "none was built"
exit $failed
