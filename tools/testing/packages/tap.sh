# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# For the scripts that run on the operator's machine: verdicts, and what they ask
# of modules.  To be sourced.

# run COMMAND...: its output goes into a log, and if it fails, out.
run()
{
	"$@" >/tmp/output 2>&1 && return
	sed 's/^/# /' /tmp/output
	return 1
}

# verdict TEXT COMMAND...
verdict()
{
	local text=$1
	shift
	if "$@"; then echo "ok - $text"; else echo "not ok - $text"; fi
}

# said TEXT: did the last run() print it?
said()
{
	grep -qF -- "$1" /tmp/output && return
	sed 's/^/# /' /tmp/output
	return 1
}

# comes_from KERNEL DIR MODULE...: would modprobe load them from DIR?
comes_from()
{
	local kernel=$1 dir=$2 module file
	shift 2
	for module; do
		file=$(modinfo -k "$kernel" -F filename "$module" 2>&1)
		case $file in
		/lib/modules/$kernel/$dir/*) ;;
		*) echo "# $module: $file"; return 1 ;;
		esac
	done
}

# built_for KERNEL MODULE...: are those that modprobe would load made for KERNEL?
built_for()
{
	local kernel=$1 module magic
	shift
	for module; do
		magic=$(modinfo -k "$kernel" -F vermagic "$module" 2>&1)
		case $magic in
		"$kernel "*) ;;
		*) echo "# $module: $magic"; return 1 ;;
		esac
	done
}

# lacks KERNEL MODULE...: are there none of these?
lacks()
{
	local kernel=$1 module
	shift
	for module; do
		! modinfo -k "$kernel" "$module" >/dev/null 2>&1 || return 1
	done
}

apt()
{
	apt-get -qq -y -o Dpkg::Use-Pty=0 "$@"
}

# shellcheck disable=SC2034 # for the scripts
linux="vfio vfio_iommu_type1 vfio-pci-core vfio-pci"
# shellcheck disable=SC2034
ours="vfio-migration vfio-pci-migration igbvf-vfio-pci"
