#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs the commands of Documentation/admin-guide/vfio-quick-start.rst as they stand
# there, on the demo's bed: from a PF without VFs to a VM that has moved.  The
# build is not part of it (the stages "build" and "install" of check.sh test it).
# This script has the order of the steps and the verdicts; host.sh does the steps
# on a host.

set -u

usage()
{
	cat <<-END
	usage: quick-start.sh [--modules DIR] [--out DIR]

	Prints TAP.  Exit status 0, 1 if a test failed, or 75 if the emulator died.
	  --modules DIR   modules to use (default: builds them, make modules)
	  --out DIR       logs (default build/quick-start)
	END
}

here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../../../..")
page=$top/Documentation/admin-guide/vfio-quick-start.rst
# For bed.sh
check=1
modules=
kernel=
driver=
memory=128
vfs=1
pfs=1
hold=
record=
fault=
guest=
out=$top/build/quick-start

while [ $# -gt 0 ]; do
	case $1 in
	--help) usage; exit 0 ;;
	--modules | --out)
		[ $# -gt 1 ] || { usage >&2; exit 2; }
		;;
	*) usage >&2; exit 2 ;;
	esac
	case $1 in
	--modules) modules=$2 ;;
	--out) out=$2 ;;
	esac
	shift 2
done

# shellcheck source=tools/testing/vm/demo/bed.sh
. "$here/../demo/bed.sh"
# shellcheck source=tools/testing/vm/demo/verdict.sh
. "$here/../demo/verdict.sh"
# shellcheck source=tools/testing/vm/demo/wait.sh
. "$here/../demo/wait.sh"
host=/run/vm/tools/quick-start/host.sh
failed=0

# verdict TEXT COMMAND...: one test, which passes if COMMAND succeeds; if not, the
# script ends: each step needs those before it.
verdict()
{
	passes "$@" && return
	cat "$out"/[AB]/sshd.log 2>/dev/null | sed 's/^/# sshd: /'
	step=$1
	fail
}

build_tool()
{
	local name

	"$vm/inroot.sh" --bind "$top" --bind "$out" \
		--chdir "$top/tools/vfio-mig" -- make -s OUT="$out" \
		>"$out/make-vfio-mig.log" 2>&1 || {
		cat "$out/make-vfio-mig.log" >&2
		return 1
	}
	for name in A B; do
		cp "$out/vfio-mig" "$out/$name/" || return
	done
}

# Gives each host the other's keys.
introduce()
{
	cp "$out/A/user.pub" "$out/B/authorized_keys" &&
		cp "$out/B/user.pub" "$out/A/authorized_keys" &&
		cp "$out/B/host.pub" "$out/A/known_hosts" &&
		cp "$out/A/host.pub" "$out/B/known_hosts"
}

prepare()
{
	local first second=0

	on A $host prepare 10.2.0.1 &
	first=$!
	on B $host prepare 10.2.0.2 || second=1
	wait $first || second=1
	[ $second = 0 ] && introduce
}

# commands NAME BLOCK: has host NAME run these commands of the page.
commands()
{
	"$vm/libvirt/page" "$page" block "$2" >"$out/$1/$2" &&
		on "$1" $host commands "/out/$2"
}

bound()
{
	commands "$1" bind && is "$(on "$1" $host driver)" igbvf-vfio-pci
}

# says PATTERN NAME BLOCK: the commands' output has the pattern.
says()
{
	commands "$2" "$3" >"$out/said" 2>&1 || { cat "$out/said"; return 1; }
	cat "$out/said"
	grep -qE "$1" "$out/said"
}

migrated()
{
	commands A migrate &&
		"$vm/libvirt/page" "$page" block progress >"$out/A/progress" &&
		on A $host migrated /out/progress
}

# The numbers of the pings that were answered, while QEMU ran on this host
pings()
{
	sed -n 's/.*bytes from .* seq=\([0-9]*\) .*/\1/p' "$out/$1/vm.out"
}

# running NAME: does the VM run on host NAME?  There is hope if the monitor was late to
# answer, and while QEMU waits for the VM: the destination starts it some moments after
# the source has the destination's answer.
running()
{
	local said

	said=$(on "$1" $host status) || {
		echo "QEMU on host $1 is gone"
		return $hopeless
	}
	case $said in
	running) return ;;
	'' | 'paused (inmigrate)') ;;
	*)
		echo "the VM is $said"
		return $hopeless
		;;
	esac
	echo "the VM is ${said:-silent}"
	return 1
}

# return_path NAME: is the capability on in QEMU on host NAME?
return_path()
{
	local said

	said=$(on "$1" $host return-path) || return $hopeless
	[ -n "$said" ] || return 1
	is "$said" on || return $hopeless
}

# answers NAME: does the VM, which runs on host NAME, answer a ping?
answers()
{
	running "$1" || return
	answers_ping
}

# has_pinged NAME: has the VM had an answer to a ping of its own on host NAME?  The file
# appears with the first one.
has_pinged()
{
	running "$1" || return
	[ -n "$(pings "$1")" ] && return
	echo "the VM has no answer to its pings"
	return 1
}

# The VM goes on with its pings where it left off.
goes_on()
{
	local last

	last=$(pings A | tail -n 1)
	wait_for B has_pinged B || return
	echo "the last ping on A is $last, the first on B $(pings B | head -n 1)"
	[ "$(pings B | head -n 1)" -gt "$last" ] &&
		grep -q "^mac $mac" "$out/A/vm.out" &&
		! grep -q ^mac "$out/B/vm.out"
}

bed_begin
bed_build
build_tool || fail
bed_boot
bed_setup
say "both hosts: prepare what the page's reader has"
prepare >"$out/prepare" 2>&1 || { cat "$out/prepare" >&2; fail; }
for name in A B; do
	say "host $name: make a VF"
	verdict "host $name: a VF is made" commands $name make-vf
	verdict "host $name: the VF is bound" bound $name
	verdict "host $name: vfio-mig says that it can be migrated" \
		says '^migratable: +yes$' $name info
done
say "host A: ask host B"
verdict "host B would take the state" says '^0000:01:10.0: loads$' A ask
say "host A: start the VM"
verdict "host A: QEMU starts" commands A start
verdict "the VM answers a ping" wait_for A answers A
verdict "the VM has answers to its pings" wait_for A has_pinged A
verdict "host B: QEMU waits for the VM" commands B await
verdict "host B: the migration has a return path" wait_for B return_path B
say "host A: migrate the VM"
verdict "the migration ends" migrated
verdict "host A: the migration had a return path" wait_for A return_path A
verdict "the VM runs on host B" wait_for B running B
verdict "the VM answers a ping on host B" wait_for B answers B
verdict "the VM goes on where it left off, with its MAC address" goes_on
for name in A B; do
	verdict "host $name: QEMU ends" on $name $host quit
done
on A --stop
on B --stop
wait "${pids[@]}"
for name in A B; do
	status=$(cat "$out/$name/ended")
	if [ "$status" = 75 ]; then
		cannot_judge "the emulator of host $name died"
	fi
	if [ "$status" = 0 ]; then
		echo "ok - host $name: the kernel has no complaint"
	else
		sed "s/^/# $name: /" "$out/$name.err"
		echo "not ok - host $name: the kernel has no complaint"
		failed=1
	fi
done
exit $failed
