#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The script of the VM that migrates: brings the network interfaces up, takes
# part in the TCP transfers until the peer ends them, and prints what the
# interfaces' counters did meanwhile.  The VM does not know when it migrates.

# take_part K: traffic on the Kth interface.
take_part()
{
	k=$1

	counters "eth$k" &
	counters=$!
	frames "eth$k" &
	frames=$!
	dev=/sys/class/net/eth$k
	echo "guest driver $(basename "$(readlink "$dev/device/driver")")"
	echo "guest mac $(cat "$dev/address")"
	stream connect "10.1.$k.1" 5000
	kill $counters $frames
	wait $counters $frames
}

# Each interface answers for its own address only.
echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore
echo 2 >/proc/sys/net/ipv4/conf/all/arp_announce
nics=0
while [ -e "/sys/class/net/eth$nics" ]; do
	ip link set "eth$nics" up
	ip addr add "10.1.$nics.2/24" dev "eth$nics"
	nics=$((nics + 1))
done
hold=
if grep -q vm.hold /proc/cmdline; then
	# The network driver cannot wait for memory for a received frame.
	echo $((8192 * nics)) >/proc/sys/vm/min_free_kbytes
	hold 10.1.0.1 5001 &
	hold=$!
fi
pids=
k=0
while [ $k -lt $nics ]; do
	take_part $k 2>&1 | while read -r line; do
		echo "nic $k $line"
	done &
	pids="$pids $!"
	k=$((k + 1))
done
# shellcheck disable=SC2086 # words
wait $pids $hold
dmesg | grep -iE 'igbvf|eth[0-9]|hung|tx timeout|reset' |
	sed 's/^/guest dmesg /'
