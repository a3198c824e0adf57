#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The tests on the debug kernel: KASAN, lockdep and other checkers are on
# (kernel/debug.config), and this tree is laid over the kernel's source.  A
# stage fails if the kernel reports anything: warnings panic, and some stages
# look for leaked memory at the end.  stages.sh counts the results.

set -u

usage()
{
	cat <<-END
	usage: check-debug.sh [STAGE]...

	Runs the named stages one after the other, or all of them:
	  kernel     the debug kernel (from nothing: 10 minutes or more)
	  kunit      the KUnit suites on it
	  selftests  the kselftests on it, in a VM for each core
	  migration  a VM with a VF migrates from one host to another and back; the
	             hosts run the debug kernel
	  leaks      some of the selftests again, with a search for leaked memory
	             at the end
	  in-tree    drivers/vfio in a kernel's source builds with W=1, as modules
	             and built in, without a warning
	  assigned   a nested VM drives three kinds of assigned devices with its
	             own drivers; QEMU opens them by their nodes, with iommufd
	Logs are kept in build/check-debug/, the kernel's source and objects in
	\$VFIO_CACHE.  Tests that repeat something run 1/\$VFIO_TEST_SCALE of their
	full number of rounds (default 10).  Needs root.
	END
}

cd "$(dirname "$(realpath "$0")")/../.." || exit 1
# shellcheck source=tools/testing/stages.sh
. tools/testing/stages.sh

stages="kernel kunit selftests leaks in-tree assigned migration"
run_all()
{
	run_lanes "kernel"
	run_lanes "selftests"
	run_lanes "kunit leaks" "assigned in-tree"
	run_lanes "migration"
}

begin 10 "$@"
kernel=$src/build/debug-kernel

stage_in_tree()
{
	build_strictly() {
		tools/testing/kernel/debug-kernel.sh --strict \
			>"$logs/in-tree.warnings"
	}
	verdict "builds in a kernel's source, as modules and built in" \
		build_strictly
	cat "$logs/in-tree.warnings"
	verdict "W=1 is silent" test ! -s "$logs/in-tree.warnings"
}

stage_kernel()
{
	verdict "the debug kernel builds" \
		tools/testing/kernel/debug-kernel.sh "$kernel"
	verdict "all seven modules are there" \
		test "$(find "$kernel/usr" -path '*/drivers/vfio/*.ko' |
			wc -l)" = 7
	build_external() {
		local tree
		tree=$(realpath -e "$kernel/tree") &&
			"$vm/inroot.sh" --bind "$src" --bind "$tree" \
				--chdir "$src" -- make -s KDIR="$tree" \
				BUILD=build/external CONFIG_IOMMUFD=y \
				CONFIG_VFIO_DEVICE_CDEV=y
	}
	verdict "external modules build with iommufd and nodes" build_external
	verdict "external modules export what drivers for iommufd need" \
		grep -q vfio_iommufd_physical_bind build/external/Module.symvers
	rm -rf build/external
}

# The suites run when their modules are loaded.
stage_kunit()
{
	local status=0

	rm -rf "$logs/kunit"
	mkdir -p "$logs/kunit"
	tools/testing/kernel/kunit.sh "$kernel" "$logs/kunit" --leaks \
		>"$logs/kunit/results" || status=$?
	if [ $status != 0 ]; then
		cat "$logs/kunit/results"
		not_ok "the VM with the KUnit suites ended with status $status"
	fi
	tools/testing/kernel/ktap.sh vfio_mig_fsm vfio_irq_set vfio_info_cap \
		vfio_container vfio_iova_ranges vfio_iova_bitmap \
		vfio_dma_logging vfio_type1_ranges vfio_type1_mappings \
		vfio_type1_dirty vfio_type1_runs vfio_type1_domains \
		vfio_pci_config_perm vfio_pci_config_rw vfio_pci_region \
		vfio_pci_mmap vfio_mig_record vfio_mig_image vfio_pci_mig_traps \
		vfio_pci_mig_function vfio_pci_mig_dirty vfio_igbvf <"$logs/kunit/results"
}

stage_selftests()
{
	tools/testing/selftests/vfio/vm-run.sh --kernel "$kernel" --fast \
		"$logs/selftests" -t 1200
}

stage_migration()
{
	"$vm/demo/demo.sh" --check --kernel "$kernel" --out "$logs/migration"
}

stage_assigned()
{
	"$vm/assigned/assigned.sh" --kernel "$kernel" "$logs/assigned"
}

# kmemleak makes each allocation several times slower, so only a few programs
# run: those on whose paths most memory is allocated, and the one that injects
# failing allocations.
stage_leaks()
{
	tools/testing/selftests/vfio/vm-run.sh --vms 1 --kernel "$kernel" \
		"$logs/leaks" -t 1200 \
		device_feature igbvf_data_fd igbvf_precopy emulated_dma type1_map \
		fault_injection
}

run_chosen "$@"
