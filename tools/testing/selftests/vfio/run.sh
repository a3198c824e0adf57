#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs the VFIO selftests on this machine: finds the devices, binds them to the
# drivers under test, runs the programs, kills one that makes no progress, and
# restores the machine.  Prints TAP: one result for each program, with the
# program's own results above it, and totals in the last line.
#
# The machine must have an IOMMU and should have, for no test to be skipped:
#   two Intel 82576 (8086:10c9), SR-IOV capable, joined by a wire
#   an Intel 82574L (8086:10d3)
#   an NVMe controller that carries nothing of value
#   two Intel 82540EM (8086:100e) alone in one IOMMU group
#   a function with a BAR of 64 MiB or more (QEMU's ivshmem, 1af4:1110)
#   a display device that is not in use (QEMU's VGA, 1234:1111)
# For tools/testing/vm/vm.sh that is:
#   --igb hubport,hubid=1 --igb hubport,hubid=1 --nic e1000e hubport,hubid=1
#   --nvme --device pcie-pci-bridge,id=pair --device e1000,bus=pair,addr=1
#   --device e1000,bus=pair,addr=2
#   --qemu -object --qemu memory-backend-ram,id=big,size=64M,share=on
#   --device ivshmem-plain,memdev=big --device VGA
# Everything on these devices is lost.

set -u

usage()
{
	cat <<-END
	usage: run.sh [-d DIR] [-m MODULE] [-q DIR] [-s] [-t SECONDS]
	              [PROGRAM[:FILTER]]...

	Runs all programs of DIR/tests.txt, or those named.  FILTER: options of
	the test harness, e.g. type1_map:-t:unmap_all_takes_everything
	  -d DIR      where the programs are (default: where run.sh is)
	  -m MODULE   the test module (default: DIR/modules/vfio_mock.ko); others
	              are looked for in the same directory
	  -q DIR      leave out programs that another run.sh with the same DIR has
	              started: several machines share the work
	  -s          the machine has its distribution's vfio modules: runs the
	              programs that test what igbvf-vfio-pci does
	  -t SECONDS  a program is killed if none of its tests has begun or ended
	              for so long, 600 if not given.  In a VM of the test bed, time
	              in which the VM could not run does not count
	Exit status: 0 if nothing failed, 1 if something did, 2 if the devices
	or modules are not there.
	END
}

here=$(dirname "$(realpath "$0")")
dir=$here
module=
limit=600
queue=
while getopts d:m:q:st:h opt; do
	case $opt in
	d) dir=$(realpath "$OPTARG") ;;
	m) module=$OPTARG ;;
	q) queue=$OPTARG ;;
	s) export VFIO_STOCK=1 ;;
	t) limit=$OPTARG ;;
	h) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))
module=${module:-$dir/modules/vfio_mock.ko}
export VFIO_TEST_MODULE=$module

pci=/sys/bus/pci/devices

say()
{
	echo "# $*"
}

bail()
{
	echo "Bail out! $*"
	exit 2
}

# Addresses of the functions with this vendor and device.
find_ids()
{
	local f
	for f in "$pci"/*; do
		if [ "$(cat "$f/vendor" "$f/device" | tr '\n' :)" = "$1" ]; then
			echo "${f##*/}"
		fi
	done
}

find_class()
{
	local f
	for f in "$pci"/*; do
		case $(cat "$f/class") in
		$1*) echo "${f##*/}" ;;
		esac
	done
}

driver_of()
{
	[ ! -e "$pci/$1/driver" ] || basename "$(readlink "$pci/$1/driver")"
}

# Binds function $1 to driver $2, or to the one that the kernel chooses.
bind()
{
	if [ "$(driver_of "$1")" != "$2" ] || [ -z "$2" ]; then
		[ ! -e "$pci/$1/driver" ] || echo "$1" >"$pci/$1/driver/unbind"
		echo "$2" >"$pci/$1/driver_override"
		echo "$1" >/sys/bus/pci/drivers_probe
	fi
	[ -z "$2" ] || [ "$(driver_of "$1")" = "$2" ]
}

# Waits a tenth of a second, without a new process.
exec {silence}<> <(:)
nap()
{
	read -r -t 0.1 -u "$silence"
}

pf_interface()
{
	basename "$(echo "$pci/$1"/net/*)"
}

