# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Ways by which the VM moves to the other host.

# shellcheck disable=SC2154,SC2034,SC2086 # see steps.sh
way_precopy()
{
	move return-path
}

way_switchover_ack()
{
	move return-path switchover-ack
}

# Somebody has to say migrate-continue when the VM has stopped.
way_pause_before_switchover()
{
	to_pre_switchover return-path switchover-ack && switch_over &&
		qmp "$n" --wait-for completed && arrived
}

# states FILE: the states of the VF in the events that QEMU sent
states()
{
	sed -nE 's/.* VFIO_MIGRATION .*"device-state":"([a-z0-9-]+)".*/\1/p' "$1" |
		paste -sd, | sed 's/,/, /g'
}

# The last event of the source, stop, may come when nobody listens any more.  The
# listener at the destination ends when its QEMU does.
way_events()
{
	local at_source at_destination listener

	await "$(other)" device && listen return-path switchover-ack &&
		host capabilities "$n" return-path switchover-ack || return
	on "$(other)" $tools/host.sh qmp "$new" --wait-running \
		>"$out/heard" 2>&1 &
	listener=$!
	if ! qmp "$n" --migrate "$(uri)" "$limit"; then
		give_up
		wait $listener
		return 1
	fi
	at_source=$(states "$out/said")
	wait $listener || return
	cat "$out/heard" >>"$log"
	at_destination=$(states "$out/heard")
	arrived || return
	outcome="source ${at_source%, stop}; destination $at_destination"
}

# The property of the VF may be set while the VM runs.
way_multifd()
{
	local blocks

	await "$(other)" device --props x-migration-multifd-transfer=on &&
		set_property "$n" x-migration-multifd-transfer on &&
		carry return-path multifd || return
	[ "$outcome" = works ] || return 0
	host traced "$n" vfio_load_state_device_buffer_incoming || return
	blocks=$(tail -n 1 "$log")
	[ "$blocks" -gt 0 ] || outcome="works, but the VF's state is not in it"
	set_property "$n" x-migration-multifd-transfer auto
}

# The property is on, the capability is off.
way_multifd_missing()
{
	set_property "$n" x-migration-multifd-transfer on &&
		move return-path &&
		set_property "$n" x-migration-multifd-transfer auto
}

# There, and then back from a QEMU that does not use the driver's log.
way_enable_migration_on()
{
	local limit=60000

	await "$(other)" container && carry return-path || return
	[ "$outcome" != works ] || move return-path
}
