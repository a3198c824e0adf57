#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What is done on a host of the demo (and what an administrator would do on
# a real one).  Runs in the host VM, called by demo.sh one step at a time.

set -eu

usage()
{
	cat <<-END
	usage: host.sh setup DRIVER|none MAC LAN_ADDRESS HOST_ADDRESS
	       host.sh start N [--incoming]   start the VM, as its Nth QEMU here
	       host.sh migrate N ADDRESS MS [STATE]
	                                      move it to the host at ADDRESS, or
	                                      begin to, until its device is in
	                                      STATE (stop-copy, ...)
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
pf=0000:01:00.0
run=/run/demo
out=/out
port=4444
mkdir -p $run

# The interface of the PCI device that is or has this.
interface()
{
	basename "$(echo /sys/bus/pci/devices/"$1"/net/*)"
}

setup()
{
	local driver=$1 mac=$2 lan=$3 host=$4 nic vf

	# Into the page cache: the VM is started by both hosts at once.
	cat "$(command -v qemu-system-x86_64)" /run/vm/ctl/nested.vmlinuz \
		>/dev/null 2>&1 &

	sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
		net.ipv6.conf.default.disable_ipv6=1
	modprobe -a kvm-amd kvm-intel 2>/dev/null || true
	# The network between the hosts: the second network card.
	nic=$(basename "$(echo /sys/bus/pci/devices/0000:02:00.0/virtio*/net/*)")
	ip addr add "$host/24" dev "$nic"
	ip link set "$nic" up

	nic=$(interface $pf)
	if [ "$driver" = none ]; then
		bridge "$nic"
		nic=br0
		echo "e1000e,netdev=tap,mac=$mac" >$run/device
		echo "setup $(hostname): an emulated e1000e, mac $mac"
	else
		vf=$(make-vfs $pf 1)
		ip link set "$nic" vf 0 mac "$mac"
		modprobe "$driver"
		bind-driver "$driver" "$vf"
		echo "vfio-pci,host=$vf,enable-migration=on,migration-events=on" \
			>$run/device
		echo "setup $(hostname): VF $vf, mac $mac, driver" \
			"$(modinfo -n "$driver"), $(modinfo -n vfio)"
	fi
	ip addr add "$lan/24" dev "$nic"
	"$here/watch" start
	"$here/clock" serve >/dev/null 2>&1 &
}

# Without VFIO: an emulated card of the VM, on the PF through a bridge.
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

start()
{
	local n=$1 incoming=() devices status

	if [ "${2-}" = --incoming ]; then
		incoming=(--incoming "tcp:0:$port")
	fi
	# Of one that was killed
	rm -f $run/qmp-"$n" $run/ended-"$n"
	devices=(--device "$(cat $run/device)")
	if [ -e /sys/class/net/tap0 ]; then
		devices+=(--qemu -netdev --qemu
			"tap,id=tap,ifname=tap0,script=no,downscript=no")
	fi
	# For wait_end(): held as long as this QEMU runs
	exec 8>$run/alive-"$n"
	flock 8
	# init_on_free: free memory is zeros, which QEMU need not send.
	(
		status=0
		nested --name "vm-$n" --memory 128 --qmp $run/qmp-"$n" \
			--append init_on_free=1 "${devices[@]}" \
			--add $out/stream --add $out/counters \
			--add $out/frames \
			--qemu -msg --qemu timestamp=on \
			--qemu -D --qemu $run/trace-"$n" \
			--qemu -trace --qemu 'vfio_migration*' \
			--qemu -trace --qemu 'vfio_save*' \
			--qemu -trace --qemu 'vfio_load*' \
			--qemu -trace --qemu 'vmstate_downtime*' \
			--qemu -trace --qemu 'migration_*' \
			--qemu -trace --qemu 'runstate_set' \
			"${incoming[@]}" "$here/guest.sh" \
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

signal()
{
	pkill "-$1" -f "^qemu-system-x86_64 -name vm-$2 "
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

	vf=$(sed 's/.*host=\([^,]*\).*/\1/' $run/device)
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
setup) setup "$2" "$3" "$4" "$5" ;;
start) start "$2" "${3-}" ;;
migrate)
	"$here/qmp" $run/qmp-"$2" --migrate "tcp:$3:$port" "$4" ${5:+"$5"}
	;;
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
	"$here/held" >>$out/held
	;;
wait)
	wait_end "$2"
	exit "$(cat $run/ended-"$2")"
	;;
seen) "$here/watch" show $out/seen ;;
*) usage >&2; exit 2 ;;
esac
