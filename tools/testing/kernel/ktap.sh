#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Turns KUnit's nested results into the flat lines that stages.sh counts: one
# for each test, or for each parameter of a test with parameters.

set -eu

usage()
{
	cat <<-END
	usage: ktap.sh SUITE... <LOG

	Reads KTAP from /sys/kernel/debug/kunit/*/results or from a kernel log
	with time stamps.  Prints "ok - SUITE: TEST: PARAMETER" and "not ok - ..."
	lines, with the messages of a failed test after its line.  A SUITE that
	is named and has no result is a failure.
	END
}

case ${1-} in
--help) usage; exit 0 ;;
-*) usage >&2; exit 2 ;;
esac

exec awk -v expected="$*" '
	{
		sub(/\r$/, "")
		sub(/^(<[0-9]+>)?\[ *[0-9.]+\] ?/, "")
		match($0, /^ */)
		depth = RLENGTH / 4
		line = substr($0, RLENGTH + 1)
	}

	line ~ /^# Subtest: / {
		name[depth] = substr(line, 12)
		children[depth] = 0
		next
	}

	# The message of a failed expectation, on several lines
	line ~ /^# .*: (EXPECTATION|ASSERTION) FAILED/ { said = line; next }
	said != "" && line ~ /^(Expected|[a-z]).*[^:]$/ && said !~ / \| .* \| / {
		said = said " | " line
	}

	line ~ /^(not )?ok [0-9]+ / {
		result = line ~ /^not/ ? "not ok" : "ok"
		sub(/^(not )?ok [0-9]+ (- )?/, "", line)
		if (depth == 0) {
			split(line, word, " ")
			if (word[1] in wanted || expected == "") {
				seen[word[1]] = 1
				# A suite may fail although its tests passed.
				if (result == "not ok" && !failed)
					print "not ok - " line
				failed = 0
			}
			next
		}
		suite = name[1]
		if (expected != "" && !(suite in wanted))
			next
		if (depth == 1) {
			# For a test with parameters, this is their sum.
			if (children[2] == 0)
				print result " - " suite ": " line
			else if (result == "not ok" && !bad)
				print "not ok - " suite ": " line
			if (result == "not ok")
				failed = 1
			children[2] = bad = 0
		} else {
			children[2]++
			if (result == "not ok")
				bad = 1
			print result " - " suite ": " name[2] ": " line
		}
		if (result == "not ok" && said != "")
			print said
		said = ""
	}

	BEGIN {
		n = split(expected, list, " ")
		for (i = 1; i <= n; i++)
			wanted[list[i]] = 1
	}

	END {
		for (i = 1; i <= n; i++)
			if (!(list[i] in seen))
				print "not ok - " list[i] ": no result"
	}
'
