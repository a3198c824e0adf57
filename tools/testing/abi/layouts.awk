# SPDX-License-Identifier: GPL-2.0-only
#
# Reads "pahole --show_decl_info": the layouts of what the vfio headers
# define, each line with the name of the structure before it.

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
