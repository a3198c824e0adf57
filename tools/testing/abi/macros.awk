# SPDX-License-Identifier: GPL-2.0-only
#
# Reads the output of "gcc -E -dD", and finds the macros that the vfio headers
# define.  Writes to the directory "dir":
#   headers.raw          names of the headers
#   macros.text          macros whose text is their value: strings, empty macros
#   function-macros.raw  macros with parameters
#   eval.c               C source that includes the file "probe"; compiled, it
#                        leaves the values of the other macros as comments in
#                        the assembler output, and the types of pointers and
#                        variables as prototypes in the output of -aux-info

function squeeze(text)
{
	gsub(/[ \t]/, "", text)
	return text
}

/^# [0-9]+ "/ {
	file = $3
	gsub(/"/, "", file)
	ours = file ~ /\/linux\/(vfio(_pci_core)?|iova_bitmap)\.h$/
	if (ours)
		print file >(dir "/headers.raw")
	next
}

!ours {
	next
}

/^#undef / {
	delete macro[$2]
	next
}

/^#define / {
	text = substr($0, 9)
	match(text, /^[A-Za-z0-9_]+/)
	name = substr(text, 1, RLENGTH)
	macro[name] = substr(text, RLENGTH + 1)
	next
}

/^extern [^(]*;$/ {
	name = $0
	sub(/(\[[^]]*\])?;$/, "", name)
	sub(/.*[ *]/, "", name)
	variable[name]
}

END {
	eval = dir "/eval.c"
	printf "" >(dir "/macros.text")
	printf "" >(dir "/function-macros.raw")
	print "#include \"" probe "\"" >eval
	# In two halves, as gcc does not print an operand of 64 bits.
	print "#define ABI_HALF(x, shift) \\" >eval
	print "\t((unsigned int)((unsigned long long)(x) >> (shift)))" >eval
	print "#define ABI_VALUE(name, x) \\" >eval
	print "\t__asm__ volatile (\"\\n# abi \" name " \
		"\" %c0:%c1 size %c2 signed %c3\" : : \\" >eval
	print "\t\t\"i\"(ABI_HALF(x, 32)), \"i\"(ABI_HALF(x, 0)), \\" >eval
	print "\t\t\"i\"(sizeof(x)), \"i\"((__typeof__(x))-1 < 0))" >eval
	for (name in variable)
		printf "extern __typeof__(&%s) abi_address_of_%s(void);\n",
			name, name >eval
	for (name in macro)
		if (macro[name] ~ /NULL\)$/)
			printf "extern __typeof__(*(%s)) abi_pointer_%s;\n",
				name, name >eval
	print "void abi_values(void);" >eval
	print "void abi_values(void)\n{" >eval
	for (name in macro) {
		text = macro[name]
		if (text ~ /^\(/)
			print name, squeeze(text) >(dir "/function-macros.raw")
		else if (text ~ /^ *$/)
			print name, "empty" >(dir "/macros.text")
		else if (text ~ /^ *"/)
			print name, text >(dir "/macros.text")
		else if (text !~ /NULL\)$/)
			printf "\tABI_VALUE(\"%s\", %s);\n", name, name >eval
	}
	print "}" >eval
}
