#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# All that can be tested: check.sh, check-debug.sh, whose kernel is built while the
# first one's VMs wait for resets, and what check.sh repeats less often, as often
# as it can be.  The totals are the last line.

set -u

usage()
{
	cat <<-END
	usage: check-all.sh [--within MINUTES]

	Runs all tests (an hour and a half on two cores).  With --within, no stage
	begins when two thirds of that time are over, and what runs at its end is
	ended; both count as skipped.  Needs root.
	END
}

within=
case ${1-} in
'') ;;
--help) usage; exit 0 ;;
--within) within=$2 ;;
*) usage >&2; exit 2 ;;
esac

cd "$(dirname "$(realpath "$0")")/../.." || exit 1
if [ -n "$within" ]; then
	VFIO_CHECK_UNTIL=$(($(date +%s) + within * 40))
	VFIO_CHECK_STOP=$(($(date +%s) + within * 60))
	export VFIO_CHECK_UNTIL VFIO_CHECK_STOP
fi

status=0
rm -f build/check/summary build/check-debug/summary build/check-repeat/summary
mkdir -p build
nice -n 19 tools/testing/check-debug.sh kernel >build/kernel.log 2>&1 &
kernel=$!
trap 'kill $kernel 2>/dev/null; exit 1' INT TERM HUP
VFIO_CHECK_STOCK='' make --no-print-directory -s check || status=1
# What it says for failures, the stage says again.
echo "# waiting for the debug kernel"
wait $kernel
tools/testing/check-debug.sh || status=1
tools/testing/check-repeat.sh || status=1

passed=0 failed=0 skipped=0
for summary in build/check/summary build/check-debug/summary \
	build/check-repeat/summary; do
	if ! read -r p _ f _ s _ <"$summary"; then
		p=0 f=1 s=0
	fi
	passed=$((passed + p))
	failed=$((failed + f))
	skipped=$((skipped + s))
done
[ $failed = 0 ] || status=1
echo "$passed passed, $failed failed, $skipped skipped"
exit $status
