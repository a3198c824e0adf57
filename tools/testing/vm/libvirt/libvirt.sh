#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The test with libvirt: what Documentation/admin-guide/vfio-libvirt.rst promises
# happens on the demo's bed, with Debian's libvirt on both hosts.  This script has
# the order of the steps and the verdicts; host.sh does the steps on a host.  The
# commands and the words of failures are read from the page.  The demo's report
# judges what the VM saw.

set -u

usage()
{
	cat <<-END
	usage: libvirt.sh [OPTION]...

	Tests libvirt with a VF that migrates.  Prints TAP.  Exit status 0, 1 if a
	test failed, or 75 if the emulator died.
	  --modules DIR   modules to use (default: builds them, make modules)
	  --out DIR       logs (default build/libvirt)
	  --only PART     quick-start: only the page's commands and the migrations;
	                  refused: only what is refused; save: only save and
	                  restore (for development)
	END
}

here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../../../..")
page=$top/Documentation/admin-guide/vfio-libvirt.rst
# For bed.sh
check=1
modules=
kernel=
driver=
memory=128
vfs=1
pfs=1
hold=
record=1
fault=
guest=
out=$top/build/libvirt
only=

while [ $# -gt 0 ]; do
	case $1 in
	--help) usage; exit 0 ;;
	--modules | --out | --only)
		[ $# -gt 1 ] || { usage >&2; exit 2; }
		;;
	*) usage >&2; exit 2 ;;
	esac
	case $1 in
	--modules) modules=$2 ;;
	--out) out=$2 ;;
	--only)
		[[ $2 = @(quick-start|refused|save) ]] ||
			{ usage >&2; exit 2; }
		only=$2
		;;
	esac
	shift 2
done

# shellcheck source=tools/testing/vm/demo/bed.sh
. "$here/../demo/bed.sh"
# shellcheck source=tools/testing/vm/demo/verdict.sh
. "$here/../demo/verdict.sh"
# shellcheck source=tools/testing/vm/demo/wait.sh
. "$here/../demo/wait.sh"
host=/run/vm/tools/libvirt/host.sh
settle=4
failed=0

# verdict TEXT COMMAND...: one test, which passes if COMMAND succeeds.
verdict()
{
	passes "$@" && return
	failed=1
	echo "not ok - $1"
}

# gives NAME STEP TEXT: does this step of host.sh print TEXT on host NAME?
gives()
{
	is "$(on "$1" $host "$2")" "$3"
}

# becomes NAME STEP TEXT: the same, or some time later: libvirt gives a VF back some
# moments after QEMU has ended.
becomes()
{
	wait_for "$1" gives "$@"
}

# block NAME: puts this block of commands of the page where the hosts see it.
block()
{
	local name

	for name in A B; do
		"$here/page" "$page" block "$1" >"$out/$name/$1" || return
	done
}

# commands NAME BLOCK: has host NAME run these commands of the page.
commands()
{
	block "$2" && on "$1" $host commands "/out/$2"
}

# The driver whose stream has the format before the present one: the same driver,
# but for the number.
build_older()
{
	local stream=drivers/vfio/pci/igbvf/stream.h older=$out/older

	say "building an older igbvf-vfio-pci"
	make -s -C "$top" config BUILD="$older" >"$out/older.log" 2>&1 || return
	awk '$2 == "IGBVF_STREAM_VERSION" { $3-- } { print }' "$top/$stream" \
		>"$older/$stream"
	make -s -C "$top" modules BUILD="$older" >>"$out/older.log" 2>&1 || {
		tail -n 20 "$out/older.log" >&2
		return 1
	}
	cp "$older/drivers/vfio/pci/igbvf/igbvf-vfio-pci.ko" "$out/B/older.ko"
	rm -rf "$older"
}

prepare()
{
	local first second=0

	say "both hosts: start libvirt"
	on A $host prepare 10.2.0.1 >"$out/A.step" 2>&1 &
	first=$!
	on B $host prepare 10.2.0.2 >"$out/B.step" 2>&1 || second=1
	wait $first || second=1
	[ $second = 0 ] || {
		cat "$out"/[AB].step "$out"/[AB]/libvirtd.log >&2
		return 1
	}
}

