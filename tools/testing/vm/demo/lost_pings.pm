# SPDX-License-Identifier: GPL-2.0-only
#
# Finds out what lost each ping of the demo: the device, the outage of a
# migration, or the test bed.  The cause follows from the place where the ping
# was seen last.  A request passes these places, and its reply passes them in
# the other direction:
#
#	the peer's kernel		ping
#	the peer's port of the switch	peer/frames.pcap
#	the 82576 of each host		A/frames-N.pcap, B/frames-N.pcap
#	the guest's driver		"frames in", "frames out" of the VM
#
# The switch is a hub, so both hosts see each request.  This file only reads
# logs.

package lost_pings;

use strict;
use warnings;

# Sequence numbers have 16 bits.  Returns the number with these bits that is
# nearest to the last one.
sub unwrap {
	my ($last, $seq) = @_;
	my $step = ($seq - $last) & 0xffff;
	$step -= 0x10000 if $step >= 0x8000;
	return $last + $step;
}

# Reads the pings of an address from a capture: { request => { number => time },
# reply => ... }, with the first time of each; nothing if there is no capture.
sub read_capture {
	my ($path, $address) = @_;
	my %seen = (request => {}, reply => {});
	my ($header, $frame, %last);

	open my $file, '<:raw', $path or return;
	return unless (read($file, $header, 24) || 0) == 24
		&& unpack('L', $header) == 0xa1b2c3d4;
	while ((read($file, $header, 16) || 0) == 16) {
		my ($sec, $usec, $len) = unpack 'L3', $header;
		last unless (read($file, $frame, $len) || 0) == $len;
		# Ethernet, IPv4 without options, ICMP
		next unless $len >= 42 && unpack('x12 n C', $frame) == 0x0800;
		my ($ihl, $protocol) = unpack 'x14 C x8 C', $frame;
		next unless $ihl == 0x45 && $protocol == 1;
		my ($from, $to, $type, $seq) = unpack 'x26 a4 a4 C x5 n', $frame;
		my $what = { 8 => 'request', 0 => 'reply' }->{$type} or next;
		next if ($type ? $to : $from) ne $address;
		$seq = unwrap($last{$what} || 0, $seq);
		$last{$what} = $seq;
		$seen{$what}{$seq} //= $sec + $usec / 1e6;
	}
	return \%seen;
}

# What the guest's driver saw: { in => { number => 1 }, out => ... }, or
# nothing.
sub read_guest {
	my %seen;
	for (@_) {
		if (/^frames (in|out) (\d+) (\d+)$/) {
			$seen{$1}{$_} = 1 for $2 .. $3;
		}
	}
	return $seen{in} && $seen{out} ? \%seen : undef;
}

# Adds a number of seconds to all times of a capture.
sub shift_clock {
	my ($capture, $by) = @_;
	for my $times (values %$capture) {
		$_ += $by for values %$times;
	}
}

# Puts all captures on the peer's clock.  Each capture has a clock of its own,
# with another zero but the same speed.  The quickest frame is taken to need no
# time, which gives the offset.
sub set_clocks {
	my ($captures, $answered) = @_;
	my $peer = $captures->{peer};
	my $least;

	for my $seq (keys %$answered) {
		my $seen = $peer->{reply}{$seq} // next;
		my $late = $answered->{$seq}[0] + $answered->{$seq}[1] / 1e3 - $seen;
		$least = $late if !defined $least || $late < $least;
	}
	return unless defined $least;
	shift_clock($peer, $least);
	for my $host ('A', 'B') {
		my $capture = $captures->{$host};
		my $most;
		for my $seq (keys %{$capture->{request}}) {
			my $sent = $peer->{request}{$seq} // next;
			my $early = $sent - $capture->{request}{$seq};
			$most = $early if !defined $most || $early > $most;
		}
		shift_clock($capture, $most) if defined $most;
	}
	return 1;
}

# lost_pings::causes(dir => DIR, nic => K, pf => N, answered => { number =>
# [sent, ms] },
#	lost => [numbers], guest => [lines of the VM],
#	runs => { A => [[from, to], ...], B => ... }, stall => SECONDS)
#
# K is the number of the VM's network card, N that of the hosts' PF that has the
# VF; runs has the times in which each host's VF ran, on the peer's clock; stall
# is the longest time for which the machine did not let the guest run.  Returns
# [cause, text] for each lost ping; cause is "outage", "device", "bed" or
# "unknown".
sub causes {
	my %arg = @_;
	my $address = pack 'C4', 10, 1, $arg{nic}, 2;
	my %captures = map {
		my $name = $_ eq 'peer' ? 'frames' : "frames-$arg{pf}";
		$_ => scalar read_capture("$arg{dir}/$_/$name.pcap", $address)
	} qw(peer A B);
	my $guest = read_guest(@{$arg{guest}});
	my @missing = grep { !$captures{$_} } sort keys %captures;
	push @missing, 'VM' unless $guest;
	push @missing, 'clocks' unless @missing
		|| set_clocks(\%captures, $arg{answered});
	return map { [unknown => "no record of: @missing"] } @{$arg{lost}}
		if @missing;
	return map { [of_request($_, \%captures, $guest, $arg{runs},
			$arg{stall})] } @{$arg{lost}};
}

sub of_request {
	my ($seq, $captures, $guest, $runs, $stall) = @_;
	my $sent = $captures->{peer}{request}{$seq};

	return (bed => 'the peer did not send it') unless defined $sent;
	return of_reply($seq, $captures, $guest) if $guest->{in}{$seq};
	for my $host ('A', 'B') {
		my $there = $captures->{$host}{request}{$seq} // next;
		next unless grep { $there >= $_->[0] && $there <= $_->[1] }
			@{$runs->{$host}};
		my $text = "host $host\'s 82576 had it while the VF ran, " .
			'the guest\'s driver did not';
		return (device => $text) unless $stall;
		return (unknown => "$text; it may have had no buffers, " .
			"as the guest once stood still for $stall s");
	}
	for my $host ('A', 'B') {
		return (bed => "lost between the switch and host $host")
			if !defined $captures->{$host}{request}{$seq}
			&& grep { $sent >= $_->[0] && $sent <= $_->[1] }
				@{$runs->{$host}};
	}
	return (outage => 'the VF did not run');
}

sub of_reply {
	my ($seq, $captures, $guest) = @_;

	return (bed => 'the guest\'s kernel did not answer')
		unless $guest->{out}{$seq};
	return (bed => 'the peer did not take the answer')
		if defined $captures->{peer}{reply}{$seq};
	return (bed => 'the answer was lost between a host and the switch')
		if grep { defined $captures->{$_}{reply}{$seq} } 'A', 'B';
	return (device => 'the guest\'s driver was given the answer, ' .
		'no 82576 sent it');
}

1;
