#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The tests on the distribution's kernel.  Each stage is one function; run_all()
# says which stages run at the same time on a machine with two cores.  stages.sh
# counts the results.

set -u

usage()
{
	cat <<-END
	usage: check.sh [--kernel VERSION] [STAGE]...

	Runs the named stages one after the other, or all of them:
	  build      the modules build with W=1 and sparse without a warning
	  style      checkpatch on the code that runs in the kernel; each message
	             of the modules is in the documentation, which names the
	             kernels that the modules build for
	  install    after make install and uninstall, modprobe finds the right
	             modules
	  mixed      the kernel refuses our modules on the distribution's vfio, and
	             the distribution's on ours
	  tools      vfio-mig without a device; the demo's report and the
	             benchmark's table on logs made for the purpose
	  abi        our headers and exports are those of the distribution
	  kernel73   the modules build for Linux 7.3, with our VFIO and with its
	             own; our headers and exports are those of Linux 7.3; the
	             build for an unsupported kernel is refused
	  overlay    laid over a kernel's source and taken away again
	  model      spin verifies the protocol of DMA logging
	  selftests  the kselftests on our modules, in a VM for each core
	  assigned   a nested VM drives three kinds of assigned devices with its
	             own drivers
	  stock      the kselftests of igbvf-vfio-pci on the distribution's own
	             VFIO modules
	  migration  a VM with a VF migrates from one host to another and back,
	             with its memory under checksum
	--kernel VERSION: on Debian's Linux VERSION, e.g. 7.3 (see
	vm/kernel-root.sh), runs the stages that depend on the kernel: build,
	mixed, selftests, assigned, stock and migration.
	Tests that repeat something run 1/\$VFIO_TEST_SCALE of their full number
	of rounds (default 5).  \$VFIO_CHECK_STOCK names the programs that "stock" runs; if
	it is set and empty, "stock" runs all.
	Logs are kept in build/check/, or build/check-VERSION/.  Needs root.
	END
}

cd "$(dirname "$(realpath "$0")")/../.." || exit 1
# shellcheck source=tools/testing/stages.sh
. tools/testing/stages.sh