# What the page has the administrator do
quick_start()
{
	local name

	say "both hosts: make a VF, as the page says"
	for name in A B; do
		verdict "host $name: the page's commands make a VF" \
			commands $name make-vf
		verdict "host $name: igbvf has it" \
			is "$(on $name $host driver)" igbvf
		verdict "host $name: no VFIO driver is loaded" \
			on $name test ! -e /sys/module/vfio
	done
	say "host A: give it to the VM, and start the VM, as the page says"
	on A $host define >"$out/define" 2>&1 || { cat "$out/define" >&2; fail; }
	verdict "host A: the page's commands give the VM the VF" \
		commands A give-vf
	verdict "libvirt found igbvf-vfio-pci for it" \
		is "$(on A $host driver)" igbvf-vfio-pci
	on A $tools/watch start || fail
	arrived 1 A
}

# arrived N NAME: the VM is on host NAME, in QEMU number N.
arrived()
{
	on "$2" $host arrived "$1" "/out/jobinfo-$1" || fail
}

begin_traffic()
{
	say "starting the traffic"
	wait_for A answers A || fail
	peer start "$1" 1 || {
		cat "$out"/A/log/*.console "$out"/A/log/*.qemu >&2
		fail
	}
}

# answers NAME: does the VM, which runs on host NAME, answer a ping?
answers()
{
	gives "$1" state running || return $hopeless
	answers_ping
}

# answers_with_its_mac NAME: the VM on host NAME answers, with the MAC address that it
# had.
answers_with_its_mac()
{
	local got

	on peer ip neigh flush dev tap0 && wait_for "$1" answers "$1" || return
	got=$(on peer ip neigh show 10.1.0.2) || return
	[[ $got = *"lladdr $mac"* ]] && return
	echo "$got"
	return 1
}

# clocks N: as in demo.sh
clocks()
{
	{
		echo "A $(peer clock 10.1.0.11)"
		echo "B $(peer clock 10.1.0.12)"
	} >"$out/clocks-$1"
}

# move N FROM TO BLOCK: the Nth migration, by these commands of the page.
move()
{
	local n=$1 from=$2 to=$3 next=$(($1 + 1))

	sleep $settle
	clocks "$n"
	say "host $from: migrating the VM to host $to, as in \"$4\" of the page"
	block "$4" || fail
	verdict "move $n: the page's command migrates the VM" \
		migrates "$n" "$from" "/out/$4"
	is "$(on "$to" $host state)" running || fail
	[ "$n" != 1 ] || on B $tools/watch start || fail
	arrived $next "$to"
	on "$from" $host left "$n" || fail
	"$here/result" "$out/$to/jobinfo-$next" "$out/$from/trace-$n" \
		>>"$out/migrate-$n"
	verdict "move $n: libvirt found igbvf-vfio-pci on host $to" \
		is "$(on "$to" $host driver)" igbvf-vfio-pci
	verdict "move $n: igbvf has the VF on host $from again" \
		becomes "$from" driver igbvf
	verdict "move $n: the VM answers, with its MAC address" \
		answers_with_its_mac "$to"
}

# migrates N FROM FILE: false if the commands failed.  Their output is kept.
migrates()
{
	on "$2" $host migrate "$3" >"$out/migrate-$1" 2>&1 || {
		cat "$out/migrate-$1"
		return 1
	}
}

is_refused()
{
	! on A $host commands /out/migrate >"$out/virsh-$1" 2>&1
}

# stays: the VM runs at the source, and the destination has none.
stays()
{
	gives A state running && becomes B state none
}

# said NAME WHERE LOG: has the log what the page says?
said()
{
	"$here/page" "$page" said "$1-$2" "$3" && return
	cat "$3"
	return 1
}

# refused NAME TEXT: host B can't take the VM, for the reason NAME.
refused()
{
	local name=$1 text=$2 where log back

	back=(verdict "$text: igbvf has the destination's VF again"
		becomes B driver igbvf)
	say "host B can't take the VM: $text"
	on B $host mark || fail
	on B $host obstruct "$name" >"$out/obstruct-$name" 2>&1 ||
		{ cat "$out/obstruct-$name" >&2; fail; }
	verdict "$text: virsh migrate fails" is_refused "$name"
	verdict "$text: the VM goes on at the source" stays
	# Another user of the VF has it until the host is cleared.
	[[ $name = in-use* ]] || "${back[@]}"
	on B $host since "$name" || fail
	on B $host clear "$name" >"$out/clear-$name" 2>&1 ||
		{ cat "$out/clear-$name" >&2; fail; }
	[[ $name != in-use* ]] || "${back[@]}"
	verdict "$text: it answers" answers_with_its_mac A
	for where in virsh kernel qemu; do
		grep -qx ".. test: $name-$where" "$page" || continue
		log=$out/B/$where-$name
		[ $where != virsh ] || log=$out/virsh-$name
		verdict "$text: the page has what ${words[$where]} says" \
			said "$name" $where "$log"
	done
}

declare -A words=([virsh]=virsh [kernel]="the destination's kernel"
	[qemu]="the destination's QEMU")

refusals()
{
	block migrate || fail
	refused in-use-by-vm "another VM has the VF"
	refused in-use "another process has the VF"
	refused other-mac "the VF has another MAC address"
	refused pf-down "the PF is down"
	refused no-driver "igbvf-vfio-pci is not installed"
	refused older-driver "igbvf-vfio-pci is older"
}

# end_vm N NAME: ends the traffic; the VM, in QEMU number N, powers off.
end_vm()
{
	say "ending the traffic"
	peer stop "$3" 1 >"$out/stop" || fail
	on "$2" $host left "$1" || fail
	verdict "the VM has powered off" becomes "$2" state "$4"
	verdict "igbvf has the VF on host $2 again" becomes "$2" driver igbvf
}

migrations()
{
	[ "$only" = quick-start ] || refusals
	if [ "$only" != refused ]; then
		move 1 A B migrate
		move 2 B A migrate
		move 3 A B peer-to-peer
		move 4 B A peer-to-peer
		moves=4
	fi
	sleep $settle
	end_vm $((moves + 1)) A "$out/peer" "shut off"
}

# stream_end FILE: "SENT SUM RECEIVED SUM" of a TCP transfer
stream_end()
{
	sed -n 's/^.*stream end sent \(.*\) received \(.*\)/\1 \2/p' "$1"
}

# Each side got what the other sent.
intact()
{
	local peer vm

	read -ra peer <<<"$(stream_end "$out/peer/save/stream-0.out")"
	read -ra vm <<<"$(stream_end "$1")"
	if [ ${#peer[@]} != 4 ] || [ ${#vm[@]} != 4 ] ||
		[ "${peer[0]}" = 0 ] || [ "${vm[0]}" = 0 ]; then
		echo "no end of the transfer, or nothing was sent:" \
			"the peer: ${peer[*]}; the VM: ${vm[*]}"
		return 1
	fi
	is "${peer[*]:0:2}" "${vm[*]:2:2}" && is "${vm[*]:0:2}" "${peer[*]:2:2}"
}

save_and_restore()
{
	local n=$1

	say "host A: save and restore, as the page says"
	mkdir "$out/peer/save"
	cp "$out/peer/stream" "$out/peer/save/"
	on A $host virsh start vm1 >"$out/start" 2>&1 || { cat "$out/start" >&2; fail; }
	begin_traffic "$out/peer/save"
	sleep $settle
	verdict "the page's command saves the VM" commands A save
	verdict "the VM is gone" becomes A state "shut off"
	verdict "igbvf has the VF" becomes A driver igbvf
	verdict "the page's command restores the VM" commands A restore
	verdict "the VM runs" is "$(on A $host state)" running
	verdict "it answers, with its MAC address" answers_with_its_mac A
	arrived "$n" A
	sleep $settle
	end_vm "$n" A "$out/peer/save" "shut off"
	verdict "all bytes arrived on both sides, with the saved time in between" \
		intact "$out/A/vm-$n.out"
}

# judge: prints what the report says; the exit status of the whole test.
judge()
{
	local hosts=1 name status

	for name in A B; do
		status=$(cat "$out/$name/ended")
		[ "$status" != 75 ] ||
			cannot_judge "the emulator of host $name died"
		[ "$status" = 0 ] || hosts=0
		sed "s/^/$name: /" "$out/$name.err" >&2
	done
	if [ "$only" = save ]; then
		verdict "no kernel of a host complained" is $hosts 1
	else
		"$here/../demo/report" --tap --dir "$out" --moves "$moves" \
			--hosts-ok $hosts
		status=$?
		[ $failed = 1 ] || failed=$status
	fi
	return $failed
}

bed_begin
if [[ $only = @(|refused) ]]; then
	build_older || fail
fi
bed_build
bed_boot
bed_setup
prepare || fail
quick_start
moves=0
if [ "$only" != save ]; then
	begin_traffic "$out/peer"
	migrations
else
	on A $host virsh destroy vm1 >"$out/destroy" || fail
fi
if [[ $only = @(|save) ]]; then
	save_and_restore $((moves + 3))
fi
on A $tools/host.sh seen
on B $tools/host.sh seen
on A --stop
on B --stop
wait "${pids[@]}"
judge
