#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# All that the migrating VM does: brings its network interface up, takes part
# in the TCP transfer until the peer ends it, and tells what became of its
# interface and its counters meanwhile.  It knows nothing of migrations.

ip link set eth0 up
ip addr add 10.1.0.2/24 dev eth0

counters eth0 &
counters=$!
frames eth0 &
frames=$!
echo "guest driver $(basename "$(readlink /sys/class/net/eth0/device/driver)")"
echo "guest mac $(cat /sys/class/net/eth0/address)"
stream connect 10.1.0.1 5000
kill $counters $frames
wait $counters $frames
dmesg | grep -iE 'igbvf|eth0|hung|tx timeout|reset' | sed 's/^/guest dmesg /'
