#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# vfio-mig on VFs: its output for VFs in each condition and with each setting of the
# PF, a state that moves through a file from one VF to another, and errors with
# their reasons.  The environment
# has the addresses of the VFs (lib/sysfs.h).  Prints TAP.

set -u
mig=$(dirname "$(realpath "$0")")/vfio-mig
[ -e "$mig" ] || mig=$(command -v vfio-mig)
validate=$(dirname "$(realpath "$0")")/validate
a=${VFIO_TEST_VF_A0-}
b=${VFIO_TEST_VF_B0-}
pci=/sys/bus/pci/devices
tests=45
token=8a2d5b0e-3f61-4c7a-9d10-6b7f0e5c4a39
number=0
failed=0
tmp=$(mktemp -d)
outputs=$(mktemp -d)
holder=
trap '[ -z "$holder" ] || kill $holder; rm -rf "$tmp" "$outputs"' EXIT

skip_all()
{
	for ((number = 1; number <= tests; number++)); do
		echo "ok $number vfio-mig # SKIP $1"
	done
	exit 4
}

echo "TAP version 13"
echo "1..$tests"
[ -n "$a" ] || skip_all "no device: VFIO_TEST_VF_A0 is not set"
[ -n "$b" ] || skip_all "no device: VFIO_TEST_VF_B0 is not set"
[ -e /sys/module/igbvf_vfio_pci ] || skip_all "no igbvf-vfio-pci module"
[ -n "$mig" ] || skip_all "no vfio-mig"

bind()
{
	[ ! -e "$pci/$1/driver" ] || echo "$1" >"$pci/$1/driver/unbind"
	echo "$2" >"$pci/$1/driver_override"
	[ -z "$2" ] || echo "$1" >/sys/bus/pci/drivers_probe
}

# skip TEXT REASON: a test that is not made
skip()
{
	number=$((number + 1))
	echo "ok $number $1 # SKIP $2"
}

# verdict TEXT COMMAND...
verdict()
{
	local text=$1 result=ok
	shift
	"$@" || {
		result="not ok"
		failed=1
		cat "$tmp/out" "$tmp/err" | tr -c '\n -~' '?' | sed 's/^/# /'
		echo
	}
	number=$((number + 1))
	echo "$result $number $text"
}

# exits STATUS ARG...: runs vfio-mig, with output in $tmp/out and $tmp/err
exits()
{
	local status=$1 got
	shift
	command=$1
	"$mig" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	got=$?
	[ $got = "$status" ] && return
	echo "# vfio-mig $*: exit status $got instead of $status"
	return 1
}

# says PATTERN..., complains PATTERN...: does the output have each pattern?
says()
{
	local pattern
	for pattern; do
		grep -qE -- "$pattern" "$tmp/out" || {
			echo "# no \"$pattern\""
			return 1
		}
	done
}

complains()
{
	local pattern
	for pattern; do
		grep -qE -- "$pattern" "$tmp/err" || {
			echo "# no complaint \"$pattern\""
			return 1
		}
	done
}

# json EXPRESSION: a perl expression of the decoded output $j.  The output is kept
# for the schema.
json()
{
	cp "$tmp/out" "$(mktemp "$outputs/$command.XXXXXX")"
	perl -MJSON::PP -0777 -e 'my $e = shift; $j = decode_json(<STDIN>);
		exit !eval($e)' "$1" <"$tmp/out"
}

size_of()
{
	stat -c %s "$1"
}

group()
{
	basename "$(readlink "$pci/$1/iommu_group")"
}

# ---- Devices that cannot migrate ----

bind "$a" ""
no_driver()
{
	exits 0 info "$a" && says "has no driver" "^migratable: +no$" \
		"igbvf-vfio-pci >.*driver_override" &&
		exits 1 save "$a" "$tmp/none" && complains "has no driver" &&
		exits 0 info --json "$a" &&
		json '$j->{live_migratable} eq "no" && !defined $j->{driver} &&
		$j->{variant_driver} eq "igbvf-vfio-pci" &&
		$j->{variant_module} eq "igbvf_vfio_pci" &&
		$j->{reasons}[0]{code} eq "no-driver"'
}
verdict "info says how to bind a VF without a driver" no_driver

