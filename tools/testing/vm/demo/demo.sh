#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Two hosts, a VM on one of them that owns a VF of an 82576, a peer outside
# both: while traffic runs between peer and VM, the VM moves to the other
# host and back.  This script only says who does what when; the steps are in
# host.sh, peer.sh and guest.sh, the judgement in report.

set -u

usage()
{
	cat <<-END
	usage: demo.sh [--check] [OPTION]...

	Live migration of a VM with a VF between two hosts and back, under
	traffic.  Prints what happened and the verdict.  Exit status:
	  0    the VM saw nothing but the outages
	  1    something failed
	  75   this could not be judged: the emulator died, or too little was
	       recorded of what happened.  That is no failure of what is tested
	  --check          TAP output, no picture
	  --modules DIR    modules to use (default: builds them, make modules)
	  --kernel DIR     the hosts run this kernel, with the modules in it
	                   (debug-kernel.sh makes one)
	  --driver NAME    the VF's VFIO driver (default igbvf-vfio-pci), or none:
	                   an emulated card instead, what the bed alone costs
	  --moves N        how often the VM moves (default 2: there and back)
	  --kill           have QEMU killed in other migrations, with the device in
	                   PRE_COPY and in STOP_COPY: at the destination before the
	                   first move, of which there has to be one, and at the
	                   source when all is over
	  --fault lose     have the VF lose frames after the last move: the demo has
	                   to fail, or it would miss a fault
	  --out DIR        logs (default build/demo, or build/demo-check)
	  --svg FILE       the picture (default build/demo.svg)
	  --keep-going     report even if a step failed (for development)
	END
}

here=$(dirname "$(realpath "$0")")
vm=$(dirname "$here")
top=$(realpath "$vm/../../..")
check=
modules=
kernel=
driver=igbvf-vfio-pci
moves=2
out=
svg=$top/build/demo.svg
kill=
keep_going=
fault=

while [ $# -gt 0 ]; do
	case $1 in
	--help) usage; exit 0 ;;
	--check) check=1 svg=; shift; continue ;;
	--keep-going) keep_going=1; shift; continue ;;
	--kill) kill=1; shift; continue ;;
	--modules | --kernel | --driver | --moves | --fault | --out | --svg)
		[ $# -gt 1 ] || { usage >&2; exit 2; }
		;;
	*) usage >&2; exit 2 ;;
	esac
	case $1 in
	--modules) modules=$2 ;;
	--kernel) kernel=$(realpath -e "$2") || exit 2 ;;
	--driver) driver=$2 ;;
	--moves) moves=$2 ;;
	--fault)
		[ "$2" = lose ] || { usage >&2; exit 2; }
		fault=$2
		;;
	--out) out=$2 ;;
	--svg) svg=$2 ;;
	esac
	shift 2
done
if [ -n "$kill" ] && [ "$moves" = 0 ]; then
	usage >&2
	exit 2
fi
: "${out:=$top/build/demo${check:+-check}}"

# All of the VM's memory counts as dirty at every pass, so the last pass is a
# whole one: the limit has to allow for it (milliseconds).
downtime_limit=60000
# Seconds of undisturbed traffic before, between and after the moves.
settle=4
# A watchdog: far more seconds than any step takes in which the VM can run.
limit=1200
mac=52:54:00:82:57:60

step=starting
say()
{
	step=$*
	if [ -n "$check" ]; then
		echo "# $SECONDS s: $*"
	else
		printf '%s[%3d s] %s\n' "${dirty_line:+
}" "$SECONDS" "$*"
		dirty_line=
	fi
}

