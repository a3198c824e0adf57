#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The traffic peer of the demo: a third machine on the network, outside of
# both hosts.  Runs in its VM, called by demo.sh one step at a time.

set -eu

usage()
{
	cat <<-END
	usage: peer.sh setup
	       peer.sh start            traffic to the VM
	       peer.sh stop             ends it; the VM powers off
	       peer.sh reach            waits until the VM answers
	       peer.sh clock ADDRESS    the clock there, seen from here
	END
}

here=$(dirname "$(realpath "$0")")
out=/out

case ${1-} in
--help) usage ;;
setup)
	sysctl -qw net.ipv6.conf.all.disable_ipv6=1
	nic=$(basename "$(echo /sys/bus/pci/devices/0000:01:00.0/virtio*/net/*)")
	ip addr add 10.1.0.1/24 dev "$nic"
	ip link set "$nic" up
	echo "$nic" >/run/nic
	;;
start)
	$out/stream listen 5000 >$out/stream.out 2>&1 &
	echo $! >/run/stream.pid
	# The VM is up once it has connected.
	until [ -s $out/stream.out ]; do
		kill -0 "$(cat /run/stream.pid)" 2>/dev/null || {
			cat $out/stream.out
			exit 1
		}
		sleep 0.1
	done
	ping -D -i 0.05 -s 1000 10.1.0.2 >$out/ping.out 2>&1 &
	echo $! >/run/ping.pid
	;;
stop)
	kill -INT "$(cat /run/ping.pid)"
	kill -TERM "$(cat /run/stream.pid)"
	while kill -0 "$(cat /run/stream.pid)" 2>/dev/null; do
		sleep 0.1
	done
	grep . /sys/class/net/"$(cat /run/nic)"/statistics/[rt]x_* \
		>$out/peer-counters
	tail -n 1 $out/stream.out
	;;
reach)
	tries=0
	until ping -c 1 -W 1 10.1.0.2 >/dev/null; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || exit 1
	done
	;;
clock) "$here/clock" "$2" ;;
*) usage >&2; exit 2 ;;
esac
