#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# All tests: each stage prints TAP lines (ok, not ok, # SKIP), which are
# counted; the last line has the totals.  A stage that ends badly without a
# failed test, or runs no test at all, is a failure of its own.

set -u

usage()
{
	cat <<-END
	usage: check.sh [STAGE]...

	Runs the named stages, or all of them in this order:
	  build      modules with W=1 and sparse: no warning
	  parts      each part left out (CONFIG_x=n) still builds
	  style      checkpatch over the code that runs in the kernel
	  install    make install and uninstall: whose modules modprobe finds
	  tools      what vfio-mig does without a device
	  abi        our headers and exports against the distribution's
	  selftests  the kselftests on our modules, in a VM
	  assigned   a VM with three kinds of devices, under its own drivers
  stock      igbvf-vfio-pci on the distribution's own VFIO modules
	  migration  a VM with a VF goes from one host to another and back
	Logs are kept in build/check/.  Needs root.
	END
}

cd "$(dirname "$(realpath "$0")")/../.." || exit 1
src=$PWD
logs=$src/build/check
vm=$src/tools/testing/vm
all_stages="build parts style install tools abi selftests assigned stock migration"

case ${1-} in
--help) usage; exit 0 ;;
-*) usage >&2; exit 2 ;;
esac

[ "$(id -u)" = 0 ] || { echo "check.sh: must be run as root" >&2; exit 1; }
mkdir -p "$logs"
VFIO_ROOT=$("$vm/root.sh") || exit 1
export VFIO_ROOT
kver=$(ls "$VFIO_ROOT/lib/modules")

# ok/not_ok TEXT: one test's result.
ok()
{
	echo "ok - $*"
}

not_ok()
{
	echo "not ok - $*"
}

# verdict TEXT COMMAND...: one test, which is the exit status of COMMAND.
verdict()
{
	local text=$1
	shift
	if "$@"; then ok "$text"; else not_ok "$text"; fi
}

# build_clean NAME ARGS...: builds into build/NAME; what it prints is a
# warning or an error.
build_clean()
{
	local name=$1 log=$logs/make-$1.log
	shift
	make -s modules BUILD="build/$name" "$@" >"$log" 2>&1 &&
		! grep -E 'warning|error|Error' "$log" || {
		tail -n 40 "$log"
		return 1
	}
}

stage_build()
{
	rm -rf build/strict
	verdict "modules build with W=1 and sparse without a warning" \
		build_clean strict W=1 C=1
	verdict "all six modules are there" \
		test "$(find build/strict -name '*.ko' | wc -l)" = 6
	verdict "modules build" build_clean modules
	verdict "igbvf-vfio-pci builds against the distribution's headers" \
		build_clean stock CONFIG_VFIO=n CONFIG_VFIO_PCI_CORE=n W=1
	verdict "with the migration library and nothing else" \
		test "$(find build/stock -name '*.ko' | wc -l)" = 2
}

stage_parts()
{
	verdict "builds without the variant driver" \
		build_clean part CONFIG_IGBVF_VFIO_PCI=n
	verdict "builds without the migration library" \
		build_clean part CONFIG_IGBVF_VFIO_PCI=n CONFIG_VFIO_MIGRATION=n
	verdict "builds without vfio-pci" \
		build_clean part CONFIG_VFIO_PCI=n
	verdict "builds without the type 1 backend" \
		build_clean part CONFIG_VFIO_IOMMU_TYPE1=n
	verdict "builds without debugfs" \
		build_clean part CONFIG_VFIO_DEBUGFS=n W=1
	verdict "builds without groups" \
		build_clean part CONFIG_VFIO_GROUP=n CONFIG_VFIO_IOMMU_TYPE1=n
	rm -rf build/part
}