pf=$(basename "$(readlink "$pci/$a/physfn")")
wrong_driver()
{
	exits 0 info "$pf" && says "bound to igb, which is not a VFIO driver" \
		"driver/unbind; .*vfio-pci >" && exits 0 info --json "$pf" &&
		json '$j->{live_migratable} eq "no" && $j->{driver} eq "igb" &&
		!exists $j->{pf} && $j->{reasons}[0]{code} eq "host-driver"'
}
verdict "info says that igb is not a VFIO driver" wrong_driver

bind "$a" vfio-pci
plain()
{
	exits 0 info "$a" && says "^driver: +vfio-pci$" "^migration: +no$" &&
		says "^migratable: +no$" \
		"the driver for it is igbvf-vfio-pci \(other-driver\)" &&
		exits 0 info --json "$a" && json '!@{$j->{migration}} &&
		$j->{reasons}[0]{code} eq "other-driver"'
}
verdict "info says that a device cannot migrate" plain
not_loaded()
{
	bind "$b" "" && modprobe -r igbvf-vfio-pci || return
	exits 0 info "$a" && says "in the module igbvf_vfio_pci" \
		"bind it to that: modprobe igbvf_vfio_pci, and ask again" &&
		exits 0 info "$b" &&
		says "bind it: modprobe igbvf_vfio_pci, and ask again"
	local status=$?
	modprobe igbvf-vfio-pci
	return $status
}
verdict "info says that the driver's module is not loaded" not_loaded
plain_save()
{
	exits 1 save "$a" "$tmp/none" && complains "can't migrate" \
		"the driver for it is igbvf-vfio-pci" "igbvf-vfio-pci >.*override" &&
		[ ! -e "$tmp/none" ]
}
verdict "save refuses a device that cannot migrate" plain_save

# ---- A VF that can migrate ----

bind "$a" igbvf-vfio-pci
bind "$b" igbvf-vfio-pci
info()
{
	exits 0 info "$a" && says "^device: +$a \(8086:10ca\)$" \
		"^driver: +igbvf-vfio-pci$" "^IOMMU group: +$(group "$a")$" \
		"^in use: +no$" "^migration: +stop-copy p2p pre-copy$" \
		"^state: +RUNNING$" "^data size: +[1-9]"
}
verdict "info describes a VF" info
info_json()
{
	exits 0 info --json "$a" &&
		json '$j->{device} eq "'"$a"'" && $j->{state} eq "RUNNING" &&
		$j->{iommu_group} == '"$(group "$a")"' && !$j->{in_use} &&
		"@{$j->{migration}}" eq "stop-copy p2p pre-copy"'
}
verdict "info describes a VF as JSON" info_json
verdict "info takes an address without domain" exits 0 info "${a#0000:}"

# With the distribution's core, the driver does not tell what the VF writes.
answer=yes
tracker="its driver's log"
[ -z "${VFIO_STOCK-}" ] || { answer=forced; tracker=nothing; }
migratable()
{
	exits 0 info --json "$a" && json '$j->{live_migratable} eq "'$answer'" &&
		$j->{dma_logging} == ('$answer' eq "yes")' && exits 0 info "$a" &&
		says "^migratable: +$answer$" "^tracked by: +$tracker$"
}
verdict "info tells whether the VF can be live-migrated" migratable

