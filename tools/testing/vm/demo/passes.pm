# SPDX-License-Identifier: GPL-2.0-only
#
# The passes of a migration over the VM's memory, from QEMU's trace.  At the
# start of a pass, QEMU asks what was written since the last pass.  In the first
# pass that is all of the memory; in the last pass the VM is stopped.  Gives no
# verdict.

package passes;

use strict;
use warnings;

# passes::of(trace => [[time, event, rest], ...], result => { ... })
#
# trace is that of the source, from the start of the migration on; result is
# what QMP returns at its end.  Returns a list of { at, found, sent }: when the
# pass began, how many bytes of memory had been written then, and how many bytes
# were sent in the pass.
sub of {
	my %arg = @_;
	my $result = $arg{result};
	my ($transferred, @passes) = (0);

	for (@{$arg{trace}}) {
		my ($at, $event, $rest) = @$_;
		$transferred = $1 if $event eq 'migration_transferred_bytes'
			&& $rest =~ /qemu_file (\d+)/;
		next unless $event eq 'migration_bitmap_sync_end'
			&& $rest =~ /dirty_pages (\d+)/;
		push @passes, { at => $at, found => $1 * 4096,
				before => $transferred };
	}
	return unless @passes;
	$passes[0]{found} = $result->{total};
	# The last pass begins when the VM is stopped.
	$passes[-1]{before} = $result->{'precopy-bytes'} if @passes > 1;
	my $after = $result->{'precopy-bytes'} + $result->{'downtime-bytes'};
	for (reverse @passes) {
		# The trace and the result differ by some bytes.
		$_->{sent} = $after > $_->{before} ? $after - $_->{before} : 0;
		$after = $_->{before};
	}
	return @passes;
}

# Returns how many bytes were left to send when the source decided to stop the
# VM.
sub left {
	my ($left) = map { $_->[2] =~ /(\d+)/ } grep {
		$_->[1] eq 'migration_thread_low_pending' } @_;
	return $left // 0;
}

sub line {
	my ($n, $pass, $previous, $last) = @_;
	my $when = $n == 1 ? 'pass 1' : sprintf 'pass %d, %.2f s later%s', $n,
		$pass->{at} - $previous->{at}, $last ? ', VM stopped' : '';
	return sprintf '%-36s %7.1f MiB %-9s %7.1f MiB sent', "$when:",
		$pass->{found} / 1048576, $n == 1 ? 'in all,' : 'written,',
		$pass->{sent} / 1048576;
}

# Returns a line of text for each pass.
sub lines {
	my (@passes) = @_;
	return map { line($_ + 1, $passes[$_], $_ ? $passes[$_ - 1] : undef,
		$_ == $#passes) } 0 .. $#passes;
}

1;