fail()
{
	trap '' INT TERM HUP
	echo "demo: failed while: $step" >&2
	for name in A B peer; do
		[ ! -s "$out/$name.err" ] || sed "s/^/demo: $name: /" \
			"$out/$name.err" >&2
	done
	echo "demo: logs are in $out" >&2
	end_all
	if grep -qsx 75 "$out"/*/ended || [ -n "${not_judged-}" ]; then
		cannot_judge "${not_judged:-the emulator died}"
	fi
	[ -z "$check" ] || printf 'not ok - %s\n' "$step"
	exit 1
}

cannot_judge()
{
	if [ -n "$check" ]; then
		printf 'ok - the demo # SKIP not judged: %s, while: %s\n' "$1" "$step"
	else
		printf '\nNOT JUDGED: %s, while: %s.\n' "$1" "$step"
	fi
	exit 75
}

[ "$(id -u)" = 0 ] || { echo "demo.sh: must be run as root" >&2; exit 1; }
VFIO_ROOT=$("$vm/root.sh") || exit 1
export VFIO_ROOT
# Made now, by one, not by three VMs at once.
"$vm/initramfs.sh" host >/dev/null || exit 1
"$vm/initramfs.sh" nested >/dev/null || exit 1
[ -z "$kernel" ] || "$vm/initramfs.sh" host "$kernel" >/dev/null || exit 1

rm -rf "$out"
mkdir -p "$out"/{A,B,peer}
out=$(realpath "$out")
sockets=$(mktemp -d "${TMPDIR:-/tmp}/demo.XXXXXX")
pids=()
peer=
# Ends all VMs, each of which leaves its last word, and the peer, which has none.
end_all()
{
	[ ${#pids[@]} = 0 ] || kill -TERM "${pids[@]}" 2>/dev/null
	[ -z "$peer" ] || kill -KILL "$peer" 2>/dev/null
	wait "${pids[@]}" $peer 2>/dev/null
	pids=()
	peer=
}

# shellcheck disable=SC2317 # the trap calls it
cleanup()
{
	local status=$?
	trap '' INT TERM HUP
	end_all
	wait
	rm -rf "$sockets"
	exit $status
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

say "building the modules and the guest's programs"
if [ -z "$modules$kernel" ]; then
	make -s -C "$top" modules >"$out/make.log" 2>&1 || {
		tail -n 20 "$out/make.log" >&2
		fail
	}
	modules=$top/build/modules
fi
if [ -n "$kernel" ]; then
	# kmemleak has each allocation, of which KVM does many, take longer yet.
	system=(--kernel "$kernel" --append panic_on_warn=1
		--append kmemleak=off --memory 1536)
else
	"$vm/layer.sh" "$out/layer" "$modules" || fail
	system=(--layer "$out/layer" --memory 1024)
fi
for program in stream counters frames; do
	"$vm/inroot.sh" --bind "$out" --bind "$here" -- \
		gcc -O2 -Wall -static -o "$out/$program" \
		"$here/$program.c" || fail
	cp "$out/$program" "$out/A/"
	cp "$out/$program" "$out/B/"
	cp "$out/$program" "$out/peer/"
done

# boot NAME OPTION...: a VM that does what on() says.  It dies with us.  Each
# frame between its 82576 and the network is recorded.
boot()
{
	local name=$1
	shift
	setpriv --pdeathsig TERM "$vm/vm.sh" --name "$name" \
		--timeout $limit --log "$out/$name/log" \
		--status "$out/$name/ended" --share "$out/$name:/out" \
		--serve "$out/$name" --bind "$sockets" "$@" \
		--qemu -object --qemu \
		"filter-dump,id=dump,netdev=net0,file=$out/$name/frames.pcap,maxlen=64" \
		-- serve >"$out/$name.out" 2>"$out/$name.err" &
	pids+=($!)
}

# A signal ends the wait, but would have to wait for a command.
on()
{
	local name=$1
	shift
	"$vm/on.sh" "$out/$name" "$@" &
	wait $!
}

tools=/run/vm/tools/demo
unix=addr.type=unix,addr.path=$sockets

say "booting host A and host B"
# With one CPU each they go well with a machine that has two.
host=(--cpus 1 "${system[@]}" ${fault:+--append iomem=relaxed})
boot A "${host[@]}" \
	--igb "stream,server=off,reconnect-ms=200,$unix/lan-A" \
	--nic virtio-net-pci "stream,server=on,$unix/hosts"
boot B "${host[@]}" \
	--igb "stream,server=off,reconnect-ms=200,$unix/lan-B" \
	--nic virtio-net-pci \
	"stream,server=off,reconnect-ms=200,$unix/hosts"
"$vm/channels.sh" make "$out/peer"
setpriv --pdeathsig TERM "$vm/inroot.sh" --net --bind "$out/peer" \
	--bind "$sockets" --bind "$vm" -- "$vm/guest/serve" \
	--pipes "$out/peer" >"$out/peer.out" 2>"$out/peer.err" &
peer=$!
peer()
{
	on peer "$here/peer.sh" "$@"
}
peer setup "$out/peer" "$sockets" || fail
for name in A B; do
	on $name true || fail
done

address_of()
{
	case $1 in
	A) echo 10.2.0.1 ;;
	B) echo 10.2.0.2 ;;
	esac
}

say "hosts: PF up, one VF, the administrator's MAC, $driver bound"
setup()
{
	on "$1" $tools/host.sh setup "$driver" $mac "$2" \
		"$(address_of "$1")" >"$out/$1.setup" 2>&1
}
setup A 10.1.0.11 &
first=$!
setup B 10.1.0.12
second=$?
wait $first || second=$?
if [ $second != 0 ]; then
	cat "$out"/[AB].setup >&2
	fail
fi
sed 's/^setup /# /' "$out"/[AB].setup

# await N NAME: QEMU N, on host NAME, waits for the VM.
await()
{
	on "$2" $tools/host.sh start "$1" --incoming >"$out/start-$1" 2>&1 || {
		cat "$out/start-$1" >&2
		return 1
	}
}

say "host A: starting the VM (Debian's kernel and igbvf), then the traffic"
waiting=
if [ "$moves" -gt 0 ]; then
	await 2 B &
	waiting=$!
fi
on A $tools/host.sh start 1 >"$out/start-1" 2>&1 || {
	cat "$out/start-1" >&2
	fail
}
peer start "$out/peer" || {
	cat "$out"/A/vm-1.out "$out"/A/log/vm-1.* >&2
	fail
}

# Both hosts' clocks against the peer's, into clocks-N.
clocks()
{
	{
		echo "A $(peer clock 10.1.0.11)"
		echo "B $(peer clock 10.1.0.12)"
	} >"$out/clocks-$1"
}

# Shows the migration's progress on one line.
progress()
{
	local word at status pass sent left
	while read -r word at _ status _ pass _ sent _ _ left _; do
		[ "$word $at" = "migrate at" ] || continue
		if [ -n "$check" ] || ! [ -t 1 ]; then
			continue
		fi
		printf '\r        %-10s pass %s, %6d KiB sent, %6d KiB left ' \
			"$status" "$pass" "$sent" "$left"
	done
	dirty_line=1
}

# killed_in STATE N FROM M TO WHO: QEMU N on host FROM migrates to QEMU M on
# host TO.  When its device is in STATE, WHO of the two, N or M, is killed.
# PRE_COPY lasts until the destination says that it is ready: that one sleeps.
killed_in()
{
	local state=$1 n=$2 from=$3 m=$4 to=$5 who=$6 where=$5 qmp_state

	[ "$who" = "$m" ] || where=$from
	say "host $from: migrating the VM to host $to; its QEMU on host $where" \
		"is killed when the device is in $state"
	qmp_state=${state,,}
	[ "$state" != PRE_COPY ] || on "$to" $tools/host.sh freeze "$m" || return
	on "$from" $tools/host.sh migrate "$n" "$(address_of "$to")" \
		$downtime_limit "${qmp_state/_/-}" \
		>"$out/killed-$who-$state" 2>&1 || {
		cat "$out/killed-$who-$state" >&2
		return 1
	}
	on "$where" $tools/host.sh kill "$who" || return
	if [ "$who" = "$n" ]; then
		[ "$state" != PRE_COPY ] || on "$to" $tools/host.sh thaw "$m"
		return
	fi
	# A busy machine may have it done before the kill.
	on "$from" $tools/host.sh wait-failed "$n" || {
		not_judged="the migration was over before QEMU could be killed"
		return 1
	}
}

# The destination's QEMU is killed: the VM goes on at the source.
kill_destination()
{
	local state

	for state in PRE_COPY STOP_COPY; do
		wait $waiting || return
		sleep $settle
		killed_in "$state" 1 A 2 B 2 || return
		on A $tools/host.sh wait-running 1 || return
		say "host A: the VM goes on; host B: waiting for it on the same VF"
		await 2 B &
		waiting=$!
	done
}

# The source's QEMU is killed, and with it the VM: another one can be started
# on either VF.
kill_source()
{
	local state n=$((moves + 2)) name

	n=$((n + 1 - n % 2))
	for state in PRE_COPY STOP_COPY; do
		on A $tools/host.sh start $n >"$out/start-$n" 2>&1 || return
		await $((n + 1)) B || return
		peer reach || return
		killed_in "$state" $n A $((n + 1)) B $n || return
		say "host B: QEMU ends, as the VM did not come"
		on B $tools/host.sh wait-end $((n + 1)) || return
		for name in A B; do
			n=$((n + 2))
			say "host $name: starting a VM on the same VF"
			on $name $tools/host.sh start $n >"$out/start-$n" \
				2>&1 || return
			peer reach || return
			on $name $tools/host.sh end $n || return
		done
		n=$((n + 2))
	done
}

# move N FROM TO: the Nth move.
move()
{
	local n=$1 from=$2 to=$3 next=$(($1 + 1))

	if [ -n "$waiting" ]; then
		wait $waiting || return
		waiting=
	else
		say "host $to: waiting for the VM to come back"
		await $next "$to" || return
	fi
	sleep $settle
	clocks "$n"
	say "host $from: migrating the VM to host $to"
	on "$from" $tools/host.sh migrate "$n" "$(address_of "$to")" \
		$downtime_limit 2>"$out/migrate-$n.err" |
		tee "$out/migrate-$n" | progress
	[ "${PIPESTATUS[0]}" = 0 ] || {
		tail -n 3 "$out/migrate-$n" "$out/migrate-$n.err" >&2
		return 1
	}
	on "$to" $tools/host.sh wait-running $next || return
	say "host $to: the VM runs here; host $from: its QEMU ends"
	on "$from" $tools/host.sh end "$n" || return
}

[ -z "$kill" ] || kill_destination || fail
from=A
to=B
for ((n = 1; n <= moves; n++)); do
	move "$n" $from $to || {
		[ -n "$keep_going" ] || {
			tail -n 20 "$out"/[AB]/log/vm-*.qemu >&2
			fail
		}
		break
	}
	swap=$from from=$to to=$swap
done
sleep $settle
if [ -n "$fault" ]; then
	say "host $from: the VF loses frames, on purpose"
	on $from $tools/host.sh lose || fail
	sleep $settle
fi

say "the transfer ends; the VM on host $from says what it saw"
peer stop "$out/peer" >"$out/stop" || fail
on $from $tools/host.sh wait "$n" || {
	cat "$out"/$from/vm-"$n".out >&2
	[ -n "$keep_going" ] || fail
}
[ -z "$kill" ] || kill_source || fail
on A $tools/host.sh seen
on B $tools/host.sh seen
on A --stop
on B --stop
wait "${pids[@]}"
kernel=0
for name in A B; do
	status=$(cat "$out/$name/ended")
	if [ "$status" = 75 ]; then
		cannot_judge "the emulator of host $name died"
	fi
	[ "$status" = 0 ] || kernel=1
	sed "s/^/$name: /" "$out/$name.err" >&2
done

"$here/report" --dir "$out" --moves "$moves" --hosts-ok $((1 - kernel)) \
	${check:+--tap} ${svg:+--svg "$svg"}