pf_if=$(basename "$(echo "$pci/$pf"/net/*)")
vf=0
[ "$(basename "$(readlink "$pci/$pf/virtfn0")")" = "$a" ] || vf=1
set_vf()
{
	ip link set "$pf_if" vf $vf "$@"
}
policy()
{
	set_vf mac 52:54:00:82:57:99 && set_vf vlan 7 qos 3 &&
		set_vf spoofchk off && set_vf trust on || return
	exits 0 info --json "$a" && json 'my $p = $j->{pf};
		$p->{device} eq "'"$pf"'" && $p->{driver} eq "igb" &&
		$p->{vf} == '$vf' && $p->{interface} eq "'"$pf_if"'" &&
		$p->{up} && $p->{carrier} && $p->{policy}{vlan} == 7 &&
		$p->{policy}{qos} == 3 && !$p->{policy}{spoofchk} &&
		$p->{policy}{trust} &&
		$p->{policy}{mac} eq "52:54:00:82:57:99"' &&
		exits 0 info "$a" && says "^PF: .*$pf_if, up, link$" \
		"mac 52:54:00:82:57:99 vlan 7 qos 3 .*spoofchk off trust on"
}
verdict "info tells what the PF has set for the VF" policy
no_policy()
{
	set_vf mac 00:00:00:00:00:00 && set_vf vlan 0 &&
		set_vf spoofchk on && set_vf trust off || return
	exits 0 info --json "$a" && json 'my $p = $j->{pf}{policy};
		!defined $p->{mac} && !$p->{vlan} && $p->{spoofchk} &&
		!$p->{trust} && $j->{live_migratable} eq "'$answer'" &&
		grep { $_->{code} eq "no-mac" } @{$j->{reasons}}'
}
verdict "info tells that the PF has set nothing" no_policy
pf_down()
{
	ip link set "$pf_if" down
	exits 0 info --json "$a" && json '!$j->{pf}{up} &&
		$j->{live_migratable} eq "no" &&
		grep { $_->{code} eq "pf-down" } @{$j->{reasons}}' &&
		exits 0 info "$a" && says "ip link set dev $pf_if up"
	local status=$?
	ip link set "$pf_if" up
	# The tests below expect a link; a slow machine may take long for it.
	until [ "$(cat "/sys/class/net/$pf_if/carrier")" = 1 ]; do
		sleep 0.1
	done
	return $status
}
verdict "info tells that the PF is down" pf_down

# A device whose features debugfs tells is not opened, so its size is not known.
all()
{
	exits 0 info --all && says "^$a +igbvf-vfio-pci +$answer" \
		"^$b +igbvf-vfio-pci +$answer" && ! says "^$pf" >/dev/null &&
		exits 0 info --all --json || return
	command=info-all
	json 'my ($i) = grep { $_->{device} eq "'"$a"'" } @$j;
		"@{$i->{migration}}" eq "stop-copy p2p pre-copy" &&
		-e "/sys/kernel/debug/vfio/'"$a"'/opener" ==
		!exists $i->{data_size}'
}
verdict "info --all lists the VFs" all

save()
{
	exits 0 save "$a" "$tmp/state" && complains "saved $(size_of \
		"$tmp/state") bytes" && [ ! -s "$tmp/out" ] &&
		[ "$(stat -c %a "$tmp/state")" = 600 ]
}
verdict "save writes a file" save
size=$(size_of "$tmp/state")
announced()
{
	exits 0 info --json "$a" && json '$j->{data_size} >= '"$size"
}
verdict "info announces at least the size of the file" announced
nothing_else()
{
	[ "$(ls "$tmp")" = "$(printf '%s\n' err out state)" ]
}
verdict "save leaves no temporary file" nothing_else
to_stdout()
{
	# The bytes differ, as the VF counts received broadcasts.
	exits 0 save --quiet "$a" - && [ ! -s "$tmp/err" ] &&
		[ "$(size_of "$tmp/out")" = "$size" ] &&
		cp "$tmp/out" "$tmp/piped" && exits 0 inspect "$tmp/piped"
}
verdict "save writes to standard output, quietly" to_stdout
precopy()
{
	exits 0 save --precopy "$a" "$tmp/precopy" &&
		exits 0 inspect "$tmp/precopy" && exits 0 check "$b" \
		"$tmp/precopy"
}
verdict "save can begin in PRE_COPY" precopy
full()
{
	exits 1 save "$a" /dev/full && complains "No space left"
}
verdict "save to a full disk fails" full
no_directory()
{
	exits 1 save "$a" "$tmp/no/where" && complains "No such file"
}
verdict "save to a missing directory fails" no_directory

