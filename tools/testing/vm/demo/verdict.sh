# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Single tests on the bed (bed.sh), for scripts that print TAP as they go.

# passes TEXT COMMAND...: prints that TEXT holds if COMMAND succeeds; if not, prints
# what COMMAND has printed, and is false: the caller reports the failure.
# shellcheck disable=SC2154 # bed.sh's caller sets $out
passes()
{
	local text=$1
	shift
	if "$@" >"$out/verdict" 2>&1; then
		echo "ok - $text"
		return
	fi
	sed 's/^/# /' "$out/verdict"
	return 1
}

# is GOT WANTED: says what is wrong if they differ.
is()
{
	[ "$1" = "$2" ] && return
	echo "is \"$1\", not \"$2\""
	return 1
}
