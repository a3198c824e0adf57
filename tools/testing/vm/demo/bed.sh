# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The bed of the demo: two hosts, a switch, and a peer on neither host.  This
# file builds and boots the bed, runs commands on it and ends it.  The caller
# (demo.sh, ../libvirt/libvirt.sh, ../quick-start/quick-start.sh, ../ways/ways.sh,
# ../../bench/migration/receive.sh) decides what to do on the bed, and sets:
#
#	out		directory for logs; each host sees its own part as /out
#	check		not empty: print TAP
#	modules, kernel	modules to use, or a kernel with the modules (made by
#			debug-kernel.sh); if both are empty, modules are built
#	driver		the driver of the VFs, or none: virtio-net cards.  If it is
#			empty, the caller makes the VFs
#	memory		the VM's memory in MiB, an even number
#	vfs, pfs	how many VFs the VM has, and of how many PFs
#	hold		not empty: the VM holds its memory under checksum, and
#			also receives this many bytes a second, or with 0 as many
#			as it can
#	guest		the VM's script, in /out of each host (default guest.sh)
#	record		not empty: frames are recorded at the 82576s and the peer
#	fault		lose: the hosts' registers can be written from user space;
#			hide-log: QEMU has hide_log.c preloaded
#	linux_b		not empty: host B runs Debian's Linux of that version (see
#			kernel-root.sh), with modules that are built for it
#	qemu, qemu_b	the QEMU of both hosts, and of host B if that is another
#			one (see qemu.sh; default: that of the Debian root)
#	ports		not empty: the VFs are behind root ports, so that they can
#			be unplugged

# shellcheck disable=SC2154 # the caller sets them, see above
bed=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
vm=$(dirname "$bed")
top=$(realpath "$vm/../../..")
tools=/run/vm/tools/demo
# The MAC address of the VM's first VF; the others have the following addresses.
mac=52:54:00:82:57:60
# vm.sh --timeout: far more seconds than any step takes while the VM can run
limit=1200

step=starting
dirty_line=
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
	bed_end
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

