# SPDX-License-Identifier: GPL-2.0-only
#
# Text elements and the file of an SVG picture.

package svg;

use strict;
use warnings;
use File::Basename;

# svg::text(X, Y, TEXT, ATTRIBUTES): an element
sub text {
	my ($x, $y, $text, $attributes) = @_;
	$text =~ s/&/&amp;/g;
	$text =~ s/</&lt;/g;
	return sprintf '<text x="%.1f" y="%.1f" %s>%s</text>' . "\n", $x, $y,
		$attributes || '', $text;
}

# svg::save(PATH, WIDTH, HEIGHT, ELEMENT...)
sub save {
	my ($path, $width, $height, @elements) = @_;
	my $program = basename($0);

	open my $file, '>', $path or die "$program: $path: $!\n";
	print $file qq(<svg xmlns="http://www.w3.org/2000/svg" width="$width" height="$height" font-family="sans-serif" font-size="12">\n),
		qq(<rect width="$width" height="$height" fill="white"/>\n),
		@elements, "</svg>\n";
	close $file or die "$program: $path: $!\n";
}

1;