# A PF with its interface up and two VFs without a driver.  The VFs are made while
# the interface is down: igb may crash if its link changes meanwhile.  A busy machine
# may take long for the link, so only the limits of the whole run end the wait.
pf_up()
{
	local carrier up

	[ "$(driver_of "$1")" = igb ] || bind "$1" igb || return
	if [ "$(cat "$pci/$1/sriov_numvfs")" != 2 ]; then
		echo 0 >"$pci/$1/sriov_drivers_autoprobe"
		ip link set "$(pf_interface "$1")" down || return
		echo 0 >"$pci/$1/sriov_numvfs"
		echo 2 >"$pci/$1/sriov_numvfs" || return
	fi
	ip link set "$(pf_interface "$1")" up || return
	carrier=$(echo "$pci/$1/net"/*/carrier)
	until read -r up <"$carrier" && [ "$up" = 1 ]; do
		nap
	done
	true	# nap fails
}

pf_down()
{
	[ "$(driver_of "$1")" = igb ] || bind "$1" igb
	echo 0 >"$pci/$1/sriov_numvfs"
	echo 1 >"$pci/$1/sriov_drivers_autoprobe"
}

# Variables for lib/sysfs.h; that of a missing device is empty, and its tests skip.
devices()
{
	local -a found

	# shellcheck disable=SC2207 # addresses have no blanks
	found=($(find_ids 0x8086:0x10c9:))
	pf_a=${found[0]-}
	pf_b=${found[1]-}
	# shellcheck disable=SC2207
	found=($(find_ids 0x8086:0x10d3:))
	e1000e=${found[0]-}
	# shellcheck disable=SC2207
	found=($(find_class 0x0108))
	nvme=${found[0]-}
	# shellcheck disable=SC2207
	found=($(find_ids 0x8086:0x100e:))
	pair_0=${found[0]-}
	pair_1=${found[1]-}
	# shellcheck disable=SC2207
	found=($(find_ids 0x1af4:0x1110:))
	big_bar=${found[0]-}
	# shellcheck disable=SC2207
	found=($(find_ids 0x1234:0x1111:))
	vga=${found[0]-}
	export VFIO_TEST_BIG_BAR=$big_bar VFIO_TEST_VGA=$vga
	export VFIO_TEST_PF_A=$pf_a VFIO_TEST_PF_B=$pf_b
	export VFIO_TEST_E1000E=$e1000e VFIO_TEST_NVME=$nvme
	export VFIO_TEST_PAIR_0=$pair_0 VFIO_TEST_PAIR_1=$pair_1
}

# Brings the machine to the state that each program starts with.
setup()
{
	local pf letter

	modprobe vfio-pci || bail "no vfio-pci module"
	modprobe -q igbvf-vfio-pci ||
		say "no igbvf-vfio-pci module: its tests are skipped"
	for pf in $pf_a $pf_b; do
		pf_up "$pf" || bail "PF $pf does not come up"
	done
	for letter in A B; do
		pf=VFIO_TEST_PF_$letter
		pf=${!pf}
		[ -n "$pf" ] || continue
		export "VFIO_TEST_VF_${letter}0=$(
			basename "$(readlink "$pci/$pf/virtfn0")")"
		export "VFIO_TEST_VF_${letter}1=$(
			basename "$(readlink "$pci/$pf/virtfn1")")"
	done
	if [ -e "$module" ] && [ -z "${VFIO_STOCK-}" ] &&
		[ ! -e /sys/module/vfio_mock ]; then
		insmod "$module" || bail "$module cannot be loaded"
	fi
}

restore()
{
	local f

	for f in $pf_a $pf_b; do
		pf_down "$f"
	done
	for f in $e1000e $nvme $pair_0 $pair_1 $big_bar $vga; do
		bind "$f" ""
	done
	[ ! -e /sys/module/vfio_mock ] || rmmod vfio_mock
	# modprobe -r also unloads dependencies that have no other user.
	for f in igbvf-vfio-pci vfio-pci-migration vfio-migration vfio-pci \
		vfio_iommu_type1; do
		modprobe -qr "$f"
	done
	if [ -e /sys/module/vfio ]; then
		say "modules are still in use:" \
			"$(awk '/vfio/ { print $1, $3, $4 }' ORS='; ' \
				/proc/modules)"
		return 1
	fi
}

# The number of pages that are pinned for DMA, in the whole machine.
pinned()
{
	local a r
	echo 1 >/proc/sys/vm/stat_refresh
	a=$(sed -n 's/^nr_foll_pin_acquired //p' /proc/vmstat)
	r=$(sed -n 's/^nr_foll_pin_released //p' /proc/vmstat)
	echo $((a - r))
}

complaint='WARNING: |BUG: |Oops: |general protection fault|Call Trace:'
complaint+='|refcount_t:|UBSAN: |KASAN: |possible circular locking|Bad page'
complaint+='|suspicious RCU|blocked for more than|soft lockup|nobody cared'

# Seconds, without those in which the test bed's VM could not run.  Not called more
# often than necessary: a read from a share pins pages, which tests count.
clock()
{
	if [ -e /run/vm/ctl/granted ]; then
		cat /run/vm/ctl/granted
	else
		echo $SECONDS
	fi
}

# Sends lines that begin or end a test to the test bed's events, and prints all
# other lines.
show()
{
	case $1 in
	'#  RUN '* | '#  '*' OK '* | '#  '*' SKIP '*)
		[ ! -e /run/vm/events ] ||
			echo "progress $name: $1" >/run/vm/events
		;;
	*) printf '# %s\n' "$1" ;;
	esac
}

# Runs a program, appends its output to file $1 and prints it.  Returns the
# program's status, 124 if it was killed, 125 if it could not be killed.
run_limited()
{
	local out=$1 pid tries line lines got begin=$SECONDS since=$SECONDS
	local given lost
	shift

	given=$(clock)
	exec {lines}< <(exec setsid "$@" 2>&1 </dev/null)
	pid=$!
	while :; do
		IFS= read -r -t 15 -u "$lines" line
		got=$?
		if [ $got = 0 ]; then
			printf '%s\n' "$line" >>"$out"
			show "$line"
			since=$SECONDS
			continue
		fi
		# It has ended; a process it left may hold the pipe open.
		if [ $got -le 128 ] || ! kill -0 $pid 2>/dev/null; then
			exec {lines}<&-
			wait $pid
			return
		fi
		[ $((SECONDS - since)) -ge "$limit" ] || continue
		lost=$((SECONDS - begin - ($(clock) - given)))
		[ $((SECONDS - since - lost)) -lt "$limit" ] || break
	done
	exec {lines}<&-
	# The test is a grandchild in its own process group.
	for p in $(pgrep -s "$pid"); do
		{
			echo "$(cat "/proc/$p/comm") ($p) is here:"
			sed 's/^/  /' "/proc/$p/stack"
		} 2>/dev/null | sed 's/^/# # /'
	done
	pkill -KILL -s "$pid"
	for ((tries = 0; tries < 100; tries++)); do
		if ! pgrep -s "$pid" -r R,S,D >/dev/null; then
			wait $pid
			return 124
		fi
		nap
	done
	return 125
}

count()
{
	grep -cE "$1" "$out"
}

if [ $# = 0 ]; then
	[ -s "$dir/tests.txt" ] ||
		bail "no list of tests: build them with make OUTPUT=$dir"
	# shellcheck disable=SC2046 # names have no blanks
	set -- $(awk -v stock="${VFIO_STOCK-}" \
		'!stock || $2 == "stock" { print $1 }' "$dir/tests.txt")
fi

devices
setup

out=$(mktemp)
trap 'rm -f "$out"' EXIT
passed=0
failed=0
skipped=0
number=0
start=$SECONDS
echo "TAP version 13"
for arg; do
	name=${arg%%:*}
	[ -z "$queue" ] || mkdir "$queue/$name" 2>/dev/null || continue
	number=$((number + 1))
	echo "# running $name"
	IFS=: read -r -a options <<<"${arg#"$name"}"
	begin=$SECONDS
	pins=$(pinned)
	echo "selftests: vfio: $name" >/dev/kmsg
	log_lines=$(dmesg | wc -l)
	: >"$out"
	run_limited "$out" "$dir/$name" "${options[@]:1}"
	status=$?

	trouble=
	plan=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$out")
	p=$(count '^ok [0-9]+ ([^#]|#[^ ]|# [^S])*$')
	f=$(count '^not ok [0-9]+ ')
	s=$(count '^ok [0-9]+ .*# SKIP')
	case $status in
	124) trouble="no test has begun or ended for $limit s: killed" ;;
	125) trouble="no test has begun or ended for $limit s, and killing does not help" ;;
	4) [ "$s" = "$plan" ] || trouble="exit status 4" ;;
	[!01]*) trouble="exit status $status" ;;
	1) [ "$f" -gt 0 ] || trouble="exit status 1" ;;
	esac
	if [ "$((p + f + s))" != "${plan:-none}" ]; then
		trouble+=" $((p + f + s)) results of ${plan:-an unknown number}"
	fi
	if dmesg | tail -n +$((log_lines + 1)) | grep -qE "$complaint"; then
		trouble+=" the kernel complained"
		dmesg | tail -n +$((log_lines + 1)) | grep -E -A 30 \
			"$complaint" | head -n 60 | sed 's/^/# /'
	fi
	if [ "$(pinned)" != "$pins" ]; then
		trouble+=" $(($(pinned) - pins)) pages more are pinned than before"
	fi
	[ -z "$trouble" ] || f=$((f + 1))
	passed=$((passed + p))
	failed=$((failed + f))
	skipped=$((skipped + s))
	verdict="$number vfio: $name # pass:$p fail:$f skip:$s"
	verdict+=" ($((SECONDS - begin)) s)${trouble:+:}$trouble"
	if [ "$f" = 0 ]; then
		echo "ok $verdict"
	else
		echo "not ok $verdict"
	fi
	[ "$status" != 125 ] || bail "a process hangs in the kernel"
	setup
done

number=$((number + 1))
if restore; then
	passed=$((passed + 1))
	echo "ok $number vfio: all modules unloaded, devices given back"
else
	failed=$((failed + 1))
	echo "not ok $number vfio: all modules unloaded, devices given back"
fi
echo "1..$number"
echo "# Totals: pass:$passed fail:$failed skip:$skipped" \
	"($((SECONDS - start)) s)"
[ "$failed" = 0 ]
