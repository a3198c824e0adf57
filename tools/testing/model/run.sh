#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Verifies the models of DMA logging with spin.  In the models as they are, spin
# must find no fault in any interleaving.  Then one rule at a time is taken out
# or broken, and spin must find the fault that is expected.  Prints TAP.

set -u

usage()
{
	cat <<-END
	usage: run.sh [CASE]...

	Verifies all cases, or those named: whole, whole-*, or a macro of the
	models.  Uses this machine's spin and gcc, or else those of the Debian
	root, which needs root.  build/model/CASE has spin's output, and if spin
	found a fault, the steps that lead to it in CASE/trace.
	END
}

# Prints one case a line: name; model; macros; what spin has to find;
# description.  The first cases are the models as they are.  What spin has to
# find:
#   nothing   no fault
#   all       no fault, and each step of worker, VMM and device is reached
#   tracked   a report lacks a page
#   asked     the device writes to memory that the guest has not posted
#   stuck     a doorbell is lost, or the guest waits forever
cases()
{
	local traffic="-DCHANGES=0 -DPAUSES=0"
	local changes="-DCHANGES=1 -DPAUSES=0"
	local pauses="-DCHANGES=0 -DPAUSES=1"
	local both="-DCHANGES=1 -DPAUSES=1"

	cat <<-END
	whole;dma_log;$both;all;traffic, START, REPORT, STOP, ring changed, reset, migration cancelled
	whole-ring;dma_log;$traffic -DN=3;nothing;a ring of three descriptors
	whole-twice;dma_log;$traffic -DSTARTS=2;nothing;logging is started twice
	whole-trap;dma_log;$changes -DNO_MMAP;nothing;page 2 is not mapped
	whole-transmit;tx_ring;;nothing;transmit rings
	FORWARD_FIRST;dma_log;$traffic;tracked;the tail goes to the device before the descriptors are read
	DESCRIPTORS_FIRST;dma_log;$traffic;tracked;descriptors are read before the tail
	NO_MIRROR;dma_log;$traffic;tracked;a report drops buffers that are still posted
	MIRROR_LATE;dma_log;$traffic;tracked;dirty set and mirror change in two steps
	NO_SCAN;dma_log;$traffic;tracked;START does not read the outstanding descriptors
	START_RETURNS_EARLY;dma_log;$traffic;tracked;START returns before they are read
	FILL_BEFORE_ZAP;dma_log;$traffic;stuck;START fills the page before the guest's mapping is gone
	READ_BEFORE_ZAP;dma_log;$traffic;stuck;STOP reads the page before the guest's mapping is gone
	STOP_WITHOUT_RECHECK;dma_log;$traffic;stuck;STOP does not change the generation
	NO_RECHECK;dma_log;$changes;asked;the generation is not compared after reading descriptors
	TAIL_BEFORE_CONFIG;dma_log;$changes;asked;the tail is read before the configuration
	TORN_SNAPSHOT;dma_log;$changes;asked;ENABLE is read once, after the ring's address
	OLD_TAIL;dma_log;$changes;asked;a ring is enabled with an old tail
	FORGOTTEN_EARLY;dma_log;$changes;tracked;a ring is dropped before the device is quiet
	RING_NOT_KEPT;dma_log;$changes;tracked;the memory of a ring that ended is not reported
	TRAP_IS_NO_SYNC;dma_log;$changes;asked;a trapped access does not take over the configuration
	NO_WRITE_BACK;dma_log;$changes;stuck;the guest is not shown the end of a disable that was under way at START
	NO_LOOK_AFTER_ZAP;dma_log;$traffic;stuck;the worker sleeps without a last look
	WOKEN_CLEARED_LATE;dma_log;$traffic;stuck;the worker clears a wake-up after its last look
	WRITE_WITHOUT_WAKE;dma_log;$traffic -DNO_MMAP;stuck;a write to page 2 that is trapped does not wake the worker
	RUN_WITHOUT_RECORD;dma_log;$pauses;tracked;a cancelled migration gives the ring back unrecorded
	RUN_WITHOUT_WAKE;dma_log;$pauses;stuck;a cancelled migration does not wake the worker
	RUN_WITH_OLD_CONFIG;dma_log;$both;asked;what the guest wrote while the VF was stopped is dropped
	ZAP_WITHOUT_FLUSH;dma_log;$traffic;stuck;stores are under way when the mapping is gone
	NO_WRITE_BARRIER;dma_log;$traffic;asked;the guest's tail overtakes its descriptors
	NO_STATUS_READ;dma_log;$changes;asked;the guest disables a ring and reads nothing of page 0
	OVERWRITE;dma_log;$traffic;tracked;the guest changes a posted descriptor
	DD_FIRST;dma_log;$traffic;asked;the device writes DD before data
	TX_ONLY_CURRENT;tx_ring;-DONLY_CURRENT;tracked;the transmit ring of the sample before is not reported
	TX_NO_SAMPLE;tx_ring;-DREPORT_WITHOUT_SAMPLE;tracked;REPORT does not look at the transmit rings
	TX_NO_STATUS_READ;tx_ring;-DNO_STATUS_READ;tracked;the guest replaces a transmit ring and reads nothing of page 0
	END
}