inspect()
{
	exits 0 inspect "$tmp/state" && says "^format: +82576-vf" \
		"identity .* mandatory .* ok$" "pci_id +8086:10ca$" \
		"rings .* ok$" "transmit 0 +DCTL=" "statistics .* ok$" "end .* ok$"
}
verdict "inspect describes a file" inspect
inspect_json()
{
	exits 0 inspect --json "$tmp/state" &&
		json '$j->{good} && $j->{format} eq "82576-vf" &&
		$j->{records}[0]{record} eq "identity" &&
		$j->{records}[0]{fields}{pci_id} eq "8086:10ca" &&
		$j->{records}[-1]{record} eq "end" && !@{$j->{problems}}'
}
verdict "inspect describes a file as JSON" inspect_json

check()
{
	exits 0 check "$b" "$tmp/state" && says "^$b: loads$" "^PF: .*up, link$" &&
		exits 0 check --json "$b" "$tmp/state" && json '$j->{loads} &&
		$j->{stream_good} && $j->{pf}{up} && $j->{pf}{policy}'
}
verdict "check accepts the file for a VF of another PF" check
piped()
{
	"$mig" check "$b" - <"$tmp/state" >"$tmp/out" 2>"$tmp/err" &&
		"$mig" save --quiet "$a" - | "$mig" check "$b" - >"$tmp/out"
}
verdict "check reads from standard input" piped

# The driver asks the PF for the MAC address and filters at the end of the stream:
# check must not write that.
tracing=/sys/kernel/tracing/instances/vfio_mig_sh
steps()
{
	if [ "${1-}" = start ]; then
		mkdir -p $tracing && echo >$tracing/trace &&
			echo 1 >$tracing/events/vfio/enable
	else
		echo 0 >$tracing/events/vfio/enable
		grep -o 'vfio_mig_arc: .*\|vfio_mig_data_end: .*' $tracing/trace
		rmdir $tracing
	fi
}

check_loads_nothing()
{
	steps start || return
	exits 0 check "$b" "$tmp/state"
	local status=$?
	steps >"$tmp/steps"
	cat "$tmp/steps" >>"$tmp/out"
	grep -q "STOP -> RESUMING" "$tmp/steps" &&
		! grep -q "RESUMING -> STOP" "$tmp/steps" &&
		grep -q "load, $((size - 24)) bytes" "$tmp/steps" &&
		return $status
}
verdict "check does not load, nor write the end" check_loads_nothing
load()
{
	exits 0 load "$b" "$tmp/state" && complains "loaded $size bytes"
}
verdict "load loads a file" load
verdict "load --run runs the VF" exits 0 load --run --quiet "$b" "$tmp/state"

# ---- Errors ----

head -c $((size - 1)) "$tmp/state" >"$tmp/short"
short()
{
	exits 1 check "$b" "$tmp/short" && says "^$b: does not load" \
		"kernel: .*RESUMING to STOP.*after $((size - 1)) bytes" \
		"log: .*cut short" "stream: .*ends in the middle"
}
verdict "check says why a short file is refused" short
cp "$tmp/state" "$tmp/long"
echo x >>"$tmp/long"
long()
{
	exits 1 check "$b" "$tmp/long" && says "^$b: does not load" \
		"stream: .*follows the end" && ! says "kernel:" >/dev/null &&
		exits 1 check --json "$b" "$tmp/long" &&
		json '!$j->{loads} && !exists $j->{errno}'
}
verdict "check says what is wrong with the end" long
cp "$tmp/state" "$tmp/bad"
printf '\377' | dd of="$tmp/bad" bs=1 seek=$((size / 2)) conv=notrunc \
	2>/dev/null
bad()
{
	exits 1 check --json "$b" "$tmp/bad" && json '!$j->{loads} &&
		!$j->{stream_good} && $j->{errno} == 22 &&
		$j->{stream_problem} =~ /checksum/ && @{$j->{log}}' &&
		exits 1 inspect "$tmp/bad" && says "checksum"
}
verdict "check says why a damaged file is refused" bad
load_bad()
{
	exits 1 load "$b" "$tmp/bad" && complains "Invalid argument" \
		"kernel: .*refused"
}
verdict "load refuses a damaged file" load_bad
verdict "the VF accepts the good file after errors" exits 0 check "$b" \
	"$tmp/state"
