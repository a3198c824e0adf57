#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Compares our interfaces with Linux's as the compiler sees them.  No header is
# parsed here: a probe that includes the headers is compiled, and the facts come
# from the preprocessor (names of macros), the assembler output (their values),
# the debugging information (layouts, enumerators) and gcc's -aux-info
# (prototypes).  Facts are files of sorted lines that begin with a name.  A
# comparison is a diff of Linux's file and ours; it also fails if Linux's file
# has fewer names than expected, so that a probe that finds nothing does not
# pass.
#
# Runs inside the Debian root; see run.sh.

set -eu

[ $# = 4 ] || { echo "usage: compare.sh KVER SRC BUILD OUT" >&2; exit 2; }
kver=$1 src=$2 build=$3 out=$4
here=$(dirname "$(realpath "$0")")
kdir=/lib/modules/$kver/build
ksource=$(realpath "/lib/modules/$kver/source")
extras=$here/extras
LC_ALL=C
export LC_ALL

tests=0
failed=0

pass()
{
	tests=$((tests + 1))
	echo "ok $tests - $*"
}

fail()
{
	tests=$((tests + 1))
	failed=$((failed + 1))
	echo "not ok $tests - $*"
}

die()
{
	fail "abi: $*"
	echo "1..$tests"
	exit 1
}

# show FILE: its first lines as TAP diagnostics.
show()
{
	head -n 100 "$1" | sed 's/^/# /'
}

# compile COMMAND ARGUMENT...: COMMAND is shell text, as Kbuild writes it.  It
# runs in the directory to which the kernel's include paths are relative.
compile()
{
	compile_cmd=$1
	shift
	(cd "$kdir" && eval "$compile_cmd"' "$@"') 2>"$out/compile.log" || {
		show "$out/compile.log"
		return 1
	}
}

# is_from DIRECTORY COUNT FILE: does FILE list COUNT headers, all below
# DIRECTORY?
is_from()
{
	[ "$(grep -c "^$1/" "$3")" = "$2" ] && [ "$(wc -l <"$3")" = "$2" ]
}

# facts DIR COMMAND SOURCE: compiles SOURCE by COMMAND, and writes to DIR what
# the vfio headers define:
#   headers          the headers
#   macros           name, value, size and signedness (or text)
#   function-macros  name, parameters, text
#   enumerators      name, value
#   layouts          name, lines of the structure's layout
#   prototypes       name, return type and types of parameters
facts()
{
	rm -rf "$1"
	mkdir -p "$1"
	compile "$2" -w -E -dD -o "$1/probe.i" "$3" || return 1
	awk -v dir="$1" -v probe="$3" -f "$here/macros.awk" "$1/probe.i"
	compile "$2" -w -fpermissive -g -fno-eliminate-unused-debug-types \
		-aux-info "$1/prototypes.raw" -S -o "$1/eval.s" "$1/eval.c" ||
		return 1
	compile "$2" -c -o "$1/eval.o" "$1/eval.s" || return 1

	sed -n 's/^# abi \(.*\)/\1/p' "$1/eval.s" | sort -u \
		- "$1/macros.text" >"$1/macros"
	sort -u "$1/headers.raw" >"$1/headers"
	sort -u "$1/function-macros.raw" >"$1/function-macros"
	readelf --debug-dump=info "$1/eval.o" |
		awk -f "$here/enumerators.awk" | sort -u >"$1/enumerators"
	pahole --show_decl_info "$1/eval.o" |
		awk -f "$here/layouts.awk" | sort -s -k 1,1 >"$1/layouts"
	awk -f "$here/prototypes.awk" "$1/prototypes.raw" |
		sort -u >"$1/prototypes"
}

# samples NAME: prints C source that leaves in the assembler output what the
# macro NAME makes of some numbers.
samples()
{
	cat <<-END
	#define ABI_SAMPLE(x) \\
		__asm__ volatile ("\\n# abi %c0 %c1" : : "i"(x), "i"($1(x)))
	void abi_samples(void);
	void abi_samples(void)
	{
	END
	for x in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 0xff 0x7fffffff \
		0x80000000 0xffffffff; do
		echo "	ABI_SAMPLE($x);"
	done
	echo "}"
}

# settle_function_macros SOURCE LINUX-DIR LINUX-COMMAND OUR-DIR OUR-COMMAND:
# macros with one parameter whose texts differ count as alike if their results
# are alike.
settle_function_macros()
{
	for name in $(diff "$2/function-macros" "$4/function-macros" |
		awk '/^[<>]/ { print $2 }' | sort | uniq -d); do
		{
			echo "#include \"$1\""
			samples "$name"
		} >"$out/samples.c"
		compile "$3" -w -S -o "$2/samples.s" "$out/samples.c" \
			>/dev/null || continue
		compile "$5" -w -S -o "$4/samples.s" "$out/samples.c" \
			>/dev/null || continue
		for dir in "$2" "$4"; do
			grep '^# abi ' "$dir/samples.s" >"$dir/samples.$name" ||
				continue 2
			sum=$(cksum <"$dir/samples.$name")
			sed -i "s/^$name .*/$name (x) has results $sum/" \
				"$dir/function-macros"
		done
	done
}

# Prints the lines of the file "extras" that apply to the kernel's version, as
# KIND NAME.
extras_now()
{
	awk -v kver="$kver" '
	function number(version, part) {
		split(version, part, ".")
		return part[1] * 1000 + part[2]
	}
	/^#/ { next }
	/^</ { if (number(kver) < number(substr($1, 2))) print $2, $3; next }
	{ print $1, $2 }
	' "$extras"
}

# without_extras KIND LINUX OURS: prints the lines of OURS without those names
# that LINUX does not have and that the file "extras" lists, and without those
# that the file lists as changed.
without_extras()
{
	awk -v kind="$1" '
	FILENAME == ARGV[1] && $1 == kind { allowed[$2] }
	FILENAME == ARGV[1] && $1 == "changed" { changed[$2] }
	FILENAME == ARGV[1] { next }
	FILENAME == ARGV[2] { linux[$1]; next }
	!($1 in changed) && (!($1 in allowed) || $1 in linux)
	' "$out/extras" "$2" "$3"
}

# without_growth LINUX FILE: prints the layouts in FILE, which are Linux's or
# ours.  Of structures that are listed as grown it prints only the members, and
# only those that LINUX has, too.
without_growth()
{
	awk '
	FILENAME == ARGV[1] { if ($1 == "grown") grown[$2]; next }
	!($1 in grown) { if (FILENAME == ARGV[3]) print; next }
	!/;[ \t]*\/\* +[0-9]/ { next }
	FILENAME == ARGV[2] { linux[$0]; next }
	$0 in linux
	' "$out/extras" "$1" "$2"
}

# without_absent KIND FILE: prints the lines of FILE, which are Linux's, without
# those exports that the file "extras" lists as absent from our interfaces.
without_absent()
{
	awk -v kind="$1" '
	FILENAME == ARGV[1] { if ($1 == "absent" && kind == "export") absent[$2]
			      next }
	!($1 in absent)
	' "$out/extras" "$2"
}

# compare TITLE KIND MINIMUM LINUX OURS: one test.
compare()
{
	names=$(awk '{ print $1 }' "$4" | sort -u | wc -l)
	if [ "$names" -lt "$3" ]; then
		fail "$1: only $names names found in Linux, at least $3 expected"
		return
	fi
	without_extras none /dev/null "$4" >"$4.unfiltered"
	without_absent "$2" "$4.unfiltered" >"$4.compared"
	without_extras "$2" "$4" "$5" >"$5.compared"
	if [ "$2" = layout ]; then
		cp "$4.compared" "$4.all"
		for side in "$4" "$5"; do
			without_growth "$4.all" "$side.compared" >"$side.grown"
			mv "$side.grown" "$side.compared"
		done
	fi
	if diff -U 3 --label linux --label ours "$4.compared" "$5.compared" \
		>"$5.diff"; then
		pass "$1: $names alike"
	else
		fail "$1: differ"
		show "$5.diff"
	fi
}

# compare_facts TITLE SET MINIMUM...: compares the facts in OUT/SET/linux with
# those in OUT/SET/ours.  MINIMUMs: the least numbers of macros, function
# macros, enumerators, layouts and prototypes; - for a kind that is not
# compared.
compare_facts()
{
	title=$1 set=$out/$2
	shift 2
	for kind in macro function-macro enumerator layout prototype; do
		[ "$1" = - ] || compare "$title: ${kind}s" $kind "$1" \
			"$set/linux/${kind}s" "$set/ours/${kind}s"
		shift
	done
}

# both SET SOURCE COUNT LINUX-DIRECTORY LINUX-COMMAND OUR-DIRECTORY OUR-COMMAND:
# gathers the facts of SOURCE with Linux's headers and with ours, and fails
# unless each side used COUNT headers of its own directory.
both()
{
	facts "$out/$1/linux" "$5" "$2" || {
		fail "$1: Linux's headers compile"
		return 1
	}
	facts "$out/$1/ours" "$7" "$2" || {
		fail "$1: our headers compile"
		return 1
	}
	if ! is_from "$4" "$3" "$out/$1/linux/headers" ||
		! is_from "$6" "$3" "$out/$1/ours/headers"; then
		fail "$1: each side uses its own headers"
		show "$out/$1/linux/headers"
		show "$out/$1/ours/headers"
		return 1
	fi
	settle_function_macros "$2" "$out/$1/linux" "$5" "$out/$1/ours" "$7"
}

# ------------------------------------------------------------------------
# The user space header
# ------------------------------------------------------------------------

# Does what "make headers_install" does: removes __user and the __KERNEL__
# parts.
install_header()
{
	mkdir -p "$out/include/linux"
	(cd "$kdir" && sh scripts/headers_install.sh \
		"$src/include/uapi/linux/vfio.h" "$out/include/linux/vfio.h")
}

uapi()
{
	printf '#include <linux/vfio.h>\n' >"$out/uapi.c"
	install_header || { fail "our header installs"; return; }

	arch=/usr/include/$(gcc -print-multiarch)
	for mode in 64 32; do
		cc="gcc -m$mode -O1 -isystem $arch"
		both "uapi-$mode" "$out/uapi.c" 1 \
			/usr/include/linux "$cc" \
			"$out/include/linux" "$cc -I$out/include" || continue
		compare_facts "user space, $mode bits" "uapi-$mode" \
			170 3 33 49 -
	done

	# The header as it is in the tree must be usable as well, in strict C.
	if compile "gcc -std=c11 -Wall -Wextra -Wpedantic -Werror" \
		-I"$src/include/uapi" -fsyntax-only "$out/uapi.c"; then
		pass "our header is usable from the tree, without a warning"
	else
		fail "our header is usable from the tree, without a warning"
	fi
}

# ------------------------------------------------------------------------
# The driver headers
# ------------------------------------------------------------------------

# Prints the command with which the kernel compiles a file of a module, without
# the file's name.
kernel_command()
{
	mkdir -p "$out/module"
	echo 'obj-m := probe.o' >"$out/module/Makefile"
	echo '#include <linux/module.h>' >"$out/module/probe.c"
	rm -f "$out/module"/.*.cmd
	make -s -C "$kdir" M="$out/module" probe.o >"$out/compile.log" 2>&1 ||
		return
	sed -n 's/^savedcmd_[^ ]* := *//p' "$out/module/.probe.o.cmd" |
		sed 's/ -c -o .*//; s/ -Wp,-MMD,[^ ]*//'
}

# gcc ignores the annotations of pointers.  Defined as volatile, they are part
# of the types, so that a missing or misplaced one is a difference.
annotations()
{
	for annotation in __user __iomem __rcu __percpu; do
		echo "#undef $annotation"
		echo "#define $annotation volatile"
	done
}

# variant NAME: prints preprocessor lines that set a configuration of the
# kernel.
variant()
{
	case $1 in
	stock)
		;;
	iommufd)
		echo "#define CONFIG_IOMMUFD 1"
		echo "#define CONFIG_VFIO_DEVICE_CDEV 1"
		;;
	groupless)
		echo "#undef CONFIG_VFIO_GROUP"
		echo "#undef CONFIG_VFIO_CONTAINER"
		;;
	esac
}