# what_was_found LOG: prints what spin found, as in cases(), or spin's own words
what_was_found()
{
	local fault

	fault=$(sed -n 's/^pan:[0-9]*: assertion violated //p' "$1")
	case $fault in
	'')
		if grep -q 'errors: 0$' "$1" &&
			! grep -Eq 'too small|out of memory|not completed' "$1"
		then
			echo nothing
		else
			echo "no result"
		fi
		;;
	*owed* | *before*) echo tracked ;;
	*posted*) echo asked ;;
	*guest_done* | *polls*) echo stuck ;;
	*) echo "$fault" ;;
	esac
}

# is_all_reached LOG: was each step of these processes reached?  Not asked of
# the guest, whose inlined trap() has steps that cannot be reached at some
# places.
is_all_reached()
{
	! sed -n '/^unreached in proctype \(worker\|device\|logger\|states\)/,/^	(/p' "$1" |
		grep 'state [0-9]*, ' | grep -v '"-end-"'
}

# build MODEL OPTIMISE MACROS: builds the verifier of a model, ./pan.
build()
{
	# shellcheck disable=SC2086 # words
	{
		spin -a $3 "$1.pml" &&
			gcc "$2" -w -DSAFETY -DNOCLAIM -DCOLLAPSE -o pan pan.c
	} >spin.log 2>&1
}

verify()
{
	local name=$1 model=$2 macros="-D${1//-/_} $3" expected=$4 text=$5
	local dir=$out/$name optimise=-O0 found states

	# For most cases, compiling takes longer than verifying.
	case "$expected $macros" in
	all* | nothing* | *CHANGES=1*PAUSES=1*) optimise=-O2 ;;
	esac
	rm -rf "$dir"
	mkdir -p "$dir"
	cd "$dir" || return
	cp "$here/$model.pml" .
	if build "$model" "$optimise" "$macros"; then
		./pan -E -m200000 -w22 >pan.log 2>&1
		found=$(what_was_found pan.log)
	else
		cat spin.log
		found="an error of spin or gcc"
	fi
	[ "$expected $found" != "all nothing" ] || ! is_all_reached pan.log ||
		found=all
	if [ -f "$model.pml.trail" ]; then
		# shellcheck disable=SC2086 # words
		spin -k "$model.pml.trail" -p -g $macros "$model.pml" >trace 2>&1
	fi
	rm -f pan pan.[bchmpt]
	if [ "$found" != "$expected" ]; then
		echo "not ok - model $name: $text: $found instead of $expected"
		return 1
	fi
	case $found in
	all | nothing)
		states=$(sed -nE 's/^ *([0-9.e+]+) states, stored.*/\1/p' pan.log)
		echo "ok - model $name: holds: $text ($states states)"
		;;
	tracked) echo "ok - model $name: fails if $text: report lacks a page" ;;
	asked) echo "ok - model $name: fails if $text: memory overwritten" ;;
	stuck) echo "ok - model $name: fails if $text: stuck" ;;
	esac
}

# verify_line CASE: for xargs, one line of cases()
verify_line()
{
	local name model macros expected text

	IFS=';' read -r name model macros expected text <<<"$1"
	verify "$name" "$model" "$macros" "$expected" "$text"
}

case ${1-} in
--help) usage; exit 0 ;;
--case)
	here=$2 out=$3
	verify_line "$4"
	exit
	;;
-*) usage >&2; exit 2 ;;
esac

here=$(dirname "$(realpath "$0")")
src=$(realpath "$here/../../..")
out=$src/build/model
mkdir -p "$out"
if ! command -v spin >/dev/null || ! command -v gcc >/dev/null; then
	[ "${VFIO_MODEL_IN_ROOT-}" != 1 ] || {
		echo "not ok - the Debian root has no spin"
		exit 1
	}
	exec "$here/../vm/inroot.sh" --bind "$src" --chdir "$src" -- \
		env VFIO_MODEL_IN_ROOT=1 bash "$here/run.sh" "$@"
fi

chosen=
for name; do
	line=$(cases | grep "^$name;") || { usage >&2; exit 2; }
	chosen+=$line$'\n'
done
[ $# != 0 ] || chosen=$(cases)
printf '%s' "$chosen" | grep . |
	xargs -d '\n' -n 1 -P "$(nproc)" "$here/run.sh" --case "$here" "$out" ||
	exit 1
