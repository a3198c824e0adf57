#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Makes HTML of Documentation/ with this machine's Sphinx.  The kernel's tools
# that it needs (kernel-doc, and its extensions of Sphinx) are taken from a
# kernel's source.

set -eu

usage()
{
	cat <<-END
	usage: htmldocs.sh [--kernel SOURCE] [OUT]

	Makes OUT/index.html (default: build/htmldocs).  A warning is an error, and
	so is an exported function of the migration libraries that no page
	describes.
	  --kernel SOURCE   take the kernel's tools from there: a source tree of
	                    Linux 6.12 or a linux-source-6.12.tar.xz (default: the
	                    one in the Debian root of the tests, see root.sh)
	END
}

die()
{
	echo "htmldocs.sh: $*" >&2
	exit 1
}

cd "$(dirname "$(realpath "$0")")/.."
kernel=
out=build/htmldocs
while [ $# -gt 0 ]; do
	case $1 in
	--help) usage; exit 0 ;;
	--kernel)
		[ $# -gt 1 ] || { usage >&2; exit 2; }
		kernel=$2
		shift
		;;
	-*) usage >&2; exit 2 ;;
	*) out=$1 ;;
	esac
	shift
done

command -v sphinx-build >/dev/null ||
	die "sphinx-build is missing: apt-get install python3-sphinx" \
		"python3-sphinx-rtd-theme"
command -v perl >/dev/null || die "perl is missing: apt-get install perl"

# A source tree is used as it is; of a tarball only the tools are unpacked.
unpacked=build/kernel-doc
if [ -z "$kernel" ]; then
	kernel=$(tools/testing/vm/root.sh)/usr/src/linux-source-6.12.tar.xz
fi
if [ -f "$kernel" ]; then
	if [ ! "$unpacked/scripts/kernel-doc" -nt "$kernel" ]; then
		rm -rf "$unpacked"
		mkdir -p "$unpacked"
		tar -C "$unpacked" --strip-components=1 --touch --wildcards \
			-xf "$kernel" '*/scripts/kernel-doc' \
			'*/Documentation/sphinx'
	fi
	kernel=$unpacked
fi
[ -e "$kernel/scripts/kernel-doc" ] ||
	die "$kernel has no scripts/kernel-doc: give the source of Linux 6.12"

# KDOC_WERROR: kernel-doc fails after a warning, of which Sphinx then warns.
# -E: a page with a warning is read again the next time.
KERNEL_DOC=$(realpath "$kernel") srctree=$PWD KDOC_WERROR=1 \
	PYTHONDONTWRITEBYTECODE=1 sphinx-build -W --keep-going -q -E \
	-b html -d "$out/.doctrees" Documentation "$out"

undescribed=$(
	sed -n 's/^EXPORT_SYMBOL\(_GPL\)\?(\(.*\));$/\2/p' \
		drivers/vfio/migration/*.c drivers/vfio/pci/migration/*.c |
		while read -r function; do
			# Or, as kernel-doc can't describe variables, a mention
			grep -q -e "id=\"c\.$function\"" -e ">$function<" \
				"$out"/driver-api/*.html || echo "$function"
		done
)
# shellcheck disable=SC2086 # words
[ -z "$undescribed" ] || die "no page describes these functions; write" \
	"kernel-doc and name their files in vfio-migration.rst:" $undescribed
echo "$out/index.html"
