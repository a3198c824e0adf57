# SPDX-License-Identifier: GPL-2.0-only
# Makes one table of the programs' results for our modules and for the
# distribution's.  Reads two files, in this order, of lines WHAT, UNIT and
# NUMBER with tabs between.
BEGIN {
	FS = "\t"
}

FNR == 1 {
	file++
}

{
	line = $1 FS $2
	if (file == 1)
		order[++n] = line
	value[file, line] = $3
}

# Small ratios have three digits.
function ratio(a, b) {
	return sprintf(a / b < 0.095 ? "%.3f" : "%.2f", a / b)
}

END {
	printf "%-38s %-6s %10s %10s %7s\n", "", "per", "ours", "distro",
		"ratio"
	for (i = 1; i <= n; i++) {
		split(order[i], part)
		a = value[1, order[i]]
		b = value[2, order[i]]
		digits = a < 1000 && a != int(a)
		printf "%-38s %-6s %10." digits "f %10." digits "f %7s\n",
			part[1], part[2], a, b, ratio(a, b)
	}
}
