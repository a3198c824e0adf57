#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The peer of the demo: a third machine on the network, with which the VM
# exchanges traffic.  It is a network namespace of this machine whose only
# interface is a tap on the demo's switch, so nothing reaches this machine's own
# network.  demo.sh calls this script there for each step.

set -eu

usage()
{
	cat <<-END
	usage: peer.sh setup OUT SOCKETS PFS NICS [record]
	                                make the interface, for a VM with NICS
	                                cards, and the switch, which has a port for
	                                each PF of both hosts: SOCKETS/lan-A0, ...
	       peer.sh start OUT NICS [RATE]
	                                start the traffic with the VM; with RATE,
	                                also what the VM holds in its memory
	       peer.sh stop OUT NICS [RATE]
	                                end the traffic, so that the VM powers off
	       peer.sh reach            wait until the VM answers a ping
	       peer.sh flows OUT        wait until the VM answers a ping, and its
	                                first card's TCP transfer goes on in both
	                                directions
	       peer.sh suspend          tell the VM to suspend itself (with the
	                                guest script of ../ways)
	       peer.sh drop OUT NICS    end the traffic with a VM that is gone
	       peer.sh clock ADDRESS    compare the clock at ADDRESS with the peer's
	OUT is the directory of the programs and for logs.
	END
}

here=$(dirname "$(realpath "$0")")
run=/tmp
nic=tap0

# Starts the switch: a QEMU without a machine whose hub joins all ports.  Frames
# are recorded at the peer's port.
switch()
{
	local out=$1 sockets=$2 pfs=$3 record=${4-} host pf name to ports=()

	[ -z "$record" ] || ports+=(-object
		"filter-dump,id=dump,netdev=peer,file=$out/frames.pcap,maxlen=64")
	for host in A B; do
		for ((pf = 0; pf < pfs; pf++)); do
			name=$host$pf
			to=addr.type=unix,addr.path=$sockets/lan-$name
			ports+=(-netdev "stream,id=$name,server=on,$to" -netdev
				"hubport,id=hub$name,hubid=0,netdev=$name")
		done
	done
	# stderr: QEMU warns of a hub without a network card.
	qemu-system-x86_64 -M none -accel tcg -nodefaults -display none \
		-name switch -daemonize -pidfile $run/switch.pid \
		-netdev "tap,id=peer,ifname=$nic,script=no,downscript=no" \
		-netdev hubport,id=hub0,hubid=0,netdev=peer \
		"${ports[@]}" 2>/dev/null
}

# start_nic OUT K: starts a TCP transfer and pings with the VM's Kth card.
# Returns when the VM has connected.
start_nic()
{
	local out=$1 k=$2

	"$out/stream" listen 5000 $run/stream-"$k".pid 100000 "10.1.$k.1" \
		>"$out/stream-$k.out" 2>&1 || {
		cat "$out/stream-$k.out"
		return 1
	}
	ping -D -i 0.05 -s 1000 "10.1.$k.2" >"$out/ping-$k.out" 2>&1 &
	echo $! >$run/ping-"$k".pid
}

# start_hold OUT RATE: starts the transfer to the VM's program hold.
start_hold()
{
	"$1/stream" listen 5001 $run/hold.pid "$2" 10.1.0.1 \
		>"$1/hold.out" 2>&1 || {
		cat "$1/hold.out"
		return 1
	}
}

# Ends a stream, and waits for it: the stream holds a lock on its pid file.
end_stream()
{
	kill -TERM "$(cat $run/"$1".pid)"
	flock -s $run/"$1".pid true
}

# carried OUT: how many bytes the first card's transfer has sent and received
carried()
{
	awk '$1 " " $2 == "stream at" { sent = $5; received = $7 }
		END { print sent + 0, received + 0 }' "$1/stream-0.out"
}

flows()
{
	local out=$1 sent received to from

	read -r sent received < <(carried "$out")
	reach
	until read -r to from < <(carried "$out") &&
		[ "$to" -gt "$sent" ] && [ "$from" -gt "$received" ]; do
		# The stream holds this lock as long as it runs.
		if flock -n $run/stream-0.pid true; then
			tail -n 1 "$out/stream-0.out"
			return 1
		fi
		sleep 0.2
	done
}

# An hour, as the VM may be slow
reach()
{
	ping -q -c 1 -i 0.5 -w 3600 10.1.0.2 >/dev/null
}

drop()
{
	local k pid

	for ((k = 0; k < $2; k++)); do
		for pid in ping stream; do
			kill -KILL "$(cat $run/$pid-$k.pid)" 2>/dev/null || :
		done
	done
}

case ${1-} in
--help) usage ;;
setup)
	sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
		net.ipv6.conf.default.disable_ipv6=1
	ip tuntap add $nic mode tap
	for ((k = 0; k < $5; k++)); do
		ip addr add "10.1.$k.1/24" dev $nic
	done
	ip link set $nic up
	switch "$2" "$3" "$4" "${6-}"
	;;
start)
	[ -z "${4-}" ] || start_hold "$2" "$4"
	for ((k = 0; k < $3; k++)); do
		start_nic "$2" $k
	done
	;;
stop)
	for ((k = 0; k < $3; k++)); do
		kill -INT "$(cat $run/ping-$k.pid)"
	done
	# hold last: it checks all of the VM's memory at its end.
	for ((k = 0; k < $3; k++)); do
		end_stream stream-$k
		tail -n 1 "$2/stream-$k.out"
	done
	[ -z "${4-}" ] || end_stream hold
	# /sys shows the interfaces of the machine's namespace.
	awk -v nic=$nic: '$1 == nic { print "rx_bytes " $2; print "tx_bytes " $10 }' \
		/proc/net/dev >"$2/peer-counters"
	;;
reach) reach ;;
flows) flows "$2" ;;
suspend) echo >/dev/tcp/10.1.0.2/5002 ;;
drop) drop "$2" "$3" ;;
clock) "$here/clock" "$2" ;;
*) usage >&2; exit 2 ;;
esac
