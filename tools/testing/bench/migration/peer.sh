#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The peer's measurements with a VM that runs guest.sh: how much the VM takes in
# segments of full size and of the smallest size, and how long an answer takes
# while nothing else is sent.  Prints lines of "WHAT NUMBER".

set -eu

usage()
{
	cat <<-END
	usage: peer.sh large|small|latency OUT SECONDS
	END
}

address=10.1.0.1

# bulk WHAT SIZE OUT SECONDS: prints bytes and segments a second.
bulk()
{
	"$3/bulk" send $address 5002 "$2" "$4" |
		awk -v what="$1" -v size="$2" '{
			printf "%s_bytes %.0f\n", what, $3 / $4
			printf "%s_segments %.0f\n", what, $3 / size / $4
		}'
}

# latency SECONDS: prints the median of pings, in microseconds.
latency()
{
	ping -i 0.02 -c $(($1 * 50)) 10.1.0.2 |
		sed -n 's/.* time=\([0-9.]*\) ms$/\1/p' | sort -n |
		awk '{ t[NR] = $1 }
			END { printf "latency %.0f\n", t[int((NR + 1) / 2)] * 1000 }'
}

case ${1-} in
--help) usage ;;
large) bulk large 1448 "$2" "$3" ;;
small) bulk small 88 "$2" "$3" ;;
latency) latency "$3" ;;
*) usage >&2; exit 2 ;;
esac
