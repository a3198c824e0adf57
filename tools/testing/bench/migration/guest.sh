#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The script of the VM that receives: takes what the peer sends, until QEMU is
# ended.

ip link set eth0 up
ip addr add 10.1.0.2/24 dev eth0
bulk take 10.1.0.1 5002
