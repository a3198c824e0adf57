#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The script of the VM with which ways.sh tries QEMU's ways: takes part in the TCP
# transfer, brings the VF's interface up again when it was unplugged, and suspends
# itself when it is told to (peer.sh suspend).

address=10.1.0.2/24

up()
{
	ip link set eth0 up
	ip addr add $address dev eth0
}

up
while sleep 1; do
	ip addr show dev eth0 | grep -q "$address" || up
done 2>/dev/null &
while nc -l -p 5002 >/dev/null; do
	echo mem >/sys/power/state
done &
stream connect 10.1.0.1 5000
