# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# CPR: the VM goes to a new QEMU on the same host.

# shellcheck disable=SC2154,SC2034,SC2086 # see steps.sh

# save MODE: writes the VM to the file in this mode.
save()
{
	host capabilities "$n" || return
	if set_parameter "$n" mode "$1" && qmp "$n" --migrate "file:$saved" "$limit"
	then
		outcome=works
		return
	fi
	refused && set_parameter "$n" mode normal
}

# The VM runs.
way_cpr_reboot_running()
{
	save cpr-reboot || return
	[ "$outcome" = works ] || return 0
	host end "$n" && load_in cpr-reboot && qmp "$new" --wait-running || return
	n=$new
}

# load_in MODE: loads the VM from the file in this mode.
load_in()
{
	await "$(host_of "$n")" device && host capabilities "$new" &&
		set_parameter "$new" mode "$1" &&
		qmp "$new" migrate-incoming "{ \"uri\": \"file:$saved\" }"
}

# The guest has suspended itself.  A Linux 6.12 that was suspended in QEMU and then
# migrated could not switch itself off any more.
way_cpr_reboot()
{
	renew=1
	peer suspend && qmp "$n" --wait-vm suspended && save cpr-reboot || return
	if [ "$outcome" = works ]; then
		host end "$n" && load_in cpr-reboot &&
			qmp "$new" --wait-vm suspended || return
		n=$new
		set_parameter "$n" mode normal || return
	fi
	qmp "$n" system_wakeup && qmp "$n" --wait-running
}

# These modes keep the memory where it is, so it has to be shared.
# to_shared: moves the VM to a QEMU with such memory.
to_shared()
{
	await "$(other)" device --share && carry return-path
}

way_cpr_transfer()
{
	local cpr=/run/demo/cpr channels

	to_shared && [ "$outcome" = works ] || return
	outcome=
	new_on "$(host_of "$n")"
	channels='[ { "channel-type": "main", "addr": { "transport": "socket",
		"type": "inet", "host": "127.0.0.1", "port": "4444" } },
		{ "channel-type": "cpr", "addr": { "transport": "socket",
		"type": "unix", "path": "'$cpr'" } } ]'
	host start "$new" device --cpr $cpr --share &&
		host capabilities "$n" || return
	if set_parameter "$n" mode cpr-transfer &&
		qmp "$n" --migrate "$channels" "$limit"; then
		arrived
	else
		refused && give_up && set_parameter "$n" mode normal
	fi
}

# QEMU replaces itself by the program of the parameter cpr-exec-command.
way_cpr_exec()
{
	to_shared && [ "$outcome" = works ] || return
	outcome=
	host capabilities "$n" || return
	if ask cpr-exec "$n" $saved; then
		outcome=works
	else
		refused
	fi
}
