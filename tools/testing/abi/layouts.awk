# SPDX-License-Identifier: GPL-2.0-only
#
# Reads the output of "pahole --show_decl_info", and prints the layouts of the
# types that the vfio headers define, with the type's name at the start of each
# line.

/^\/\* <[0-9a-f]+> / {
	file = $3
	sub(/:[0-9]+$/, "", file)
	ours = file ~ /\/linux\/vfio(_pci_core)?\.h$/
	next
}

/^(struct|union|enum|typedef) / {
	name = $2
	print_it = ours
	ours = 0
}

print_it && !/^$|^\t*\/\* (XXX|---|forced|last|sum|paddings|holes)/ {
	print name, $0
}

/^}/ {
	print_it = 0
}
