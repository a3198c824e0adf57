# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What check.sh, check-debug.sh and check-repeat.sh share.  A stage is a
# function of the caller that prints TAP (ok, not ok, # SKIP).  This file runs
# stages, counts their results and prints the totals.  A stage that exits with
# an error although no test failed, or that runs no test, counts as a failed
# test.  A stage that exits with status 75 could not judge, and counts as a
# skipped test.
#
# The caller sets $stages, the names of its stages, and has usage() and
# run_all(), which runs all stages.  It calls begin() first and run_chosen()
# last.  Stages leave NAME.log and NAME.result in $logs.
#
# $VFIO_CHECK_STOP, in seconds since 1970, limits the time: no stage begins
# after it, and stages that still run are ended.  Both count as skipped, by
# name.

# begin SCALE [ARGUMENT]...: checks the caller's arguments, and sets the
# variables that all stages use.  SCALE is the default of $VFIO_TEST_SCALE.
begin()
{
	local name=${0##*/}

	case ${2-} in
	--help) usage; exit 0 ;;
	-*) usage >&2; exit 2 ;;
	esac
	[ "$(id -u)" = 0 ] || { echo "$name: must be run as root" >&2; exit 1; }
	src=$PWD
	vm=$src/tools/testing/vm
	logs=$src/build/${name%.sh}
	summary=$logs/summary
	mkdir -p "$logs"
	VFIO_ROOT=$("$vm/root.sh") || exit 1
	export VFIO_ROOT
	export VFIO_TEST_SCALE=${VFIO_TEST_SCALE:-$1}
}

# ok/not_ok TEXT: one test's result.
ok()
{
	echo "ok - $*"
}

not_ok()
{
	echo "not ok - $*"
}

# verdict TEXT COMMAND...: one test, which passes if COMMAND succeeds.
verdict()
{
	local text=$1
	shift
	if "$@"; then ok "$text"; else not_ok "$text"; fi
}

# tally LOG: prints how many tests passed, failed and were skipped.  The
# selftests' runner prints "# Totals" of its own, which are taken as they are.
tally()
{
	awk '
		/^# Totals: pass:[0-9]+ fail:[0-9]+ skip:[0-9]+/ {
			gsub(/[a-z]+:/, "")
			p += $3; f += $4; s += $5
			totals = 1
		}
		/^not ok / { not_ok++ }
		/^ok / { if (/# SKIP/) skip++; else pass++ }
		END {
			if (totals) print p + 0, f + 0, s + 0
			else print pass + 0, not_ok + 0, skip + 0
		}' "$1"
}

# build_clean NAME ARGS...: builds into build/NAME; fails, and prints why, if
# there is a warning or an error.
build_clean()
{
	local name=$1 log=$logs/make-$1.log
	shift
	make -s modules BUILD="build/$name" "$@" >"$log" 2>&1 &&
		! grep -E 'warning|error|Error' "$log" || {
		tail -n 40 "$log"
		return 1
	}
}

passed=0
failed=0
skipped=0
# add P F S: adds tests that passed, failed and were skipped to the totals.
add()
{
	passed=$((passed + $1))
	failed=$((failed + $2))
	skipped=$((skipped + $3))
}

# totals: prints the totals; false if a test failed.
totals()
{
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ]
}

out_of_time()
{
	[ -n "${VFIO_CHECK_STOP-}" ] &&
		[ "$(date +%s)" -ge "$VFIO_CHECK_STOP" ]
}

# skip WHAT REASON: one test, which is skipped.
skip()
{
	echo "ok - $1 # SKIP $2"
}

# run_stage NAME [PREFIX]: runs stage_NAME ("-" is "_" in function names), and
# shows its output with PREFIX before each line.
run_stage()
{
	local stage=$1 prefix=${2-} log=$logs/$1.log status p f s

	rm -f "$logs/$stage.result"
	if out_of_time; then
		skip "stage $stage" "no time left for it" | tee "$log" |
			sed "s/^/$prefix/"
		echo "0 0 1" >"$logs/$stage.result"
		return
	fi
	echo "$prefix# stage $stage"
	"stage_${stage//-/_}" 2>&1 | tee "$log" | sed -u "s/^/$prefix/"
	status=${PIPESTATUS[0]}
	read -r p f s <<<"$(tally "$log")"
	if [ "$status" = 75 ] && [ "$f$s" = 00 ]; then
		skip "stage $stage" "not judged; its log says why" |
			tee -a "$log" | sed "s/^/$prefix/"
		s=1
	elif [ "$status" = 75 ]; then
		:
	elif [ "$f" = 0 ] && { [ "$status" != 0 ] || [ "$p" = 0 ]; }; then
		echo "not ok - stage $stage ended with status $status" \
			"after $p tests" | tee -a "$log" | sed "s/^/$prefix/"
		f=1
	fi
	echo "$prefix# stage $stage: $p passed, $f failed, $s skipped," \
		"$SECONDS s since the start"
	echo "$p $f $s" >"$logs/$stage.result"
}

