#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Makes the debug kernel: Debian's 6.12 source, configured by debug.config, with
# this tree laid over it.  The source tree and its objects are kept in the
# cache, under a name that depends on everything but drivers/vfio, which is laid
# over and built each time.  That takes a minute.  Needs root.

set -eu

usage()
{
	cat <<-END
	usage: debug-kernel.sh [--gcov | --kcsan] OUT
	       debug-kernel.sh --strict
	       debug-kernel.sh [--kcsan] --tree

	Leaves in OUT, which is made anew, the debug kernel with our modules, for
	vm.sh --kernel OUT: vmlinuz, usr/lib/modules/<version>, the selftests'
	modules in modules/, and as "tree" a link to the source tree that it was
	built in.
	  --gcov    build drivers/vfio with gcov, which counts the lines that are
	            run; OUT/gcov has the files that gcov needs
	  --kcsan   make another kernel, which looks for data races (kcsan.config)
	  --strict  only build drivers/vfio with W=1, as modules and built in, and
	            vmlinux with drivers/vfio built in; print the warnings
	  --tree    only print the path of the source tree
	The first time takes 10 minutes or more, and 2 GiB in the cache (cache.sh).
	END
}

here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../../..")
vm=$top/tools/testing/vm
gcov=
kcsan=
out=
while [ $# -gt 0 ]; do
	case $1 in
	--help) usage; exit 0 ;;
	--gcov) gcov=1 ;;
	--kcsan) kcsan=1 ;;
	--strict | --tree) out=$1 ;;
	-*) usage >&2; exit 2 ;;
	*) out=$1 ;;
	esac
	shift
done
[ -n "$out" ] || { usage >&2; exit 2; }

# stdout is for the result.
say()
{
	echo "# debug kernel, $SECONDS s: $*" >&2
}

die()
{
	echo "debug-kernel.sh: $*" >&2
	exit 1
}

VFIO_ROOT=$("$vm/root.sh")
export VFIO_ROOT
cache=$("$vm/cache.sh")
source=$VFIO_ROOT/usr/src/linux-source-6.12.tar.xz
[ -e "$source" ] || die "no $source: a root of an older recipe?"

