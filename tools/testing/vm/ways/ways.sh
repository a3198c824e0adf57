#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tries QEMU's ways to migrate a VM with a VF, one after the other with one VM, on
# the bed of the demo.  Compares each outcome with the table of
# Documentation/admin-guide/vfio-qemu-ways.rst, and looks each time whether the VM
# still has traffic.  This file has the list of the ways and runs them; each is a
# function way_NAME of the other files.

set -u

usage()
{
	cat <<-END
	usage: ways.sh [OPTION]... [WAY]...

	Tries these ways, or all, and prints TAP:
	$(fmt -w 72 <<<"$ways" | sed 's/^/  /')
	  --modules DIR    modules to use (default: builds them, make modules)
	  --kernel DIR     the hosts run this kernel, with the modules in it
	  --qemu QEMU      the hosts run this QEMU, see ../qemu.sh --help
	  --rows           print the outcomes as well, as they have to be in the table
	  --out DIR        logs (default build/ways): WAY has what QEMU said
	The outcomes are those in the column for this version of QEMU, or for the next
	older version that has a column.  Needs root.
	END
}

# In this order.  Those after the empty line boot a VM of their own.
ways="precopy switchover-ack pause-before-switchover events multifd
multifd-missing enable-migration-on file mapped-ram mapped-ram-multifd
cancel-setup cancel-precopy cancel-pre-switchover cancel-device
device-del unplug postcopy background-snapshot
cpr-reboot-running cpr-reboot cpr-transfer cpr-exec

enable-migration-off enable-migration-auto"

here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../../../..")
document=$top/Documentation/admin-guide/vfio-qemu-ways.rst
check=1
modules=
kernel=
driver=igbvf-vfio-pci
memory=128
vfs=1
pfs=1
ports=1
hold=
record=
fault=
guest=/run/vm/tools/ways/guest.sh
qemu=
rows=
out=$top/build/ways
chosen=

while [ $# -gt 0 ]; do
	case $1 in
	--help) usage; exit 0 ;;
	--rows) rows=1; shift; continue ;;
	--*) [ $# -gt 1 ] || { usage >&2; exit 2; } ;;
	*)
		[[ " ${ways//[[:space:]]/ } " = *" $1 "* ]] ||
			{ usage >&2; exit 2; }
		chosen+=" $1"
		shift
		continue
		;;
	esac
	case $1 in
	--modules) modules=$2 ;;
	--kernel) kernel=$(realpath -e "$2") || exit 2 ;;
	--qemu) qemu=$2 ;;
	--out) out=$2 ;;
	*) usage >&2; exit 2 ;;
	esac
	shift 2
done

# shellcheck source=tools/testing/vm/demo/bed.sh
. "$here/../demo/bed.sh"
# shellcheck source=tools/testing/vm/demo/wait.sh
. "$here/../demo/wait.sh"
# shellcheck source=tools/testing/vm/ways/steps.sh
. "$here/steps.sh"
for file in moves files cancel refused unplug cpr enable; do
	# shellcheck source=/dev/null
	. "$here/$file.sh"
done

failed=
# verdict TEXT COMMAND...: one test, which passes if COMMAND succeeds.
verdict()
{
	local text=$1
	shift
	if "$@"; then
		echo "ok - $text"
	else
		echo "not ok - $text"
		failed=1
	fi
}

# as_documented WAY: one test, which passes if $outcome is what the table has.
as_documented()
{
	local want
	want=$(awk -F '\t' -v way="$1" '$1 == way { print $2 }' "$out/table")
	if [ "$want" = "not tried" ]; then
		echo "ok - $1: $outcome # SKIP the table has: $want"
		return
	fi
	[ "$outcome" = "$want" ] || echo "# the table has: ${want:-nothing}"
	verdict "$1: $outcome" test "$outcome" = "$want"
}

# has_traffic WAY
has_traffic()
{
	if [ -n "$n" ] && wait_for "$(host_of "$n")" flows >>"$log" 2>&1; then
		verdict "$1: the VM has traffic afterwards" true
		return
	fi
	hosts_run
	verdict "$1: the VM has traffic afterwards" false
	return 1
}

# A way that fails may leave a QEMU behind that has a VF, and one that sets $renew a
# guest that is not as before: all are ended then.
try()
{
	local way=$1 ended=1

	outcome=
	renew=
	log=$out/$way
	say "$way"
	if "way_${way//-/_}" && [ -n "$outcome" ]; then
		as_documented "$way"
		[ -z "$rows" ] || echo "# row: $way: $outcome"
	else
		ended=
		hosts_run
		verdict "$way: no step fails" false
		tail -n 5 "$log" | sed 's/^/# /'
		echo "# see $log"
	fi
	has_traffic "$way" && [ -n "$ended" ] && [ -z "$renew" ] && return
	echo "# all QEMUs are ended, and a new VM is started"
	new_vm '' || fail
}

# Rows of the table that are not among the ways
unknown_rows()
{
	local way rest unknown=

	while IFS=$'\t' read -r way rest; do
		[[ " ${ways//[[:space:]]/ } " = *" $way "* ]] || unknown+=" $way"
	done <"$out/table"
	[ -z "$unknown" ] || echo "# these are not:$unknown"
	[ -z "$unknown" ]
}

bed_begin
bed_build
bed_boot
bed_setup
version=$(sed -nE 's/^setup A: QEMU emulator version ([0-9]+\.[0-9]+).*/\1/p' \
	"$out/A.setup")
"$here/table" "$document" "$version" >"$out/table" || fail
verdict "the rows of the table are ways that are tried" unknown_rows
log=$out/start
new_vm '' || fail
for way in ${chosen:-$ways}; do
	try "$way"
done
end_vm
on A --stop
on B --stop
wait "${pids[@]}"
for name in A B; do
	[ "$(cat "$out/$name/ended")" != 75 ] ||
		cannot_judge "the emulator of host $name died"
	verdict "the kernel of host $name had no complaint" \
		test "$(cat "$out/$name/ended")" = 0
	sed "s/^/# $name: /" "$out/$name.err"
done
[ -z "$failed" ]
