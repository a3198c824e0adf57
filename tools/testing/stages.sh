# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What check.sh and check-debug.sh share: runs stages, functions of the caller
# that print TAP (ok, not ok, # SKIP), counts their results and has the last
# word.  A stage that ends badly without a failed test, or runs no test at all,
# is a failure of its own; one that says by status 75 that it could not judge is
# none, and counts as skipped.  What a stage does, this file does not know.
#
# The caller sets $logs, where stages leave NAME.log and NAME.result, $stages,
# all their names, and has usage() and run_all(), which runs all of them.
#
# For who has no more than a given time, two limits, in seconds since 1970: after
# $VFIO_CHECK_UNTIL no stage begins, and at $VFIO_CHECK_STOP those that run are
# ended.  Both are skipped, and say so.

# ok/not_ok TEXT: one test's result.
ok()
{
	echo "ok - $*"
}

not_ok()
{
	echo "not ok - $*"
}

# verdict TEXT COMMAND...: one test, which is the exit status of COMMAND.
verdict()
{
	local text=$1
	shift
	if "$@"; then ok "$text"; else not_ok "$text"; fi
}

# tally LOG: prints how many tests passed, failed and were skipped.  A stage
# that runs whole programs adds up their tests itself.
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

# out_of_time: is it later than $VFIO_CHECK_UNTIL, in seconds since 1970?
out_of_time()
{
	[ -n "${VFIO_CHECK_UNTIL-}" ] &&
		[ "$(date +%s)" -ge "$VFIO_CHECK_UNTIL" ]
}

# not_judged STAGE: the reason why STAGE is skipped, if no test of it has said it.
not_judged()
{
	echo "ok - stage $1 # SKIP $2"
}

# run_stage NAME [PREFIX]: runs stage_NAME ("-" is "_" in function names), its
# output on the console with PREFIX before each line.
run_stage()
{
	local stage=$1 prefix=${2-} log=$logs/$1.log status p f s

	rm -f "$logs/$stage.result"
	if out_of_time; then
		not_judged "$stage" "no time left for it" | tee "$log" |
			sed "s/^/$prefix/"
		echo "0 0 1" >"$logs/$stage.result"
		return
	fi
	echo "$prefix# stage $stage"
	"stage_${stage//-/_}" 2>&1 | tee "$log" | sed -u "s/^/$prefix/"
	status=${PIPESTATUS[0]}
	read -r p f s <<<"$(tally "$log")"
	if [ "$status" = 75 ] && [ "$f$s" = 00 ]; then
		not_judged "$stage" "not judged: the emulator died" |
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
# Ends all lanes.  What they began is told from what they left by its result.
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

# run_lanes LANE...: each LANE is a list of stages, done one after the other;
# the lanes go side by side.
run_lanes()
{
	local lane stage pid mark=

	[ -z "$stopped" ] || return
	[ $# = 1 ] || mark=": "
	# Groups of their own, to be stopped as a whole
	set -m
	trap interrupted INT TERM HUP
	trap end_lanes USR1
	lane_pids=()
	for lane; do
		(
			trap - USR1
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

# why LOG: the failed tests of a program that a stage ran, each with the last
# of what it said before.
why()
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

# summary STAGE...: the failures once more, where the eye falls on them, and
# the totals in the last line.
summary()
{
	local stage p f s passed=0 failed=0 skipped=0

	for stage; do
		if read -r p f s <"$logs/$stage.result"; then
			:
		elif [ -n "$stopped" ]; then
			read -r p f s <<<"$(tally "$logs/$stage.log")"
			s=$((s + 1))
			not_judged "$stage" "the time for all stages is over"
		else
			p=0 f=1 s=0
			echo "# failed: stage $stage did not end"
		fi 2>/dev/null
		passed=$((passed + p))
		failed=$((failed + f))
		skipped=$((skipped + s))
		[ "$f" = 0 ] || why "$logs/$stage.log"
		sed -nE "s/^not ok /# failed: $stage: &/p" "$logs/$stage.log"
	done
	echo "$passed passed, $failed failed, $skipped skipped" |
		tee "$logs/summary"
	[ "$failed" = 0 ]
}

# run_chosen [STAGE]...: runs these one after the other, or all, and has the
# last word.
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
	if [ -n "${VFIO_CHECK_STOP-}" ]; then
		# Nothing of it may hold this script's output open.
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