# Prints the configuration: debug.config, or with --kcsan that of kcsan.config and
# the lines of debug.config about other symbols.
fragment()
{
	if [ -z "$kcsan" ]; then
		cat "$here/debug.config"
		return
	fi
	awk '
		function symbol() {
			if (!match($0, /^(# )?CONFIG_[A-Z0-9_]+/))
				return ""
			sub(/^# /, "")
			return substr($0, 1, match($0 " ", /[ =]/) - 1)
		}
		{ line = $0; name = symbol() }
		NR == FNR	{ if (name) ours[name]; next }
		!(name in ours)	{ print line }
	' "$here/kcsan.config" "$here/debug.config"
	cat "$here/kcsan.config"
}

hash=$(
	{
		chroot "$VFIO_ROOT" dpkg-query -f '${Version}\n' -W \
			linux-source-6.12 gcc
		# Without lines about VFIO, which is built each time, and
		# without comments; "# CONFIG_x is not set" is none.
		fragment | grep -v -e VFIO -e '^# [^C]' -e '^$'
	} | sha256sum | cut -c1-12
)
kernel=$cache/kernel-$hash
if [ "$out" = --tree ]; then
	echo "$kernel"
	exit
fi

mkdir -p "$cache"
exec 9>"$kernel.lock"
flock -n 9 || { say "waiting for another build in $kernel"; flock 9; }

in_root()
{
	"$vm/inroot.sh" --bind "$kernel" --chdir "$kernel" -- "$@" 9>&-
}

# Unpacks the source without the files that this tree replaces.
unpack()
{
	say "unpacking linux-source-6.12"
	rm -rf --one-file-system "$kernel"
	mkdir -p "$kernel"
	tar -C "$kernel" --strip-components=1 --exclude='*/drivers/vfio' \
		--exclude='*/include/linux/vfio*.h' \
		--exclude='*/include/uapi/linux/vfio.h' -xf "$source"
}

# Prints the lines of the fragment that have no effect.
without_effect()
{
	local line

	while read -r line; do
		case $line in
		CONFIG_*)
			grep -qxF "$line" "$kernel/.config" || echo "$line"
			;;
		'# CONFIG_'*)
			line=${line#* }
			line=${line%% *}
			! grep "^$line=" "$kernel/.config" || :
			;;
		esac
	done <"$kernel/fragment"
}

# configure SED_SCRIPT: configures by the fragment, edited by SED_SCRIPT.
# Options that the fragment does not mention are off.
configure()
{
	local bad

	fragment | sed "$1" >"$kernel/fragment"
	# Keeps .config if it would be the same, or make would build all again.
	in_root make -s KCONFIG_CONFIG=.config.new \
		KCONFIG_ALLCONFIG=fragment allnoconfig >"$kernel/config.log" 2>&1 ||
		{ cat "$kernel/config.log" >&2; die "no configuration"; }
	if cmp -s "$kernel/.config.new" "$kernel/.config"; then
		rm "$kernel/.config.new"
	else
		mv "$kernel/.config.new" "$kernel/.config"
	fi
	rm -f "$kernel/.config.new.old"
	bad=$(without_effect)
	[ -z "$bad" ] || die "these lines of the configuration have no effect:
$bad"
}

# make_kernel ARG...: runs make, and prints its progress every 30 seconds.
make_kernel()
{
	local log=$kernel/build.log ticker status=0

	: >"$kernel/started"
	while sleep 30 >/dev/null 2>&1 9>&-; do
		say "building: $(find "$kernel" -name '*.o' -newer \
			"$kernel/started" 2>/dev/null | wc -l) objects"
	done 9>&- &
	ticker=$!
	in_root nice make -s -j"$(($(nproc) + 2))" "$@" >"$log" 2>&1 ||
		status=$?
	kill $ticker
	[ $status = 0 ] || {
		grep -E -A 10 'error|Error|ERROR' "$log" | head -n 60 >&2
		die "the build failed; all of its output is in $log"
	}
}

# With make -s, all output is warnings.
strict()
{
	say "drivers/vfio with W=1, as modules"
	configure ''
	make_kernel W=1 drivers/vfio/
	cat "$kernel/build.log"
	say "drivers/vfio with W=1, built in"
	configure '/^CONFIG_.*VFIO.*=m$/s/m$/y/;s/\(IRQ_BYPASS_MANAGER=\)m/\1y/'
	make_kernel W=1 drivers/vfio/
	cat "$kernel/build.log"
	say "vmlinux with drivers/vfio built in"
	make_kernel vmlinux
	grep -i vfio "$kernel/build.log" || :
}

# Builds the selftests' modules in OUT/modules.
make_test_modules()
{
	local modules=$out/modules

	mkdir -p "$modules"
	cp "$top"/tools/testing/selftests/vfio/modules/* \
		"$top"/samples/vfio/vfio_example.c "$modules/"
	"$vm/inroot.sh" --bind "$kernel" --bind "$modules" --chdir "$kernel" -- \
		make -s M="$modules" modules >"$out/modules.log" 2>&1 9>&- ||
		{ cat "$out/modules.log" >&2; die "the test modules do not build"; }
}

if [ ! -e "$kernel/unpacked" ]; then
	unpack
	: >"$kernel/unpacked"
	touch "$kernel"
	"$vm/cache.sh" --prune
fi
"$top/tools/overlay.sh" "$kernel"
if [ "$out" = --strict ]; then
	strict
	exit
fi
configure "${gcov:+\$aCONFIG_GCOV_PROFILE_VFIO=y}"
say "building in $kernel"
make_kernel bzImage modules

say "installing"
rm -rf --one-file-system "$out"
mkdir -p "$out/usr"
out=$(realpath "$out")
"$vm/inroot.sh" --bind "$kernel" --bind "$out" --chdir "$kernel" -- \
	make -s INSTALL_MOD_PATH="$out/usr" modules_install \
	>"$out/install.log" 2>&1 9>&- ||
	{ cat "$out/install.log" >&2; die "the modules cannot be installed"; }
rm -f "$out"/usr/lib/modules/*/build
cp -p "$kernel/arch/x86/boot/bzImage" "$out/vmlinuz"
ln -s "$kernel" "$out/tree"
make_test_modules
if [ -n "$gcov" ]; then
	mkdir "$out/gcov"
	(cd "$kernel" && find drivers/vfio \( -name '*.gcno' -o -name '*.[ch]' \) \
		! -name '*.mod.*' -exec cp -p --parents -t "$out/gcov" {} +)
fi
touch "$kernel"
say "ready: $(ls "$out/usr/lib/modules")"
