# SPDX-License-Identifier: GPL-2.0-only
#
# Reads the output of "readelf --debug-dump=info", and prints name and value of
# the enumerators whose names begin with VFIO or vfio.

/DW_TAG_/ {
	enumerator = /DW_TAG_enumerator/
}

enumerator && /DW_AT_name/ {
	name = $NF
}

enumerator && /DW_AT_const_value/ && name ~ /^(VFIO|vfio)/ {
	print name, $NF
}