drivers()
{
	cc=$(kernel_command)
	if [ -z "$cc" ]; then
		fail "the kernel's compiler command is known"
		show "$out/compile.log"
		return
	fi
	cat >"$out/driver.c" <<-END
	#include <linux/io-64-nonatomic-lo-hi.h>
	#include <linux/vfio.h>
	#include <linux/vfio_pci_core.h>
	#include <linux/iova_bitmap.h>
	END
	for variant in stock iommufd groupless; do
		{
			annotations
			variant $variant
		} >"$out/$variant.h"
		linux="$cc -include $out/$variant.h"
		# The first directory has precedence over the kernel's own ones.
		ours=$(echo "$linux" | sed "s|-nostdinc|& -I$src/include|")
		both "driver-$variant" "$out/driver.c" 4 \
			"$ksource/include" "$linux" "$src/include" "$ours" ||
			continue
		case $variant in
		stock) minima="180 8 37 60 69" ;;
		iommufd) minima="180 8 37 60 69" ;;
		groupless) minima="180 8 37 60 69" ;;
		esac
		# shellcheck disable=SC2086 # five numbers
		compare_facts "drivers, $variant" "driver-$variant" $minima
	done
}

# ------------------------------------------------------------------------
# The modules
# ------------------------------------------------------------------------

