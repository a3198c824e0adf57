#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests the kernel's own variant drivers on our modules: all compile, those that
# Debian's kernel has the other half of are built and installed, and in a VM they
# load, register, and go.  virtio's has a device there: it binds, and is opened.
# The drivers come from Debian's package linux-source-6.12 in the root.

set -u

usage()
{
	cat <<-END
	usage: variants.sh MODULES LOG

	MODULES: a build of our modules, LOG: a directory for logs and for the
	drivers.  Prints TAP.  Exit status 0, 1 if a test failed, or as of vm.sh.
	END
}

[ "${1-}" != --help ] || { usage; exit 0; }
[ $# = 2 ] || { usage >&2; exit 2; }

here=$(dirname "$(realpath "$0")")
vm=$(dirname "$here")
top=$(realpath "$vm/../../..")
modules=$(realpath -e "$1")
rm -rf "$2"
mkdir -p "$2/vm"
log=$(realpath "$2")
VFIO_ROOT=$("$vm/root.sh") || exit 1
export VFIO_ROOT
kver=$(ls "$VFIO_ROOT/lib/modules")
linux=$VFIO_ROOT/usr/src/linux-source-6.12.tar.xz
number=0
failed=0

# verdict TEXT COMMAND...: one test, which passes if COMMAND succeeds; if not, the
# output is shown.
verdict()
{
	local text=$1
	shift
	number=$((number + 1))
	if "$@" >"$log/output" 2>&1; then
		echo "ok $number - variants: $text"
	else
		echo "not ok $number - variants: $text"
		sed 's/^/# /' "$log/output"
		failed=1
	fi
}

# refused WORDS COMMAND...: does COMMAND fail, and say WORDS?
refused()
{
	local words=$1
	shift
	"$@" >"$log/refused" 2>&1 && return 1
	cat "$log/refused"
	grep -qF "$words" "$log/refused"
}

# build OPTION... KERNEL: leaves the lines about the drivers in $log/drivers.
build()
{
	local status

	"$top/tools/variants.sh" "$@" "$modules" "$log/variants" \
		>"$log/drivers" 2>&1
	status=$?
	cat "$log/drivers"
	return "$status"
}

said()
{
	cat "$log/drivers"
	grep -qx "$1" "$log/drivers"
}

# No driver of Linux 6.12 is left out: a line each.
all_are_named()
{
	cat "$log/drivers"
	[ "$(cut -d: -f1 "$log/drivers" | sort | paste -sd' ')" = \
		"hisilicon mlx5 nvgrace-gpu pds qat virtio" ]
}

in_root()
{
	"$vm/inroot.sh" --bind "$top" --bind "$modules" --bind "$log" \
		--chdir "$top" -- "$@"
}

install_into()
{
	in_root tools/modules.sh "$1" "$2" "/lib/modules/$kver/build" \
		"$log/layer/usr"
}

finds()
{
	in_root modinfo -b "$log/layer/usr" -k "$kver" -F filename "$1" |
		tee /dev/stderr | grep -q "/$2$"
}

# finds_no_export: the kernel's own VFIO exports what this build does not, which is
# no way out.
finds_no_export()
{
	local lacking=$log/lacking

	mkdir -p "$lacking/drivers/vfio"
	cp -r "$modules/include" "$lacking/"
	cp "$modules/drivers/vfio/vfio.ko" "$lacking/drivers/vfio/"
	grep -v vfio_pci_core_enable "$modules/Module.symvers" \
		>"$lacking/Module.symvers"
	refused 'virtio: not built: this stack does not export vfio_pci_core_enable' \
		"$top/tools/variants.sh" --only virtio "$linux" "$lacking" \
		"$log/lacking/variants"
}

# refuse_sources: what is not the source of Linux 6.12
refuse_sources()
{
	mkdir -p "$log/other/drivers/vfio/pci" "$log/laid/.vfio-overlay"
	printf 'VERSION = 6\nPATCHLEVEL = 13\n' >"$log/other/Makefile"
	echo text >"$log/text"
	verdict "no source is refused" \
		refused 'say which source' build ''
	verdict "a source that does not exist is refused" \
		refused 'does not exist' build "$log/none"
	verdict "a file that is no tarball is refused" \
		refused 'is not the source of a Linux' build "$log/text"
	verdict "a directory with something else is refused" \
		refused 'is not the source of a Linux' build "$here"
	verdict "the source of another kernel is refused" \
		refused 'is the source of Linux 6.13' build "$log/other"
	verdict "a tree that ours is laid over is refused" \
		refused 'make overlay-undo' build "$log/laid"
}

build_drivers()
{
	# A directory here, a tarball below
	mkdir "$log/linux"
	tar -C "$log/linux" --strip-components=1 --wildcards \
		--no-wildcards-match-slash -xf "$linux" '*/Makefile' \
		'*/drivers/vfio/pci'
	verdict "all compile, without a warning about our headers with W=1" \
		env W=1 "$top/tools/variants.sh" --all "$log/linux" "$modules" \
		"$log/w1/variants"
	verdict "no module comes of those that lack their other half" \
		test "$(find "$log/w1" -name '*.ko' -printf '%f\n' | sort |
			paste -sd' ')" = "mlx5-vfio-pci.ko virtio-vfio-pci.ko"
	rm -rf "$log/linux"
	verdict "make variants, without a warning" build "$linux"
	verdict "says of each driver of Linux 6.12 whether it was built" \
		all_are_named
	verdict "mlx5 is built" said 'mlx5: built: mlx5-vfio-pci.ko'
	verdict "virtio is built" said 'virtio: built: virtio-vfio-pci.ko'
	verdict "says what the kernel lacks for pds" \
		said 'pds: not built: the kernel has no CONFIG_PDS_CORE'
	verdict "says which function of VFIO is missing" finds_no_export
	verdict "leaves no module that could be installed then" \
		test -z "$(find "$log/lacking/variants" -name '*.ko')"
}

