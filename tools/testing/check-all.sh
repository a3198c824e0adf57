#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs all tests, or in a limited time make check and a part of the others,
# which the commit chooses.  The last line has the totals.  The debug kernel is
# built in the background while make check waits for resets.

set -u

usage()
{
	cat <<-END
	usage: check-all.sh [--within MINUTES]
	       check-all.sh --first [COMMIT]

	Runs check.sh, with all programs in its stage "stock", and on Linux 7.3,
	check-debug.sh and check-repeat.sh (four hours on two cores).

	--within MINUTES: runs check.sh as make check does, whole unless it takes a
	third longer than MINUTES.  Then it runs the part that the commit chooses
	of this list:
	$(printf '  %s\n' "${parts[@]}")
	and, while less than two thirds of the time are over, the parts that
	follow (after the last one, the first).  A part that still runs when the
	time is over is ended.  All that was not run counts as skipped, by name.
	The number of the part that the commit chooses, counted from 0, is what
	remains when the first seven digits of the commit's id are divided by the
	number of parts; without a commit, it is 0.

	--first: prints the part that COMMIT chooses (HEAD if not given).
	Needs root.
	END
}

# A line each: the name of the part, a script of this folder, and stages of
# that.  On two cores, the debug kernel included, each takes 10 to 25 minutes.
parts=(
	"debug-selftests: check-debug.sh kernel selftests"
	"debug-kunit: check-debug.sh kernel kunit leaks"
	"debug-hosts: check-debug.sh kernel assigned migration in-tree"
	"repeat: check-repeat.sh repeat"
	"bed: check-repeat.sh bed faults moves"
	"pages: check-repeat.sh quickstart libvirt"
	"qemu-ways: check-repeat.sh ways"
	"stock: check.sh stock"
	"coverage: check-repeat.sh coverage"
	"packages: check-repeat.sh parts packages variants"
	"races: check-repeat.sh races"
	"linux-7.3: check.sh --kernel 7.3 build selftests"
	"linux-7.3-vms: check.sh --kernel 7.3 build mixed assigned stock migration"
	"backports: check-repeat.sh backports"
)

cd "$(dirname "$(realpath "$0")")/../.." || exit 1
# shellcheck source=tools/testing/stages.sh
. tools/testing/stages.sh

# first [COMMIT]: the number of the part that COMMIT chooses
first()
{
	local commit

	commit=$(git rev-parse --verify "${1:-HEAD}^{commit}") || return
	echo $((16#${commit:0:7} % ${#parts[@]}))
}

# run SCRIPT [ARGUMENT]...: adds its totals to those of this script.
run()
{
	local summary=build/${1%.sh}/summary status=0 p f s

	rm -f "$summary"
	"tools/testing/$1" "${@:2}" || status=$?
	if read -r p _ f _ s _ 2>/dev/null <"$summary"; then
		add "$p" "$f" "$s"
	elif [ $status = 75 ]; then
		# Debian has no such kernel (any more).
		skip "$*" "not judged"
		add 0 0 1
	else
		add 0 1 0
	fi
}

# run_parts MINUTES: the part that the commit chooses, and more if there is time
run_parts()
{
	local more=$((start + $1 * 40)) n i part words

	n=$(first) || n=0
	for i in "${!parts[@]}"; do
		part=${parts[(n + i) % ${#parts[@]}]}
		if [ "$i" != 0 ] && [ "$(date +%s)" -ge $more ]; then
			skip "part ${part%%:*}" "no time left for it"
			add 0 0 1
			continue
		fi
		echo "# part $part"
		read -ra words <<<"${part#*:}"
		unset VFIO_CHECK_STOCK
		[ "${part%%:*}" != stock ] || export VFIO_CHECK_STOCK=
		VFIO_CHECK_STOP=$((start + $1 * 60)) run "${words[@]}"
	done
}

within=
case ${1-} in
'') ;;
--help) usage; exit 0 ;;
--first)
	n=$(first "${2-}") || exit
	echo "${parts[n]}"
	exit
	;;
--within)
	[[ ${2-} =~ ^[1-9][0-9]*$ ]] || { usage >&2; exit 2; }
	within=$2
	;;
*) usage >&2; exit 2 ;;
esac

start=$(date +%s)
mkdir -p build
# A process group of its own, to be ended as a whole
set -m
nice -n 19 tools/testing/kernel/debug-kernel.sh build/debug-kernel \
	>build/kernel.log 2>&1 </dev/null &
kernel=$!
set +m
trap 'kill -- -$kernel 2>/dev/null' EXIT
trap 'exit 1' INT TERM HUP
if [ -n "$within" ]; then
	VFIO_CHECK_STOP=$((start + within * 80)) run check.sh
	run_parts "$within"
else
	VFIO_CHECK_STOCK='' run check.sh
	run check.sh --kernel 7.3
	run check-debug.sh
	run check-repeat.sh
fi
totals