# exports MODULE FILE: prints name, kind of export and namespace of each symbol
# that MODULE exports according to FILE, a Module.symvers.  The name space of all
# exports of this tree is no interface: vfio-build-config.h imports it.
exports()
{
	awk -F '\t' -v module="$1" '
	{ n = split($3, path, "/") }
	path[n] == module {
		print $2, $4, $5 ~ /^VFIO_OUT_OF_TREE/ ? "" : $5
	}
	' "$2" | sort
}

# interface FILE: prints name and type of the module's parameters, its aliases,
# and its soft dependencies on modules that the kernel has.  Descriptions are
# not compared.
interface()
{
	modinfo -F parm "$1" |
		sed 's/^\([^:]*\):.*(\([^()]*\))$/parameter:\1 \2/'
	modinfo -F alias "$1" | sed 's/^/alias:/'
	kind=
	for word in $(modinfo -F softdep "$1"); do
		case $word in
		pre: | post:)
			kind=$word
			;;
		*)
			! modinfo -k "$kver" -n "$word" >/dev/null 2>&1 ||
				echo "softdep:$kind$word"
			;;
		esac
	done
}

modules()
{
	mkdir -p "$out/modules"
	for module in vfio:27 vfio-pci-core:31; do
		minimum=${module#*:} module=${module%:*}
		linux=$out/modules/$module.exports.linux
		ours=$out/modules/$module.exports.ours
		exports "$module" "$kdir/Module.symvers" >"$linux"
		if [ -s "$build/Module.symvers" ]; then
			exports "$module" "$build/Module.symvers" >"$ours"
			compare "exports of $module" export "$minimum" \
				"$linux" "$ours"
		else
			fail "exports of $module: no Module.symvers in $build"
		fi
	done
	for module in vfio:3 vfio_iommu_type1:3 vfio-pci:7; do
		minimum=${module#*:} module=${module%:*}
		linux=$out/modules/$module.interface.linux
		ours=$out/modules/$module.interface.ours
		ko=$(find "$build" -name "$module.ko")
		interface "$(modinfo -k "$kver" -n "$module")" | sort >"$linux"
		if [ -f "$ko" ]; then
			interface "$ko" | sort >"$ours"
			compare "parameters and aliases of $module" interface \
				"$minimum" "$linux" "$ours"
		else
			fail "parameters and aliases of $module: no $module.ko in $build"
		fi
	done
}

case $out in
*/build/abi) rm -rf "$out" ;;
*) die "not made for $out" ;;
esac
mkdir -p "$out"
[ -f "$extras" ] || die "$extras is not there"
extras_now >"$out/extras"

uapi
drivers
modules

echo "1..$tests"
[ "$failed" = 0 ]