pids=()
peer=
# Ends the VMs by TERM, so that vm.sh writes their logs, and kills the peer.
bed_end()
{
	[ ${#pids[@]} = 0 ] || kill -TERM "${pids[@]}" 2>/dev/null
	[ -z "$peer" ] || kill -KILL "$peer" 2>/dev/null
	wait "${pids[@]}" $peer 2>/dev/null
	pids=()
	peer=
}

# shellcheck disable=SC2317 # the trap calls it
bed_cleanup()
{
	local status=$?
	trap '' INT TERM HUP
	bed_end
	wait
	rm -rf "$sockets"
	exit $status
}

# Prepares the Debian root and the directories for logs and sockets.
bed_begin()
{
	[ "$(id -u)" = 0 ] || { echo "demo: must be run as root" >&2; exit 1; }
	VFIO_ROOT=$("$vm/root.sh") || exit 1
	export VFIO_ROOT
	# Three VMs start at once and would make each image three times.
	"$vm/initramfs.sh" host >/dev/null || exit 1
	"$vm/initramfs.sh" nested >/dev/null || exit 1
	[ -z "$kernel" ] || "$vm/initramfs.sh" host "$kernel" >/dev/null ||
		exit 1
	rm -rf "$out"
	mkdir -p "$out"/{A,B,peer}
	out=$(realpath "$out")
	sockets=$(mktemp -d "${TMPDIR:-/tmp}/demo.XXXXXX")
	unix=addr.type=unix,addr.path=$sockets
	trap bed_cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
}

# The layers with other QEMUs than the root's, by host
declare -A qemus=()

# machines NAME: the machine types of the QEMU of host NAME
machines()
{
	"$vm/inroot.sh" ${qemus[$1]:+--layer "${qemus[$1]}"} -- \
		qemu-system-x86_64 -M help |
		sed -nE 's/^(pc-q35-[0-9.]+) .*/\1/p' | sort
}

# Sets $qemus, and $machine to a machine type that both hosts have.
choose_qemus()
{
	qemus=()
	machine=q35
	[ -z "${qemu-}" ] || qemus[A]=$("$vm/qemu.sh" "$qemu") || fail
	qemus[B]=${qemus[A]-}
	[ -n "${qemu_b-}" ] || return 0
	qemus[B]=$("$vm/qemu.sh" "$qemu_b") || fail
	machine=$(comm -12 <(machines A) <(machines B) | sort -V | tail -n 1)
	[ -n "$machine" ] || {
		echo "demo: the hosts' QEMUs have no machine type in common" >&2
		fail
	}
	say "the newest machine type that both QEMUs have is $machine"
}

# The Debian roots, and the layers with our modules, by host
declare -A roots=() layers=()

# Sets $roots and $layers.
choose_linux()
{
	roots=([A]=$VFIO_ROOT [B]=$VFIO_ROOT)
	layers=()
	[ -z "$kernel" ] || return 0
	"$vm/layer.sh" "$out/layer" "$modules" || fail
	layers=([A]=$out/layer [B]=$out/layer)
	[ -n "${linux_b-}" ] || return 0
	roots[B]=$("$vm/kernel-root.sh" "$linux_b") || {
		[ $? != 75 ] || cannot_judge "Debian has no Linux $linux_b (any more)"
		fail
	}
	layers[B]=$out/layer-b
	(
		export VFIO_ROOT=${roots[B]}
		"$vm/initramfs.sh" host && "$vm/initramfs.sh" nested &&
			make -s -C "$top" modules BUILD="build/$linux_b" &&
			"$vm/layer.sh" "$out/layer-b" "$top/build/$linux_b"
	) >"$out/linux-b.log" 2>&1 || {
		tail -n 20 "$out/linux-b.log" >&2
		fail
	}
}

# compile SOURCE [OPTION]...: compiles a program for the hosts, the VM and the
# peer.
compile()
{
	local source=$1 name machine
	shift

	name=$(basename "$source" .c)
	[ $# -gt 0 ] || set -- -static
	"$vm/inroot.sh" --bind "$out" --bind "$top" -- \
		gcc -O2 -Wall "$@" -o "$out/$name" "$source" || return
	for machine in A B peer; do
		cp "$out/$name" "$out/$machine/" || return
	done
}

# Builds what the hosts run: $system, options for vm.sh, the modules, and the
# programs and settings in /out.
bed_build()
{
	local host program

	say "building the modules and the guest's programs"
	if [ -z "$modules$kernel" ]; then
		make -s -C "$top" modules >"$out/make.log" 2>&1 || {
			tail -n 20 "$out/make.log" >&2
			fail
		}
		modules=$top/build/modules
	fi
	choose_qemus
	choose_linux
	system=()
	# A host needs 736 MiB besides the VM's memory.
	host=$((memory + 736))
	[ $host -gt 1024 ] || host=1024
	if [ -n "$kernel" ]; then
		# The debug kernel needs more memory.  Without kmemleak, as that
		# makes allocations slow, of which KVM does many.
		host=$((host + 512))
		system=(--kernel "$kernel" --append panic_on_warn=1
			--append kmemleak=off)
	fi
	# See vm.sh --memory.
	[ $host -lt 2800 ] || host=2800
	system+=(--memory "$host")
	# For the VMs of host.sh
	[ -z "$driver" ] || system+=(--append "hugepages=$(((memory + 1) / 2))")
	for program in stream counters frames hold; do
		compile "$bed/$program.c" || fail
	done
	[ "$fault" != hide-log ] || compile "$bed/hide_log.c" -shared -fPIC \
		-I"$top/include/uapi" || fail
	cat >"$out/settings" <<-END
	driver=$driver
	vfs=$vfs
	mac=$mac
	memory=$memory
	machine=$machine
	ports=${ports-}
	hold=$hold
	fault=$fault
	guest=${guest:-$tools/guest.sh}
	END
	cp "$out/settings" "$out/A/"
	cp "$out/settings" "$out/B/"
}

# boot NAME OPTION...: boots a VM that runs the commands of on(), and ends with
# this script.  Frames are recorded between its 82576s and the network.
boot()
{
	local name=$1 pf dumps=()
	shift

	for ((pf = 0; pf < pfs && ${record:-0}; pf++)); do
		dumps+=(--qemu -object --qemu "$(printf '%s,%s,%s,%s' \
			"filter-dump,id=dump$pf" "netdev=net$pf" \
			"file=$out/$name/frames-$pf.pcap" maxlen=64)")
	done
	# So that on() finds them, however late vm.sh is
	"$vm/channels.sh" make "$out/$name"
	VFIO_ROOT=${roots[$name]} setpriv --pdeathsig TERM "$vm/vm.sh" \
		--name "$name" \
		--timeout $limit --log "$out/$name/log" \
		--status "$out/$name/ended" --share "$out/$name:/out" \
		--serve "$out/$name" --bind "$sockets" "$@" "${dumps[@]}" \
		-- serve >"$out/$name.out" 2>"$out/$name.err" &
	pids+=($!)
}

# on NAME COMMAND...: runs COMMAND on a host or the peer.  In the background, as
# bash handles a signal during wait, but not while a command runs in the
# foreground.
on()
{
	local name=$1
	shift
	"$vm/on.sh" "$out/$name" "$@" &
	wait $!
}

peer()
{
	on peer "$bed/peer.sh" "$@"
}

# boot_host NAME NETDEV: boots a host with its PFs on the switch, and a
# virtio-net card on NETDEV for the network between the hosts.
boot_host()
{
	local name=$1 netdev=$2 pf igbs=() more=()

	[ "$fault" != lose ] || more+=(--append iomem=relaxed)
	[ -z "${layers[$name]-}" ] || more+=(--layer "${layers[$name]}")
	[ -z "${qemus[$name]-}" ] || more+=(--layer "${qemus[$name]}")
	for ((pf = 0; pf < pfs; pf++)); do
		igbs+=(--igb "stream,server=off,reconnect-ms=200,$unix/lan-$name$pf")
	done
	# One CPU each, so that a machine with two cores can run both hosts.
	boot "$name" --cpus 1 "${system[@]}" "${igbs[@]}" \
		"${more[@]}" --nic virtio-net-pci "$netdev"
}

bed_boot()
{
	local name

	say "booting host A and host B"
	boot_host A "stream,server=on,$unix/hosts"
	boot_host B "stream,server=off,reconnect-ms=200,$unix/hosts"
	"$vm/channels.sh" make "$out/peer"
	setpriv --pdeathsig TERM "$vm/inroot.sh" --net --bind "$out/peer" \
		--bind "$sockets" --bind "$vm" -- "$vm/guest/serve" \
		--pipes "$out/peer" >"$out/peer.out" 2>"$out/peer.err" &
	peer=$!
	peer setup "$out/peer" "$sockets" "$pfs" "$vfs" ${record:+record} || fail
	for name in A B; do
		on $name true || fail
	done
}

address_of()
{
	case $1 in
	A) echo 10.2.0.1 ;;
	B) echo 10.2.0.2 ;;
	esac
}

bed_setup()
{
	local first second

	say "both hosts: set up the network${driver:+, make VFs, bind $driver}"
	setup()
	{
		on "$1" $tools/host.sh setup "$2" "$(address_of "$1")" \
			>"$out/$1.setup" 2>&1
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
}

# start_vm N NAME TRACKING [OPTION]...: starts QEMU number N, on host NAME, with the
# options of host.sh.
start_vm()
{
	on "$2" $tools/host.sh start "$1" "$3" "${@:4}" \
		>"$out/start-$1" 2>&1 || {
		cat "$out/start-$1" >&2
		return 1
	}
}