install_drivers()
{
	"$vm/modules-copy.sh" "$log/layer/usr"
	verdict "make variants-install wants our modules first" \
		refused 'run make install first' \
		install_into install-variants "$log/variants"
	verdict "make install" install_into install "$modules"
	verdict "make variants-install" \
		install_into install-variants "$log/variants"
	for name in "${names[@]}"; do
		verdict "modprobe would load $name of this build" \
			finds "$name" "updates/variants/$name.ko"
	done
	verdict "modprobe would load our vfio" finds vfio updates/vfio.ko
}

# In the VM: what in-vm.sh prints is TAP, numbered on from here.
run_in_vm()
{
	verdict "vfio-mig is built" \
		in_root make -s -C tools/vfio-mig OUT="$log/tools"
	mkdir -p "$log/tools"
	"$vm/vm.sh" --log "$log/vm" --cpus 1 --memory 1024 \
		--timeout "${VM_TIMEOUT:-600}" --layer "$log/layer" \
		--share "$here:/variants" --share "$log/tools:/tools" \
		--device virtio-net-pci,disable-legacy=on \
		-- bash /variants/in-vm.sh "$number" "${names[@]}"
}

uninstall_all()
{
	verdict "make uninstall removes the drivers, too" \
		install_into uninstall "$modules"
	verdict "and leaves nothing behind" \
		test ! -e "$log/layer/usr/lib/modules/$kver/updates"
}

refuse_sources
build_drivers
read -ra names <<<"$(find "$log/variants" -name '*.ko' -printf '%f\n' |
	sed 's/\.ko$//' | sort | paste -sd' ')"
if [ ${#names[@]} = 0 ]; then
	echo "1..$number"
	exit 1
fi
install_drivers
run_in_vm
status=$?
ran=$(grep -csE '^(not )?ok ' "$log/vm/output")
number=$((number + ${ran:-0}))
uninstall_all
rm -rf "$log/layer"
echo "1..$number"
[ $status = 0 ] || exit $status
exit $failed
