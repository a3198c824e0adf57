# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The property enable-migration of the VF, which cannot be set while the VM runs: the
# VM before ends, and a new one starts.

# shellcheck disable=SC2154,SC2034 # see steps.sh

# with_props PROPERTIES
with_props()
{
	end_vm
	new_vm "$1" && await B device || return
	carry return-path
}

way_enable_migration_off()
{
	with_props enable-migration=off
}

# The driver does not log, as on a VFIO without DMA logging.
way_enable_migration_auto()
{
	with_props enable-migration=auto,x-device-dirty-page-tracking=off
}
