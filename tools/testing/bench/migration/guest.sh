#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# What the VM does that receives: it takes what the peer sends, until it is ended.

ip link set eth0 up
ip addr add 10.1.0.2/24 dev eth0
bulk take 10.1.0.1 5002
