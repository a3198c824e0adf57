#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What is done on a host of the demo (and what an administrator would do on
# a real one).  Runs in the host VM, called by demo.sh one step at a time.

set -eu

usage()
{
	cat <<-END
	usage: host.sh setup LAN_ADDRESS HOST_ADDRESS
	       host.sh start N TRACKING [--incoming]
	                                      start the VM, as its Nth QEMU;
	                                      TRACKING: by the device, by the
	                                      container, or trap (by the device,
	                                      without access to registers by mmap)
	       host.sh migrate N ADDRESS MS [STATE]
	                                      move it to the host at ADDRESS; with
	                                      STATE (stop-copy, ...) stop this QEMU
	                                      as soon as its device is in it
	       host.sh log N | nolog N        begin a migration to nowhere, which
	                                      never ends, and cancel it: the device
	                                      logs meanwhile
	       host.sh worker                 for how many ns the threads that log
	                                      have run, and the uptime in seconds
	       host.sh wait-running N         until it runs here
	       host.sh wait-failed N          until its migration has failed
	       host.sh end N                  end a QEMU that it has left
	       host.sh freeze N | thaw N      stop a QEMU, have it go on
	       host.sh kill N                 kill a QEMU
	       host.sh lose                   have the VF lose what comes for it,
	                                      for half a second
	       host.sh wait-end N             until a QEMU has ended
	       host.sh wait N                 until the VM has powered off here
	       host.sh seen                   leave in /out what the kernel saw
	END
}

here=$(dirname "$(realpath "$0")")
run=/run/demo
out=/out
port=4444
mkdir -p $run
# See bed.sh
driver='' vfs='' mac='' memory='' hold='' fault='' guest=''
# shellcheck source=/dev/null
. $out/settings

# Prints the PFs, one on a line: all 82576s.
all_pfs()
{
	local dev

	for dev in /sys/bus/pci/devices/*; do
		[ "$(cat "$dev/vendor" "$dev/device" | tr -d '\n')" != \
			0x80860x10c9 ] || echo "${dev##*/}"
	done
}

