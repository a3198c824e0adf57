#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Counts which lines of drivers/vfio the tests run: the KUnit suites, the
# selftests and the migration, on a debug kernel with gcov for drivers/vfio.  A
# failed test is only mentioned here; check-debug.sh is the script that judges.

set -u

usage()
{
	cat <<-END
	usage: coverage.sh [--report]

	Runs the tests and prints a table: file, lines that can be run, lines
	that were run.  Data and logs are kept in build/coverage/.
	  --report   print the table of the last run, without running tests
	Needs root.
	END
}

cd "$(dirname "$(realpath "$0")")/../.." || exit 1
src=$PWD
logs=$src/build/coverage
vm=$src/tools/testing/vm
kernel=$logs/kernel
report=
case ${1-} in
--help) usage; exit 0 ;;
--report) report=1 ;;
'') ;;
*) usage >&2; exit 2 ;;
esac

[ "$(id -u)" = 0 ] || { echo "coverage.sh: must be run as root" >&2; exit 1; }
VFIO_ROOT=$("$vm/root.sh") || exit 1
export VFIO_ROOT
export VFIO_TEST_SCALE=${VFIO_TEST_SCALE:-10}

if [ -z "$report" ]; then
	rm -rf --one-file-system "$logs"
	mkdir -p "$logs"
	tools/testing/kernel/debug-kernel.sh --gcov "$kernel" || exit 1
	echo "# KUnit"
	tools/testing/kernel/kunit.sh "$kernel" "$logs/kunit" \
		>"$logs/kunit.log" 2>&1 || echo "# KUnit: status $?"
	echo "# selftests"
	tools/testing/selftests/vfio/vm-run.sh --kernel "$kernel" \
		--fast "$logs/selftests" -t 1200 >"$logs/selftests.log" 2>&1 ||
		echo "# selftests: status $?"
	echo "# migration"
	"$vm/demo/demo.sh" --check --kernel "$kernel" --out "$logs/migration" \
		>"$logs/migration.log" 2>&1 || echo "# migration: status $?"
fi

# Adds up the counts of all VMs in $logs/sum, where gcov also finds the
# compiler's files.
rm -rf "$logs/sum" "$logs/sum.new"
for data in $(find "$logs" -type d -path '*/gcov/drivers/vfio' \
	! -path "$kernel/*" | sort); do
	data=${data%/drivers/vfio}
	if [ ! -d "$logs/sum" ]; then
		cp -r "$data" "$logs/sum"
		continue
	fi
	"$vm/inroot.sh" --bind "$logs" -- gcov-tool merge -o "$logs/sum.new" \
		"$logs/sum" "$data" || exit 1
	rm -rf "$logs/sum"
	mv "$logs/sum.new" "$logs/sum"
done
[ -d "$logs/sum" ] || { echo "coverage.sh: no data" >&2; exit 1; }
cp -r "$kernel/gcov/drivers" "$logs/sum/"

# shellcheck disable=SC2016 # expanded in the root
"$vm/inroot.sh" --bind "$logs" --chdir "$logs/sum" -- sh -c '
	find drivers -name "*.gcno" | sort | while read -r file; do
		gcov -n -o "${file%/*}" "$file" 2>/dev/null
	done' >"$logs/gcov.log"
awk -F"[\047:% ]+" '
	/^File / { file = $2 }
	file ~ /\/tests\// { file = "" }
	/^Lines executed/ && file ~ /drivers\/vfio\/.*\.c$/ {
		sub(/.*drivers\//, "drivers/", file)
		lines = $NF
		run = int($3 * lines / 100 + 0.5)
		printf "%-45s %6d %6d %5.1f %%\n", file, lines, run, $3
		all += lines
		all_run += run
		file = ""
	}
	END {
		if (!all)
			exit 1
		printf "%-45s %6d %6d %5.1f %%\n", "all", all, all_run,
			100 * all_run / all
	}' "$logs/gcov.log" | {
	printf '%-45s %6s %6s\n' file lines run
	cat
}
