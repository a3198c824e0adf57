# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Ways by which the VM goes to a file, and from there to a new QEMU on the same host.

# shellcheck disable=SC2154,SC2034 # see steps.sh

# load [CAPABILITY]...: loads the VM from the file, in a new QEMU.
load()
{
	await "$(host_of "$n")" device && host capabilities "$new" "$@" &&
		qmp "$new" migrate-incoming "{ \"uri\": \"file:$saved\" }"
}

# by_file [CAPABILITY]...
by_file()
{
	host capabilities "$n" "$@" || return
	if ! qmp "$n" --migrate "file:$saved" "$limit"; then
		refused
		return
	fi
	host end "$n" && load "$@" && qmp "$new" --wait-running || return
	n=$new
	outcome=works
}

way_file()
{
	by_file
}

way_mapped_ram()
{
	by_file mapped-ram
}

way_mapped_ram_multifd()
{
	by_file mapped-ram multifd
}