kernel=
if [ "${1-}" = --kernel ]; then
	[ $# -gt 1 ] || { usage >&2; exit 2; }
	kernel=$2
	shift 2
	VFIO_ROOT=$(tools/testing/vm/kernel-root.sh "$kernel") || exit
	export VFIO_ROOT
fi

stages="build style overlay install mixed tools model abi kernel73 selftests
	assigned stock migration"
[ -z "$kernel" ] || stages="build mixed selftests assigned stock migration"
# The selftests have a VM for each core.  A VM waits for resets half of the time,
# in which compilers and spin run.
run_all()
{
	run_lanes "build"
	if [ -n "$kernel" ]; then
		run_lanes "selftests"
		run_lanes "stock" "mixed assigned"
		run_lanes "migration"
		return
	fi
	run_lanes "selftests" \
		"nice abi install mixed tools overlay style model kernel73"
	run_lanes "stock" "assigned"
	run_lanes "migration"
}

begin 5 "$@"
logs+=${kernel:+-$kernel}
mkdir -p "$logs"
kver=$(ls "$VFIO_ROOT/lib/modules")
modules=$src/build/${kernel:-modules}
stock=$src/build/${kernel:+$kernel-}stock

# build_for_root MODULES STOCK [ARG]...: builds all modules for the kernel of
# $VFIO_ROOT into build/MODULES, and those for its own VFIO into build/STOCK.
build_for_root()
{
	# What is built already would not be checked again.
	rm -rf "build/$1" "build/$2"
	verdict "modules build without a warning, with W=1${3:+ $3}" \
		build_clean "$1" W=1 "${@:3}"
	verdict "all seven modules are there" \
		test "$(find "build/$1" -name '*.ko' | wc -l)" = 7
	verdict "igbvf-vfio-pci builds for that kernel's own VFIO, with W=1" \
		build_clean "$2" CONFIG_VFIO=n CONFIG_VFIO_PCI_CORE=n W=1
	verdict "that build has the two libraries, the driver and no more" \
		test "$(find "build/$2" -name '*.ko' | wc -l)" = 3
}

# C=1: not for later kernels.  Debian's headers of Linux 7.3 have not what it takes
# (scripts/checker-valid.sh).
stage_build()
{
	local sparse=C=1

	[ -z "$kernel" ] || sparse=
	build_for_root "${modules##*/}" "${stock##*/}" $sparse
}

# checkpatch.args lists the checks that are switched off, with reasons.
stage_style()
{
	# shellcheck disable=SC2016,SC2046 # expanded in the root; words
	"$vm/inroot.sh" --bind "$src" --chdir "$src" -- sh -c '
		args=$(grep -v "^#" tools/testing/checkpatch.args)
		perl /usr/local/share/kernel-test/checkpatch.pl \
			--no-tree --terse --quiet --no-summary \
			--show-types $args -f "$@" >"$0" 2>&1
		status=$?
		sed "s/^/# /" "$0"
		for file; do
			grep -qF "$file:" "$0" && echo -n "not "
			echo "ok - checkpatch $file"
		done
		[ -s "$0" ] || [ $status = 0 ]' \
		"build/check/checkpatch" $(git ls-files 'drivers/*.[ch]' 'include/*.h' \
			'tools/*/modules/*.[ch]' 'samples/*.c')
	tools/testing/messages --qemu "$VFIO_ROOT/usr/bin/qemu-system-x86_64"
	tools/testing/kernels
}

# Installs into a copy of the root's modules, made of hard links.
stage_install()
{
	local prefix=$src/build/install module
	local kdir=/lib/modules/$kver/build

	rm -rf "$prefix"
	"$vm/modules-copy.sh" "$prefix"
	run_in_root() {
		"$vm/inroot.sh" --bind "$src" --chdir "$src" -- "$@"
	}
	finds() {
		run_in_root modinfo -b "$prefix" -k "$kver" -F filename "$1" |
			grep -q "/$2/"
	}
	verdict "make install" run_in_root tools/modules.sh install \
		build/modules "$kdir" "$prefix"
	for module in vfio vfio_iommu_type1 vfio-migration vfio-pci-core \
		vfio-pci vfio-pci-migration igbvf-vfio-pci; do
		verdict "modprobe would load our $module" \
			finds $module updates
	done
	verdict "make uninstall" run_in_root tools/modules.sh uninstall \
		build/modules "$kdir" "$prefix"
	for module in vfio vfio_iommu_type1 vfio-pci-core vfio-pci; do
		verdict "modprobe would load the distribution's $module again" \
			finds $module kernel
	done
	verdict "make uninstall leaves nothing behind" \
		test ! -e "$prefix/lib/modules/$kver/updates"
	rm -rf "$prefix"
}

stage_mixed()
{
	"$vm/mixed/mixed.sh" "$modules" "$logs/mixed"
}

stage_tools()
{
	"$vm/demo/report-test"
	tools/testing/bench/migration/table-test
	"$vm/inroot.sh" --bind "$src" --chdir "$src/tools/vfio-mig" -- \
		make -s check OUT="$src/build/check/tools"
}

stage_model()
{
	tools/testing/model/run.sh
}

stage_abi()
{
	tools/testing/abi/run.sh "$VFIO_ROOT" "$kver" "$src" \
		"$src/build/modules"
}

# Linux 7.3 is the last kernel that the tree builds for.  Without --kernel, all
# other stages use the first, 6.12.
stage_kernel73()
{
	local root

	# 75, if Debian no longer has that kernel: nothing of ours has failed.
	root=$("$vm/kernel-root.sh" 7.3) || return
	VFIO_ROOT=$root build_for_root 7.3 7.3-stock
	tools/testing/abi/run.sh "$root" "$(ls "$root/lib/modules")" "$src" \
		"$src/build/7.3"
	# By a message of Kbuild, before the compiler runs
	refused() {
		! "$vm/inroot.sh" --bind "$src" -- \
			make -s -C "/lib/modules/$kver/build" \
			M="$src/build/modules" VERSION=6 PATCHLEVEL=11 modules \
			2>"$logs/refused.err" &&
			grep -q 'for Linux 6.12 to 7.3, and this is Linux 6.11' \
				"$logs/refused.err" &&
			! grep -q 'error:' "$logs/refused.err"
	}
	verdict "the build for Linux 6.11 is refused" refused
}

# The source is that of the root's kernel: the parts of it that the overlay
# replaces, edits or adds to.
stage_overlay()
{
	local tree=$logs/overlay-tree before

	rm -rf "$tree"
	mkdir -p "$tree"
	tar -C "$tree" --strip-components=1 --wildcards \
		-xf "$VFIO_ROOT/usr/src/linux-source-6.12.tar.xz" \
		'*/drivers/vfio' '*/include/linux/vfio*.h' \
		'*/include/uapi/linux/vfio*.h' '*/drivers/Kconfig' \
		'linux-source-6.12/Makefile' 'linux-source-6.12/MAINTAINERS' \
		'*/Documentation/ABI/testing/debugfs-vfio' \
		'*/Documentation/admin-guide/index.rst' \
		'*/Documentation/driver-api/index.rst' \
		'*/samples/Kconfig' '*/samples/Makefile' \
		'linux-source-6.12/tools/testing/selftests/Makefile' \
		'*/scripts/get_maintainer.pl'
	# Names, kinds, modes, times and contents; directories' times change
	fingerprint() {
		(cd "$tree" && find . -path ./.vfio-overlay -prune -o \
			-type f -printf '%p %m %T@ ' -exec sha256sum {} \; -o \
			-printf '%p %y %m\n' | LC_ALL=C sort)
	}
	fingerprint >"$logs/overlay.before"
	verdict "is laid over the source of Linux 6.12" \
		make -s overlay KERNEL="$tree"
	verdict "drivers/vfio there is ours" \
		diff -r drivers/vfio "$tree/drivers/vfio"
	verdict "headers there are ours" \
		test -z "$(cd include && find . \( -path ./stock -o -path ./compat \) \
			-prune -o -name '*.h' ! -exec cmp -s {} "$tree/include/{}" \; \
			-print)"
	# What is for this repository alone is named here.
	verdict "documents, samples, selftests and vfio-mig there are ours" \
		test -z "$(git ls-files Documentation samples \
			tools/testing/selftests tools/vfio-mig |
			grep -vx -e 'Documentation/[^/]*' |
			while read -r file; do
				cmp -s "$file" "$tree/$file" || echo "$file"
			done)"
	lists_our_pages() {
		local dir page

		for dir in admin-guide driver-api; do
			grep -qx '   vfio-index' \
				"$tree/Documentation/$dir/index.rst" || return
			for page in Documentation/"$dir"/*.rst; do
				page=$(basename "$page" .rst)
				[ "$page" = vfio-index ] || grep -qx "   $page" \
					"$tree/Documentation/$dir/vfio-index.rst" ||
					return
			done
		done
	}
	verdict "all pages of ours are in the indexes there" lists_our_pages
	verdict "the selftests there are in the list" \
		grep -qx 'TARGETS += vfio' \
		"$tree/tools/testing/selftests/Makefile"
	maintainer_is_ours() {
		"$vm/inroot.sh" --bind "$tree" --chdir "$tree" -- \
			perl scripts/get_maintainer.pl --no-tree --nogit \
			--no-rolestats -f "$1" |
			grep -qF "$(sed -n 's/^M:\t//p' MAINTAINERS | head -n 1)"
	}
	verdict "get_maintainer.pl there knows drivers/vfio/pci/igbvf/main.c" \
		maintainer_is_ours drivers/vfio/pci/igbvf/main.c
	maintainers_sorted() {
		sed '1,/^Maintainers List$/d' "$tree/MAINTAINERS" |
			awk '/^VFIO/ && previous == "" { print }
				{ previous = $0 }' >"$logs/overlay.entries"
		grep -q '^VFIO IGBVF' "$logs/overlay.entries" &&
			LC_ALL=C sort -c "$logs/overlay.entries"
	}
	verdict "MAINTAINERS there is in its order" maintainers_sorted
	before=$(fingerprint)
	make -s overlay KERNEL="$tree"
	verdict "a second time changes nothing" \
		test "$before" = "$(fingerprint)"
	: >"$tree/drivers/vfio/built.o"
	: >"$tree/tools/testing/selftests/vfio/built"
	verdict "is taken away" make -s overlay-undo KERNEL="$tree"
	verdict "leaves the source as it was" \
		test "$(cat "$logs/overlay.before")" = "$(fingerprint)"
	verdict "leaves nothing aside" test ! -e "$tree/.vfio-overlay"
	sed -i 's/^PATCHLEVEL = .*/PATCHLEVEL = 13/' "$tree/Makefile"
	refused() {
		! make -s overlay KERNEL="$tree" 2>"$logs/overlay.err" &&
			grep -q 'is not the source of Linux 6.12' \
				"$logs/overlay.err"
	}
	verdict "refuses what is not Linux 6.12" refused
	rm -rf "$tree"
}

stage_selftests()
{
	tools/testing/selftests/vfio/vm-run.sh "$modules" "$logs/selftests"
}

stage_assigned()
{
	"$vm/assigned/assigned.sh" "$modules" "$logs/assigned"
}

# The default leaves out the programs that test bad input and killed users:
# these paths are the same as on our own modules.  Later kernels report by
# themselves that initial data has changed (VFIO_PRECOPY_INFO_REINIT).
stage_stock()
{
	local precopy=${kernel:+igbvf_precopy}

	# shellcheck disable=SC2086 # words
	VFIO_TEST_SCALE=10 tools/testing/selftests/vfio/vm-run.sh --vms 1 \
		--stock "$stock" "$logs/stock" \
		${VFIO_CHECK_STOCK-igbvf_migrate igbvf_mac_filters vfio_mig.sh $precopy}
}

stage_migration()
{
	"$vm/demo/demo.sh" --check --modules "$modules" --hold 0 \
		--out "$logs/migration"
}

run_chosen "$@"