lane_pids=()
stopped=
# Ends all lanes.  A stage without a result file was ended or not begun.
end_lanes()
{
	local pid
	stopped=1
	for pid in ${lane_pids[@]+"${lane_pids[@]}"}; do
		kill -TERM -- "-$pid" 2>/dev/null
	done
}

# shellcheck disable=SC2317 # the trap calls it
interrupted()
{
	trap '' INT TERM HUP USR1
	end_lanes
	wait
	exit 1
}

# run_lanes LANE...: each LANE is a list of stages, run one after the other; the
# lanes run at the same time.  A LANE that begins with "nice" has only the time
# that the others leave.
run_lanes()
{
	local lane stage pid mark=

	[ -z "$stopped" ] || return
	[ $# = 1 ] || mark=": "
	# Each lane is a process group, so that end_lanes() reaches all of it.
	set -m
	trap interrupted INT TERM HUP
	trap end_lanes USR1
	lane_pids=()
	for lane; do
		(
			trap - USR1
			if [ "${lane#nice }" != "$lane" ]; then
				renice -n 15 -p "$BASHPID" >/dev/null
				lane=${lane#nice }
			fi
			for stage in $lane; do
				run_stage "$stage" "${mark:+$stage$mark}"
			done
		) </dev/null &
		lane_pids+=($!)
	done
	for pid in "${lane_pids[@]}"; do
		# A signal ends the wait, not the lane.
		while kill -0 "$pid" 2>/dev/null; do
			wait "$pid" 2>/dev/null
		done
	done
	lane_pids=()
	trap - INT TERM HUP USR1
	set +m
}

# failures LOG: prints the failed tests of the programs that a stage ran, each
# with the last twelve lines that the test printed.
failures()
{
	awk '
		/^# ok / { n = 0 }
		/^# # / { line[n++] = $0 }
		/^# not ok / {
			for (i = n > 12 ? n - 12 : 0; i < n; i++)
				print line[i]
			print
			n = 0
		}' "$1"
}

# summary STAGE...: prints all failures again, then the totals as the last line.
summary()
{
	local stage p f s

	for stage; do
		if read -r p f s <"$logs/$stage.result"; then
			:
		elif [ -n "$stopped" ]; then
			read -r p f s <<<"$(tally "$logs/$stage.log")"
			s=$((s + 1))
			skip "stage $stage" "the time for all stages is over"
		else
			p=0 f=1 s=0
			echo "# failed: stage $stage did not end"
		fi 2>/dev/null
		add "$p" "$f" "$s"
		[ "$f" = 0 ] || failures "$logs/$stage.log"
		sed -nE "s/^not ok /# failed: $stage: &/p" "$logs/$stage.log"
	done
	totals >"$summary"
	cat "$summary"
	[ "$failed" = 0 ]
}

# run_chosen [STAGE]...: runs these stages one after the other, or all of them,
# and ends with the summary.
run_chosen()
{
	local stage chosen= timer=

	for stage; do
		case " ${stages//[[:space:]]/ } " in
		*" $stage "*) chosen+=" $stage" ;;
		*) usage >&2; exit 2 ;;
		esac
	done
	for stage in ${chosen:-$stages}; do
		rm -f "$logs/$stage.result"
		: >"$logs/$stage.log"
	done
	if [ -n "${VFIO_CHECK_STOP-}" ] && ! out_of_time; then
		# Without this script's output, which a reader waits for the end
		# of.
		(
			trap 'kill $!; exit' TERM
			sleep $((VFIO_CHECK_STOP - $(date +%s))) &
			wait $! && kill -USR1 $$
		) </dev/null >/dev/null 2>&1 &
		timer=$!
	fi
	if [ -z "$chosen" ]; then
		chosen=$stages
		run_all
	else
		run_lanes "$chosen"
	fi
	[ -z "$timer" ] || kill "$timer" 2>/dev/null
	# shellcheck disable=SC2086 # words
	summary $chosen
}
