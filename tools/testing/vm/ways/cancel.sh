# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A migration is cancelled, in each of its phases.  The VM has to go on where it is.

# shellcheck disable=SC2154,SC2034 # see steps.sh

# Cancels the migration; the outcome says what the VM does then.
cancel()
{
	qmp "$n" --cancel && qmp "$n" query-status || return
	outcome="cancelled, the VM is $(sed -nE \
		's/.*"status":"([a-z-]+)".*/\1/p' "$out/said")"
}

# QEMU waits for an answer from an address that nobody has.
way_cancel_setup()
{
	local address

	host nowhere "$n" || return
	address=$(tail -n 1 "$log")
	host capabilities "$n" return-path &&
		qmp "$n" --begin "tcp:$address:4444" "$limit" &&
		qmp "$n" --wait-for setup && cancel
}

# The destination has not acknowledged yet.
way_cancel_precopy()
{
	hang return-path switchover-ack && qmp "$n" --wait-for active &&
		cancel && give_up
}

way_cancel_pre_switchover()
{
	to_pre_switchover return-path && cancel && give_up
}

# The devices are saved, and the destination, which does not run, has not said that
# it has them.
way_cancel_device()
{
	to_pre_switchover return-path && host freeze "$new" && switch_over &&
		qmp "$n" --wait-for device && cancel && give_up
}
