#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# All that the migrating VM does: brings its network interface up, takes part
# in the TCP transfer until the peer ends it, and tells what became of its
# interface and its counters meanwhile.  It knows nothing of migrations.

ip link set eth0 up
ip addr add 10.1.0.2/24 dev eth0
while [ "$(cat /sys/class/net/eth0/carrier)" != 1 ]; do
	sleep 0.1
done

counters eth0 &
counters=$!
echo "guest driver $(basename "$(readlink /sys/class/net/eth0/device/driver)")"
echo "guest mac $(cat /sys/class/net/eth0/address)"
# The peer may come later than this VM.
until stream connect 10.1.0.1 5000; do
	sleep 0.5
done
kill $counters
wait $counters
dmesg | grep -iE 'igbvf|eth0|hung|tx timeout|reset' | sed 's/^/guest dmesg /'