unwanted_token()
{
	exits 1 save --vf-token $token "$1" "$tmp/none" &&
		complains "it has no VF token" "leave --vf-token out"
}
verdict "save refuses a token for a VF that has none" unwanted_token "$b"

# ---- A VF in use by another process ----

# await TEXT: until the holder has written that to $tmp/held, or has ended
await()
{
	until grep -q "$1" "$tmp/held" || ! kill -0 $holder 2>/dev/null; do
		sleep 0.1
	done
}

"$mig" load --hold "$b" "$tmp/state" 2>"$tmp/held" &
holder=$!
await "interrupt to close"
busy()
{
	exits 0 info "$b" && says "^in use: +yes" || return
	# The distribution's core has no more information.
	[ ! -e "/sys/kernel/debug/vfio/$b" ] || says "^state: +STOP$"
}
verdict "info tells the state of a VF in use" busy
busy_json()
{
	exits 0 info --json "$b" && json '$j->{in_use}' || return
	if [ -e "/sys/kernel/debug/vfio/$b/migration/features" ]; then
		json '$j->{live_migratable} eq "yes" && $j->{dma_logging} &&
			$j->{opener} eq "vfio-mig ('$holder')"'
	else
		json '$j->{live_migratable} eq "unknown" &&
			grep { $_->{code} eq "in-use" } @{$j->{reasons}}'
	fi
}
verdict "info tells whether a VF in use can be live-migrated" busy_json
busy_check()
{
	exits 1 check --json "$b" "$tmp/state" && json '!$j->{loads} &&
		$j->{reasons}[0]{code} eq "in-use"'
}
verdict "check says that a VF is in use, as JSON, too" busy_check
busy_save()
{
	exits 1 save "$b" "$tmp/none" && complains "in use by another process"
}
verdict "save refuses a VF in use" busy_save
let_go()
{
	kill -INT $holder
	wait $holder || return
	holder=
	exits 0 info "$b" && says "^in use: +no$" "^state: +RUNNING$"
}
verdict "load --hold closes the VF when interrupted" let_go

# logs VF: opens it by its group and has its writes logged, until it is killed
logs()
{
	exec perl -e 'my ($vf, $group) = @ARGV;
		sub vfio {
			my ($file, $nr, $arg) = @_;
			return ioctl($file, 0x3b64 + $nr, $arg) // die "$nr: $!\n";
		}
		sysopen(my $container, "/dev/vfio/vfio", 2) or die "$!\n";
		sysopen(my $of_group, "/dev/vfio/$group", 2) or die "$!\n";
		vfio($of_group, 4, pack("i", fileno $container));
		vfio($container, 2, 3);		# VFIO_SET_IOMMU, type 1 v2
		my $fd = vfio($of_group, 6, "$vf\0");
		open(my $device, "+<&=", $fd) or die "$!\n";
		my $range = pack("QQ", 0, 1 << 30);
		# SET of VFIO_DEVICE_FEATURE_DMA_LOGGING_START, one range
		vfio($device, 17, pack("LLQLLP16", 32, 1 << 17 | 6, 4096, 1, 0,
			$range));
		print STDERR "logging\n";
		sleep' "$1" "$(group "$1")"
}

logging()
{
	logs "$b" 2>"$tmp/held" &
	holder=$!
	await logging
	exits 0 info "$b" && says "^in use: +yes, opened last by perl " \
		"^tracked by: +$tracker$" "^DMA logging: +on for [0-9]+ s$" &&
		exits 0 info --json "$b" && json '$j->{dma_logging} &&
		$j->{dma_logging_state} =~ /^on for/'
	local status=$?
	kill $holder
	wait $holder 2>/dev/null
	holder=
	[ $status = 0 ] || sed 's/^/# /' "$tmp/held"
	return $status
}
if [ -n "${VFIO_STOCK-}" ]; then
	skip "info tells for how long writes have been logged" \
		"the distribution's vfio logs none"
else
	verdict "info tells for how long writes have been logged" logging
fi

# ---- JSON ----

