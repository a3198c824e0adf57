#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs in the VM that bench.sh boots: loads one set of modules after the other,
# and runs the programs with each set.  The devices are an 82576, all VFs of
# which are used, and ivshmem, which has a large BAR.

set -eu

usage()
{
	cat <<-END
	usage: guest.sh DIR PART...

	DIR has the programs and a folder of modules for each set: ours, plain
	(ours without debugfs) and stock (the modules that the distribution lacks).
	PARTs are those of bench.sh.  Results go to DIR/result/SET.PART.
	END
}

[ "${1-}" != --help ] || { usage; exit 0; }
[ $# -ge 2 ] || { usage >&2; exit 2; }
dir=$1
shift

# In the order in which they can be loaded
modules="vfio vfio_iommu_type1 vfio-pci-core vfio-pci vfio-migration"

# load SET: a module that the set does not have is the distribution's.
load()
{
	local name file
	for name in $modules; do
		file=$(find "$dir/$1" -name "$name.ko")
		if [ -n "$file" ]; then
			insmod "$file"
		else
			modprobe "$name"
		fi
	done
	insmod "$dir/module-$1/vfio_bench.ko"
}

unload()
{
	rmmod vfio_bench
	rmmod igbvf-vfio-pci vfio-pci-migration 2>/dev/null || true
	# shellcheck disable=SC2046,SC2086 # words
	rmmod $(printf '%s\n' $modules | tac)
}

part_calls()
{
	"$dir/map" "$memory" 2
	"$dir/dirty" "$vf"
	"$dir/fault" "$memory" 2
	"$dir/region" "$vf"
	"$dir/irq" "$vf"
	"$dir/feature" "$vf" vfio_bench.0
}

part_open()
{
	# shellcheck disable=SC2086 # words
	"$dir/open" $vfs
}

# Logging is measured with our modules only: the distribution has no driver that
# logs.
part_log()
{
	local name

	for name in vfio-pci-migration igbvf-vfio-pci; do
		insmod "$(find "$dir/ours" -name "$name.ko")"
	done
	"$dir/log" "$pf" "$vf"
}

part_walk()
{
	"$dir/walk" vfio_bench.0 vfio_bench.1
}

memory=$(find-pci 1af4:1110)
pf=$(find-pci 8086:10c9)
vfs=$(make-vfs "$pf" 7)
vf=${vfs%%[[:space:]]*}
modprobe irqbypass
mkdir -p "$dir/result"
for set in ours stock plain; do
	[ -e "$dir/module-$set" ] || continue
	load "$set"
	for part; do
		[ "$set.$part" = plain.walk ] || [ "$set" != plain ] || continue
		[ "$set.$part" != stock.log ] || continue
		"part_$part" >"$dir/result/$set.$part"
	done
	unload
done
