#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The script of the VM of the quick start: pings the peer until QEMU ends.  The
# numbers of the pings tell whether the same VM goes on after a migration.

ip link set eth0 up
ip addr add 10.1.0.2/24 dev eth0
echo "mac $(cat /sys/class/net/eth0/address)"
while ! ping -q -c 1 -W 5 10.1.0.1 >/dev/null; do
	:
done
exec ping 10.1.0.1