follow_schema()
{
	local definition files

	for definition in info info-all check inspect; do
		files=("$outputs/$definition".*)
		"$validate" "$definition" "${files[@]}" >"$tmp/out" 2>"$tmp/err" ||
			return
	done
}
"$validate" info /dev/null >"$tmp/out" 2>"$tmp/err"
case $? in
2|126|127)
	skip "all JSON from above follows the schema" "no python3-jsonschema"
	;;
*)
	verdict "all JSON from above follows the schema" follow_schema
	;;
esac

# ---- Devices named by their nodes ----

node=/dev/vfio/devices/$(basename "$(echo "$pci/$b"/vfio-dev/vfio*)")
if [ ! -e "$node" ] || [ ! -e /dev/iommu ]; then
	for text in info tracker check "in use" token; do
		skip "a VF named by its node: $text" "no nodes in this kernel"
	done
	exit $failed
fi
node_info()
{
	exits 0 info "$node" && says "^device: +$b \(8086:10ca\)$" \
		"^in use: +no$" "^state: +RUNNING$" &&
		exits 1 info /dev/vfio/devices/none && complains "no such device" &&
		unwanted_token "$node"
}
verdict "info describes a VF named by its node" node_info
# The driver does not log for the user of an iommufd.
no_tracker()
{
	exits 0 info --json "$node" &&
		json '$j->{live_migratable} eq "no" && !$j->{dma_logging} &&
		grep { $_->{code} eq "no-tracker-iommufd" &&
			$_->{live_migratable} eq "no" } @{$j->{reasons}}' &&
		exits 0 info "$node" && says "^tracked by: +nothing$"
}
if exits 0 info "$node" && says "^tracked by: .*IOMMU" >/dev/null; then
	skip "a VF whose writes nobody tracks, by its node" \
		"this IOMMU tracks them"
else
	verdict "info says that nobody tracks the writes of a VF by its node" \
		no_tracker
fi
verdict "check takes a VF named by its node" exits 0 check "$node" "$tmp/state"
"$mig" load --hold "$node" "$tmp/state" 2>"$tmp/held" &
holder=$!
await "interrupt to close"
node_busy()
{
	exits 0 info "$node" && says "^in use: +yes" &&
		exits 1 save "$node" "$tmp/none" &&
		complains "in use by another process" &&
		exits 1 save --vf-token $token "$node" "$tmp/none" &&
		complains "in use by another process" &&
		exits 1 save "$b" "$tmp/none" &&
		complains "in use by another process"
}
verdict "info and save see a VF in use by its node" node_busy
kill -INT $holder
wait $holder
holder=

# The PF's user, who makes the VF, sets the token by opening the PF with it.  Last,
# as it replaces the VFs of the PF; run.sh restores them.
pf=$(basename "$(readlink "$pci/$b/physfn")")
user_pf()
{
	echo 0 >"$pci/$pf/sriov_numvfs" &&
		echo 1 >/sys/module/vfio_pci/parameters/enable_sriov &&
		bind "$pf" vfio-pci && exits 0 info --vf-token $token "$pf" &&
		echo 1 >"$pci/$pf/sriov_drivers_autoprobe" &&
		echo 1 >"$pci/$pf/sriov_numvfs"
}
opens_with_token()
{
	local vf status=1
	user_pf && vf=$(basename "$(readlink "$pci/$pf/virtfn0")") &&
		node=/dev/vfio/devices/$(ls "$pci/$vf/vfio-dev") &&
		exits 0 info --json "$node" && wants_token &&
		exits 0 info --json --vf-token "${token%9}8" "$node" &&
		wants_token && exits 0 info --json --vf-token $token "$node" &&
		json '!$j->{in_use} && exists $j->{migration} &&
			!grep { $_->{code} eq "vf-token" } @{$j->{reasons}}'
	status=$?
	echo 0 >"$pci/$pf/sriov_numvfs"
	echo 0 >/sys/module/vfio_pci/parameters/enable_sriov
	return $status
}
wants_token()
{
	json '$j->{live_migratable} eq "unknown" &&
		$j->{reasons}[0]{code} eq "vf-token" &&
		$j->{reasons}[0]{remedy} !~ /address/'
}
verdict "a VF's node opens with the VF token" opens_with_token

exit $failed
