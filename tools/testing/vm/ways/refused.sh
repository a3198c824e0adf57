# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Ways that QEMU does not have for VFIO devices.

# shellcheck disable=SC2154,SC2034 # see steps.sh

# with N CAPABILITY COMMAND...: runs COMMAND with that capability, if QEMU lets it be
# switched on.
with()
{
	local n=$1 capability=$2 status=0
	shift 2

	if ! set_capability "$n" "$capability" true; then
		refused
		return
	fi
	"$@" || status=$?
	set_capability "$n" "$capability" false || return
	return $status
}

# attempt URI
attempt()
{
	if qmp "$n" --migrate "$1" "$limit"; then
		outcome=works
	else
		refused
	fi
}

way_postcopy()
{
	await "$(other)" device && host capabilities "$new" return-path &&
		set_capability "$new" postcopy-ram true &&
		qmp "$new" migrate-incoming '{ "uri": "tcp:0:4444" }' &&
		host capabilities "$n" return-path &&
		with "$n" postcopy-ram attempt "$(uri)" && give_up
}

way_background_snapshot()
{
	host capabilities "$n" && with "$n" background-snapshot \
		attempt "file:$saved"
}
