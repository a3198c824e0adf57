# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The VF is unplugged: during a migration, and before one.

# shellcheck disable=SC2154,SC2034 # see steps.sh
way_device_del()
{
	hang return-path switchover-ack && qmp "$n" --wait-for active || return
	if qmp "$n" device_del '{ "id": "vf0" }'; then
		outcome=works
	else
		refused || return
	fi
	qmp "$n" --cancel && give_up
}

# The VM moves without the VF, and gets one of the other host there.
way_unplug()
{
	local vf

	qmp "$n" --unplug vf0 && await "$(other)" none && carry return-path || return
	[ "$outcome" = works ] || return 0
	on "$(host_of "$n")" head -n 1 /run/demo/vfs >"$out/vf" || return
	vf=$(cat "$out/vf")
	qmp "$n" device_add "{ \"driver\": \"vfio-pci\", \"id\": \"vf0\",
		\"host\": \"$vf\", \"bus\": \"port0\" }"
}
