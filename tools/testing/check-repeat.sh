#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests that make check leaves out because they take long: selftests with all
# their repetitions, faults that the test bed has to find, and coverage.
# stages.sh counts the results.

set -u

usage()
{
	cat <<-END
	usage: check-repeat.sh [STAGE]...

	Runs the named stages one after the other, or all of them:
	  bed        the test bed itself: it has to report commands that hang,
	             kernels that complain, VMs that die
	  faults     the demo has to fail if a device loses a frame, and if memory
	             that the device wrote is not sent again
	  moves      a VM with two VFs is migrated six times, with its memory under
	             checksum, while it receives as fast as it can
	  parts      the modules build with each part left out (CONFIG_x=n)
	  quickstart the commands of the quick start, as they stand in the page
	  libvirt    Debian's libvirt migrates a VM with a VF, saves and restores
	             it, and refuses what the documentation says
	  packages   the Debian packages are installed, booted and removed on a
	             fresh Debian 13
	  variants   the variant drivers of Linux 6.12 build against our modules,
	             and those for which Debian's kernel has the other half load
	             in a VM
	  races      the selftests in which most threads meet, on a kernel that
	             looks for data races (KCSAN)
	  repeat     selftests with all their repetitions (see VFIO_TEST_SCALE in
	             check.sh)
	  ways       QEMU's ways to migrate a VM with a VF, with Debian 13's QEMU;
	             VFIO_QEMU has another one (see vm/qemu.sh)
	  backports  a VM with a VF migrates between a host with Debian's kernel and
	             QEMU and one with those of its backports, and between two
	             with the backports' QEMU
	  coverage   how many lines of drivers/vfio the tests run (coverage.sh)
	All but coverage use the modules that check.sh has built.  Logs are kept in
	build/check-repeat/.  Needs root.
	END
}

cd "$(dirname "$(realpath "$0")")/../.." || exit 1
# shellcheck source=tools/testing/stages.sh
. tools/testing/stages.sh

stages="bed faults moves quickstart libvirt parts packages variants races repeat ways
	backports coverage"
run_all()
{
	run_lanes "$stages"
}

begin 1 "$@"

stage_bed()
{
	"$vm/bed-test.sh" "$src/build/modules" "$logs/bed"
}

stage_faults()
{
	finds_lost_frame() {
		"$vm/demo/demo.sh" --check --modules "$src/build/modules" \
			--moves 1 --fault lose --out "$logs/faults" \
			>"$logs/faults.out" 2>&1
		[ $? = 1 ] && grep -q '^not ok - pings were lost' \
			"$logs/faults.out" && return
		sed 's/^/# /' "$logs/faults.out"
		return 1
	}
	finds_stale_memory() {
		"$vm/demo/demo.sh" --check --modules "$src/build/modules" \
			--moves 1 --hold 0 --fault hide-log \
			--out "$logs/stale" >"$logs/stale.out" 2>&1
		[ $? = 1 ] && grep -q '^not ok - memory' "$logs/stale.out" &&
			return
		sed 's/^/# /' "$logs/stale.out"
		return 1
	}
	verdict "the demo fails when a device loses a frame" finds_lost_frame
	verdict "the demo fails when a written page is not sent" finds_stale_memory
}

stage_moves()
{
	"$vm/demo/demo.sh" --check --modules "$src/build/modules" \
		--moves 6 --vfs 2 --hold 0 --out "$logs/moves"
}

stage_parts()
{
	verdict "builds without the variant driver" \
		build_clean part CONFIG_IGBVF_VFIO_PCI=n
	verdict "builds without the migration library" \
		build_clean part CONFIG_IGBVF_VFIO_PCI=n CONFIG_VFIO_MIGRATION=n
	verdict "builds without the migration library's PCI part" \
		build_clean part CONFIG_IGBVF_VFIO_PCI=n \
		CONFIG_VFIO_PCI_MIGRATION=n
	verdict "builds without vfio-pci" \
		build_clean part CONFIG_VFIO_PCI=n
	verdict "builds without the type 1 backend" \
		build_clean part CONFIG_VFIO_IOMMU_TYPE1=n
	verdict "builds without INTx" \
		build_clean part CONFIG_VFIO_PCI_INTX=n W=1
	verdict "builds without mmap() of BARs" \
		build_clean part CONFIG_VFIO_PCI_MMAP=n W=1
	verdict "builds without debugfs" \
		build_clean part CONFIG_VFIO_DEBUGFS=n W=1
	verdict "builds without groups" \
		build_clean part CONFIG_VFIO_GROUP=n CONFIG_VFIO_IOMMU_TYPE1=n
	rm -rf build/part
}

stage_quickstart()
{
	"$vm/quick-start/quick-start.sh" --modules "$src/build/modules" \
		--out "$logs/quickstart"
}

stage_libvirt()
{
	"$vm/libvirt/libvirt.sh" --modules "$src/build/modules" \
		--out "$logs/libvirt"
}

stage_packages()
{
	tools/testing/packages/packages.sh "$logs/packages"
}

stage_variants()
{
	"$vm/variants/variants.sh" "$src/build/modules" "$logs/variants"
}

stage_races()
{
	verdict "the kernel with KCSAN builds" \
		tools/testing/kernel/debug-kernel.sh --kcsan "$logs/kcsan-kernel"
	VFIO_TEST_SCALE=10 tools/testing/selftests/vfio/vm-run.sh \
		--kernel "$logs/kcsan-kernel" --races "$logs/races" -t 1200 \
		igbvf_dma_tracking igbvf_dma_tracking_rings \
		igbvf_dma_tracking_regs dma_logging igbvf_stress \
		igbvf_vmm_killed igbvf_data_fd
}

stage_repeat()
{
	VFIO_TEST_SCALE=1 tools/testing/selftests/vfio/vm-run.sh \
		"$src/build/modules" "$logs/repeat" \
		igbvf_stream_fuzz igbvf_migrate mig_failures mig_library \
		dma_logging pci_config type1_memory
}

stage_ways()
{
	"$vm/ways/ways.sh" --modules "$src/build/modules" --out "$logs/ways" \
		${VFIO_QEMU:+--qemu "$VFIO_QEMU"}
}

stage_backports()
{
	"$vm/demo/demo.sh" --check --modules "$src/build/modules" \
		--linux-b 7.3 --qemu-b trixie-backports \
		--out "$logs/backports" || return
	"$vm/demo/demo.sh" --check --modules "$src/build/modules" \
		--qemu trixie-backports --out "$logs/backports-qemu"
}

stage_coverage()
{
	count_lines() {
		tools/testing/coverage.sh >"$logs/coverage.table"
	}
	verdict "the lines that the tests run are counted" count_lines
	sed 's/^/# /' "$logs/coverage.table"
}

run_chosen "$@"