# mac_of K: the MAC address of the VM's Kth network card
mac_of()
{
	printf '%s:%02x' "${mac%:*}" $((0x${mac##*:} + $1))
}

# The interface of the PCI device that is or has this.
interface()
{
	basename "$(echo /sys/bus/pci/devices/"$1"/net/*)"
}

# make_vf PF K N: VF number N of that PF, for the VM's Kth card
make_vf()
{
	local pf=$1 k=$2 n=$3 vf

	vf=$(basename "$(readlink "/sys/bus/pci/devices/$pf/virtfn$n")")
	ip link set "$(interface "$pf")" vf "$n" mac "$(mac_of "$k")"
	bind-driver "$driver" "$vf"
	echo "$vf" >>$run/vfs
	echo "setup $(hostname): VF $vf, mac $(mac_of "$k"), driver" \
		"$(modinfo -n "$driver"), $(modinfo -n vfio)"
}

# The VFs: as many of one PF as of the other.
setup_vfs()
{
	local pf n k=0 each

	each=$((vfs / $(all_pfs | wc -l)))
	modprobe "$driver"
	: >$run/vfs
	for pf in $(all_pfs); do
		make-vfs "$pf" $each >/dev/null
		for ((n = 0; n < each; n++)); do
			make_vf "$pf" $k $n
			k=$((k + 1))
		done
	done
}

setup()
{
	local lan=$1 host=$2 nic

	# Into the page cache: the VM is started by both hosts at once.
	cat "$(command -v qemu-system-x86_64)" /run/vm/ctl/nested.vmlinuz \
		>/dev/null 2>&1 &

	sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
		net.ipv6.conf.default.disable_ipv6=1
	modprobe -a kvm-amd kvm-intel 2>/dev/null || true
	# The network between the hosts: the card beside the 82576s.
	nic=$(basename "$(echo /sys/bus/virtio/devices/*/net/*)")
	ip addr add "$host/24" dev "$nic"
	ip link set "$nic" up

	nic=$(interface "$(all_pfs | head -n 1)")
	if [ "$driver" = none ]; then
		bridge "$nic"
		nic=br0
		echo "setup $(hostname): a virtio-net card, mac $mac"
	else
		setup_vfs
	fi
	ip addr add "$lan/24" dev "$nic"
	"$here/watch" start
	"$here/clock" serve >/dev/null 2>&1 &
}

# Without VFIO: a virtio-net card of the VM, on the PF through a bridge.
bridge()
{
	modprobe -a tun bridge
	ip link add br0 type bridge
	ip link set "$1" master br0
	ip tuntap add tap0 mode tap
	ip link set tap0 master br0
	for link in "$1" tap0 br0; do
		ip link set "$link" up
	done
}

# The VM's devices, as arguments of nested
devices()
{
	local vf args=migration-events=on

	if [ "$driver" = none ]; then
		devices=(--qemu -netdev --qemu
			"tap,id=tap,ifname=tap0,script=no,downscript=no"
			--device "virtio-net-pci,netdev=tap,mac=$mac")
		return
	fi
	devices=()
	# With "device", QEMU is not told more than it has to be.
	case $1 in
	container) args+=,enable-migration=on,x-device-dirty-page-tracking=off ;;
	trap) args+=,x-no-mmap=on ;;
	esac
	while read -r vf; do
		devices+=(--device "vfio-pci,host=$vf,$args")
	done <$run/vfs
}

start()
{
	local n=$1 tracking=$2 incoming=() devices programs=() program status

	if [ "${3-}" = --incoming ]; then
		incoming=(--incoming "tcp:0:$port")
	fi
	# Of one that was killed
	rm -f $run/qmp-"$n" $run/ended-"$n"
	devices "$tracking"
	for program in "$out"/*; do
		[ ! -f "$program" ] || [ ! -x "$program" ] ||
			programs+=(--add "$program")
	done
	# For wait_end(): held as long as this QEMU runs
	exec 8>$run/alive-"$n"
	flock 8
	# init_on_free: free memory is zeros, which QEMU need not send.
	(
		status=0
		[ "$fault" != hide-log ] || export LD_PRELOAD=$out/hide_log
		nested --name "vm-$n" --memory "$memory" --qmp $run/qmp-"$n" \
			--append "init_on_free=1${hold:+ vm.hold}" \
			"${devices[@]}" \
			--qemu -msg --qemu timestamp=on \
			--qemu -D --qemu $run/trace-"$n" \
			--qemu -trace --qemu 'vfio_migration*' \
			--qemu -trace --qemu 'vfio_save*' \
			--qemu -trace --qemu 'vfio_load*' \
			--qemu -trace --qemu 'vfio_device_dirty_tracking_start' \
			--qemu -trace --qemu 'vmstate_downtime*' \
			--qemu -trace --qemu 'migration_*' \
			--qemu -trace --qemu 'runstate_set' \
			"${programs[@]}" "${incoming[@]}" "$guest" \
			>$out/vm-"$n".out 2>&1 8>&- || status=$?
		cp $run/trace-"$n" $out/
		rm $run/trace-"$n"
		echo $status >$run/ended-"$n"
	) >/dev/null 2>&1 &
	exec 8>&-
	# The destination says when it has loaded what the device sends early:
	# only then is the VM stopped at the source.  Both ends have to know.
	"$here/qmp" $run/qmp-"$n" migrate-set-capabilities '{ "capabilities": [
		{ "capability": "return-path", "state": true },
		{ "capability": "switchover-ack", "state": true } ] }' \
		>/dev/null || {
		cat $out/vm-"$n".out
		exit 1
	}
	"$here/qmp" $run/qmp-"$n" query-status
}

qemu_of()
{
	pgrep -f "^qemu-system-x86_64 -name vm-$1 "
}

signal()
{
	kill "-$1" "$(qemu_of "$2")"
}

# Has the device log without moving the VM: a migration into a pipe, to which no
# destination has to answer.  At 4 KiB a second it goes on for hours.
log()
{
	"$here/qmp" $run/qmp-"$1" migrate-set-capabilities '{ "capabilities": [
		{ "capability": "return-path", "state": false },
		{ "capability": "switchover-ack", "state": false } ] }' \
		>/dev/null
	"$here/qmp" $run/qmp-"$1" --log "exec:cat >/dev/null"
}

# The first number of schedstat is the run time in nanoseconds.
worker()
{
	local thread total=0 ran

	for thread in $(pgrep '^vfio-log'); do
		read -r ran _ <"/proc/$thread/schedstat" || continue
		total=$((total + ran))
	done
	read -r up _ </proc/uptime
	echo "worker $total uptime $up"
}

wait_end()
{
	flock -s $run/alive-"$1" true
}

# RXDCTL of queue 0 (82576 datasheet, 8.10.9), whose bit 25 is ENABLE, behind the
# back of the VF's driver.  The kernel has to be booted with iomem=relaxed.
lose()
{
	local vf bar rxdctl value

	read -r vf <$run/vfs
	read -r bar _ </sys/bus/pci/devices/"$vf"/resource
	rxdctl=$((bar + 0x2828))
	value=$(busybox devmem $rxdctl 32)
	[ $((value & 0x02000000)) != 0 ] || exit 1
	busybox devmem $rxdctl 32 $((value & ~0x02000000))
	sleep 0.5
	busybox devmem $rxdctl 32 $((value))
}

case ${1-} in
--help) usage ;;
setup) setup "$2" "$3" ;;
start) start "$2" "$3" "${4-}" ;;
migrate)
	"$here/qmp" $run/qmp-"$2" --migrate "tcp:$3:$port" "$4" \
		${5:+"$5" "$(qemu_of "$2")"}
	;;
log) log "$2" ;;
nolog) "$here/qmp" $run/qmp-"$2" --cancel ;;
worker) worker ;;
wait-running) "$here/qmp" $run/qmp-"$2" --wait-running ;;
wait-failed) "$here/qmp" $run/qmp-"$2" --wait-failed ;;
freeze) signal STOP "$2" ;;
thaw) signal CONT "$2" ;;
kill)
	signal KILL "$2"
	wait_end "$2"
	;;
lose) lose ;;
wait-end) wait_end "$2" ;;
end)
	"$here/qmp" $run/qmp-"$2" quit >/dev/null
	wait_end "$2"
	rm $run/ended-"$2"
	"$here/kernel-use" >>$out/held
	;;
wait)
	wait_end "$2"
	exit "$(cat $run/ended-"$2")"
	;;
seen) "$here/watch" show $out/seen ;;
*) usage >&2; exit 2 ;;
esac
