# SPDX-License-Identifier: GPL-2.0-only
#
# Prints the reports of KCSAN in a console log in which a module of this tree took
# part.  Races among other parts of the kernel are not ours to judge.

/BUG: KCSAN:/	{ report = ""; reading = 1 }
reading		{ report = report $0 "\n" }
reading && /^(\[[^]]*\] )?=====+/ {
	if (report ~ /\[(vfio|igbvf_vfio|iova_bitmap)[a-z_0-9]*\]/)
		printf "%s", report
	reading = 0
}