# What is not asked for, and why, stands in checkpatch.args.
stage_style()
{
	# shellcheck disable=SC2016,SC2046 # expanded in the root; words
	"$vm/inroot.sh" --bind "$src" --chdir "$src" -- sh -c '
		args=$(grep -v "^#" tools/testing/checkpatch.args)
		for file; do
			perl /usr/local/share/kernel-test/checkpatch.pl \
				--no-tree --terse --quiet --no-summary \
				--show-types $args -f "$file" &&
				echo "ok - checkpatch $file" ||
				echo "not ok - checkpatch $file"
		done' sh $(git ls-files 'drivers/*.[ch]' 'include/*.h' \
			'tools/*/modules/*.[ch]')
}

# A copy (by hard links) of the root's modules stands for the machine.
stage_install()
{
	local prefix=$src/build/install module
	local kdir=/lib/modules/$kver/build

	rm -rf "$prefix"
	mkdir -p "$prefix/lib/modules"
	cp -al "$VFIO_ROOT/lib/modules/$kver" "$prefix/lib/modules/"
	# depmod rewrites its files in place: not in the root as well
	for file in "$prefix/lib/modules/$kver"/modules.*; do
		cp --remove-destination "$(realpath "$file")" "$file.copy" &&
			mv "$file.copy" "$file"
	done
	run_in_root() {
		"$vm/inroot.sh" --bind "$src" --chdir "$src" -- "$@"
	}
	finds() {
		run_in_root modinfo -b "$prefix" -k "$kver" -F filename "$1" |
			grep -q "/$2/"
	}
	verdict "install" run_in_root tools/modules.sh install \
		build/modules "$kdir" "$prefix"
	for module in vfio vfio_iommu_type1 vfio-migration vfio-pci-core \
		vfio-pci igbvf-vfio-pci; do
		verdict "modprobe would load our $module" \
			finds $module updates
	done
	verdict "uninstall" run_in_root tools/modules.sh uninstall \
		build/modules "$kdir" "$prefix"
	for module in vfio vfio_iommu_type1 vfio-pci-core vfio-pci; do
		verdict "modprobe would load the distribution's $module again" \
			finds $module kernel
	done
	verdict "nothing is left behind" \
		test ! -e "$prefix/lib/modules/$kver/updates"
	rm -rf "$prefix"
}

stage_tools()
{
	"$vm/inroot.sh" --bind "$src" --chdir "$src/tools/vfio-mig" -- \
		make -s check OUT="$src/build/check/tools"
}

stage_abi()
{
	tools/testing/abi/run.sh "$VFIO_ROOT" "$kver" "$src" \
		"$src/build/modules"
}

stage_selftests()
{
	tools/testing/selftests/vfio/vm-run.sh "$src/build/modules" \
		"$logs/selftests"
}

stage_assigned()
{
	"$vm/assigned/assigned.sh" "$src/build/modules" "$logs/assigned"
}

stage_stock()
{
	tools/testing/selftests/vfio/vm-run.sh --stock "$src/build/stock" \
		"$logs/stock"
}

stage_migration()
{
	"$vm/demo/demo.sh" --check --modules "$src/build/modules"
}

passed=0 failed=0 skipped=0
count()
{
	grep -cE "$1" "$2"
}

run_stage()
{
	local stage=$1 log=$logs/$1.log status totals p f s

	echo "# stage $stage"
	"stage_$stage" 2>&1 | tee "$log"
	status=${PIPESTATUS[0]}
	# A stage that runs whole programs adds up their tests itself.
	if totals=$(sed -nE \
		's/^# Totals: pass:([0-9]+) fail:([0-9]+) skip:([0-9]+).*/\1 \2 \3/p' \
		"$log") && [ -n "$totals" ]; then
		read -r p f s <<<"$totals"
	else
		s=$(count '^ok .*# SKIP' "$log")
		p=$(($(count '^ok ' "$log") - s))
		f=$(count '^not ok ' "$log")
	fi
	if [ "$f" = 0 ] && { [ "$status" != 0 ] || [ "$p" = 0 ]; }; then
		echo "not ok - stage $stage ended with status $status" \
			"after $p tests"
		f=1
	fi
	passed=$((passed + p))
	failed=$((failed + f))
	skipped=$((skipped + s))
	echo "# stage $stage: $p passed, $f failed, $s skipped," \
		"$SECONDS s since the start"
}

for stage in ${*:-$all_stages}; do
	case " $all_stages " in
	*" $stage "*) ;;
	*) usage >&2; exit 2 ;;
	esac
	run_stage "$stage"
done

# The failures once more, where the eye falls on them.
(cd "$logs" && for stage in ${*:-$all_stages}; do
	grep -HE '^not ok ' "$stage.log"
done) | sed 's/^/# failed: /'
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
