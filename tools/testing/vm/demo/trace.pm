# SPDX-License-Identifier: GPL-2.0-only
#
# Reads lines of the file that QEMU writes its trace events to.

package trace;

use strict;
use warnings;
use Exporter 'import';
use Time::Local qw(timegm);

our @EXPORT = qw(trace_event);

# Returns the event's time (in seconds since 1970), its name and what follows; an
# empty list if the line is no event.  QEMU before 11.0 writes
# "PID@SECONDS:EVENT ...", later ones "2026-11-29T08:48:04.491374Z EVENT ...".
sub trace_event {
	my ($line) = @_;

	return ($1, $2, $3)
		if $line =~ /^\d+\@(\d+\.\d+):(\S+)\s*(.*)/;
	my ($year, $month, $rest, $fraction, $event, $text) = $line =~
		/^(\d{4})-(\d\d)-(\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z (\S+)\s*(.*)/
		or return;
	my ($day, $hour, $minute, $second) = split /[T:]/, $rest;
	my $time = timegm($second, $minute, $hour, $day, $month - 1, $year);
	return ($time + ($fraction // 0), $event, $text);
}

1;
