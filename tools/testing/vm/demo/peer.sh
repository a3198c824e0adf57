#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The traffic peer of the demo: a third machine on the network, outside of
# both hosts.  It has a network namespace of its own, where its only interface is
# a tap that ends in the switch of the demo; demo.sh calls this there, one step at
# a time.  Nothing leads from it to the network of this machine.

set -eu

usage()
{
	cat <<-END
	usage: peer.sh setup OUT SOCKETS  the interface, and the switch, with a
	                                port for each host at SOCKETS/lan-A and -B
	       peer.sh start OUT        traffic to the VM
	       peer.sh stop OUT         ends it; the VM powers off
	       peer.sh reach            waits until the VM answers
	       peer.sh clock ADDRESS    the clock there, seen from here
	OUT is where logs go and the programs are.
	END
}

here=$(dirname "$(realpath "$0")")
run=/tmp
nic=tap0

# A QEMU without a machine, which is a switch: a hub.  Each frame that passes the
# peer's port of it is recorded.
switch()
{
	# It says that a hub without a card is no use.
	qemu-system-x86_64 -M none -accel tcg -nodefaults -display none \
		-name switch -daemonize -pidfile $run/switch.pid \
		-netdev "tap,id=peer,ifname=$nic,script=no,downscript=no" \
		-netdev hubport,id=hub0,hubid=0,netdev=peer \
		-netdev "stream,id=A,server=on,addr.type=unix,addr.path=$2/lan-A" \
		-netdev hubport,id=hubA,hubid=0,netdev=A \
		-netdev "stream,id=B,server=on,addr.type=unix,addr.path=$2/lan-B" \
		-netdev hubport,id=hubB,hubid=0,netdev=B \
		-object "filter-dump,id=dump,netdev=peer,file=$1/frames.pcap,maxlen=64" \
		2>/dev/null
}

case ${1-} in
--help) usage ;;
setup)
	sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
		net.ipv6.conf.default.disable_ipv6=1
	ip tuntap add $nic mode tap
	ip addr add 10.1.0.1/24 dev $nic
	ip link set $nic up
	switch "$2" "$3"
	;;
start)
	# It is in the background once the VM has connected.
	"$2/stream" listen 5000 $run/stream.pid >"$2/stream.out" 2>&1 || {
		cat "$2/stream.out"
		exit 1
	}
	ping -D -i 0.05 -s 1000 10.1.0.2 >"$2/ping.out" 2>&1 &
	echo $! >$run/ping.pid
	;;
stop)
	kill -INT "$(cat $run/ping.pid)"
	kill -TERM "$(cat $run/stream.pid)"
	# It holds its pid file locked.
	flock -s $run/stream.pid true
	# /sys is that of the machine, in another namespace.
	awk -v nic=$nic: '$1 == nic { print "rx_bytes " $2; print "tx_bytes " $10 }' \
		/proc/net/dev >"$2/peer-counters"
	tail -n 1 "$2/stream.out"
	;;
reach)
	# Until there is an answer, however late
	ping -q -c 1 -i 0.5 -w 3600 10.1.0.2 >/dev/null
	;;
clock) "$here/clock" "$2" ;;
*) usage >&2; exit 2 ;;
esac
