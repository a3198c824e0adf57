#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests the test bed: it has to find commands that hang and kernels that
# complain, with the right message and exit status, and to leave a command alone
# that is only slow.  Prints TAP.

set -u

usage()
{
	cat <<-END
	usage: bed-test.sh MODULES LOG

	MODULES: a build of the modules, LOG: a directory for logs.
	END
}

[ "${1-}" != --help ] || { usage; exit 0; }
[ $# = 2 ] || { usage >&2; exit 2; }

here=$(dirname "$(realpath "$0")")
modules=$(realpath -e "$1")
rm -rf "$2"
mkdir -p "$2"
log=$(realpath "$2")
number=0
failed=0

# boot NAME OPTION... -- COMMAND: leaves vm.sh's exit status in $status and its
# output in the file $said.
boot()
{
	local name=$1
	shift
	said=$log/$name.out
	"$here/vm.sh" --log "$log/$name" --cpus 1 --memory 512 "$@" \
		>"$said" 2>&1
	status=$?
	return $status
}

verdict()
{
	local text=$1
	shift
	number=$((number + 1))
	if "$@"; then
		echo "ok $number - bed: $text"
	else
		echo "not ok $number - bed: $text"
		echo "# status $status"
		sed 's/^/# /' "$said"
		failed=1
	fi
}

# ended STATUS [REGEX]: was that the exit status, and does the output match
# REGEX?
ended()
{
	[ "$status" = "$1" ] && { [ $# = 1 ] || grep -q "$2" "$said"; }
}

boot works -- sh -c 'echo out; echo err >&2; exit 7'
verdict "vm.sh exits with the command's status" ended 7
verdict "vm.sh passes on what the command prints on both streams" \
	test "$(grep -cxE 'out|err' "$said")" = 2

boot silent --timeout 20 -- sleep 600
verdict "a command that makes no progress is ended" ended 124 'is blocked'

boot slow --timeout 20 -- sh -c 'for i in 1 2 3 4 5; do sleep 6; echo $i; done'
verdict "a slow command that makes progress is not ended" ended 0

boot complains -- sh -c 'echo "WARNING: CPU: 0 at bed-test" >/dev/kmsg'
verdict "a complaint of the kernel is a failure" \
	ended 122 'WARNING: CPU: 0 at bed-test'

# The VM's only CPU is kept busy, so no heartbeat comes.
boot stuck --timeout 600 --append 'nowatchdog rcupdate.rcu_cpu_stall_suppress=1' \
	-- sh -c 'echo -1 >/proc/sys/kernel/sched_rt_runtime_us
	echo 0 >/sys/kernel/debug/sched/fair_server/cpu0/runtime
	chrt -f 99 sh -c "while :; do :; done"'
verdict "a VM without a heartbeat is dead" ended 125 'VM is dead'

boot panics -- sh -c 'echo c >/proc/sysrq-trigger; sleep 60'
verdict "a panic is a failure" ended 122 'Kernel panic'

boot crashes -- sh -c 'echo up; sleep 600' &
vmm=$!
until grep -qsx up "$log/crashes/output"; do
	sleep 0.5
done
pkill -KILL -f "^qemu-system-x86_64 -name host .*path=$log/crashes/console"
wait $vmm
status=$?
said=$log/crashes.out
verdict "if QEMU crashes, the command is not judged" \
	ended 75 'QEMU ended'

# A selftest that hangs
mkdir -p "$log/tests"
cp "$here/../selftests/vfio/run.sh" "$log/tests/"
cat >"$log/tests/hangs" <<-'END'
	#!/bin/sh
	echo "TAP version 13"
	echo "1..1"
	exec sleep 600
END
chmod +x "$log/tests/hangs"
"$here/layer.sh" "$log/layer" "$modules"
boot hangs --layer "$log/layer" --share "$log/tests:/tests" \
	-- /tests/run.sh -t 20 hangs
verdict "run.sh ends a selftest that hangs" \
	ended 1 'not ok 1 vfio: hangs.*no test has begun or ended'
verdict "and prints where in the kernel it waits" grep -q 'is here:' "$said"
echo "1..$number"
exit $failed
