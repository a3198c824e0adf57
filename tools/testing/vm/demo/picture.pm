# SPDX-License-Identifier: GPL-2.0-only
#
# Draws report's results as SVG: a bar with the downtime of each move, then a
# panel with the whole run and one with each move.  The rows of a panel share
# one time line: the devices' states, the pings, TCP, and the passes over the
# VM's memory.

package picture;

use strict;
use warnings;
use svg;

my ($width, $left, $right) = (1100, 110, 20);
my %colour = (
	RUNNING => '#2e8b57', RUNNING_P2P => '#66cdaa', STOP => '#b03a2e',
	STOP_COPY => '#e59866', RESUMING => '#5dade2', ERROR => '#000000',
	PRE_COPY => '#9acd32', PRE_COPY_P2P => '#bdb76b', open => '#d5f5e3',
	device => '#1f618d', container => '#b9770e', virtio => '#7f8c8d',
	share => '#e59866', found => '#d2b4de', sent => '#8e44ad',
);
my %height = (device => 24, ping => 108, tcp => 72, passes => 72);

sub rect {
	my ($x, $y, $w, $h, $fill, $title) = @_;
	return sprintf '<rect x="%.1f" y="%.1f" width="%.2f" height="%.1f" fill="%s"><title>%s</title></rect>' . "\n",
		$x, $y, $w < 1 ? 1 : $w, $h, $fill, $title || '';
}

sub seconds {
	my ($s) = @_;
	return $s >= 1 ? sprintf '%.2f s', $s : sprintf '%.0f ms', $s * 1e3;
}

sub mib {
	my ($bytes) = @_;
	return sprintf '%.1f MiB', $bytes / 1048576;
}

# x_of(PANEL, TIME): the x coordinate of a time in a panel
sub x_of {
	my ($panel, $t) = @_;
	my ($from, $to) = @{$panel}{qw(from to)};
	$t = $from if $t < $from;
	$t = $to if $t > $to;
	return $left + ($t - $from) * ($width - $left - $right) / ($to - $from);
}

sub device_row {
	my ($panel, $y, $host, $name, @lane) = @_;
	my $svg = svg::text(10, $y + 14, $name ? "$host $name" : "device on $host");
	for (@lane) {
		my ($from, $to, $state) = @$_;
		my $x = x_of($panel, $from);
		$svg .= rect($x, $y, x_of($panel, $to) - $x, 18,
			$colour{$state} || '#888888',
			"$state, " . seconds($to - $from));
	}
	return $svg;
}

sub ping_row {
	my ($panel, $y, $nic) = @_;
	my $ping = $nic->{ping};
	my @seen = grep { $_->[0] >= $panel->{from} && $_->[0] <= $panel->{to} }
		values %{$ping->{got}};
	# The slowest answers, one in fifty, do not count for the scale.
	my @rtt = sort { $a <=> $b } map { $_->[1] } @seen;
	my $most = @rtt ? $rtt[int(0.98 * $#rtt)] : 0;
	$most = 10 if $most < 10;
	my $svg = svg::text(10, $y + 14, "$nic->{name}ping");
	$svg .= svg::text(10, $y + 30, sprintf('0..%.0f ms', $most));
	for (@seen) {
		$svg .= sprintf '<circle cx="%.1f" cy="%.1f" r="1.6" fill="#1f618d"/>' . "\n",
			x_of($panel, $_->[0]),
			$y + 95 - 90 * ($_->[1] < $most ? $_->[1] / $most : 1);
	}
	for my $run (@{$ping->{runs}}) {
		my ($first, $last, $before, $after) = @$run;
		my $n = $last - $first + 2;
		for my $i (1 .. $n - 1) {
			my $t = $before + ($after - $before) * $i / $n;
			next if $t < $panel->{from} || $t > $panel->{to};
			$svg .= rect(x_of($panel, $t), $y + 88, 1, 8,
				'#c0392b', 'lost');
		}
	}
	return $svg;
}

# Progress lines of the transfer in the panel, half a second apart or more
sub tcp_points {
	my ($panel, $nic) = @_;
	my @points;
	for (@{$nic->{stream}{progress}}) {
		push @points, $_ if $_->[0] >= $panel->{from} - 1
			&& $_->[0] <= $panel->{to} + 1
			&& (!@points || $_->[0] >= $points[-1][0] + 0.5);
	}
	return @points;
}

sub tcp_row {
	my ($panel, $y, $nic) = @_;
	my @points = tcp_points($panel, $nic);
	my $svg = svg::text(10, $y + 14, "$nic->{name}TCP in, out");
	$svg .= svg::text(10, $y + 30, 'KB/s');
	for my $pair ([1, '#117a65'], [2, '#b9770e']) {
		my ($column, $colour) = @$pair;
		my $path = '';
		for my $i (1 .. $#points) {
			my $dt = $points[$i][0] - $points[$i - 1][0] or next;
			my $rate = ($points[$i][$column] -
				$points[$i - 1][$column]) / $dt / 1000;
			$rate = 500 if $rate > 500;
			$path .= sprintf '%.1f,%.1f ',
				x_of($panel, $points[$i][0]),
				$y + 62 - 60 * $rate / 500;
		}
		$svg .= qq(<polyline points="$path" fill="none" stroke="$colour"/>\n);
	}
	return $svg;
}

# Two bars for each pass: light, what had been written when it began, and in
# front of that, dark, what was sent in it.
sub passes_row {
	my ($panel, $y, $move) = @_;
	my @passes = @{$move->{passes}};
	my $svg = svg::text(10, $y + 14, 'memory written');
	$svg .= svg::text(10, $y + 30, '(light), sent');
	$svg .= svg::text(10, $y + 46, '(dark), per pass');
	for my $i (0 .. $#passes) {
		my ($at, $found, $sent) = @{$passes[$i]}{qw(at found sent)};
		my $end = $i < $#passes ? $passes[$i + 1]{at} : $move->{run};
		my $x = x_of($panel, $at);
		my $w = x_of($panel, $end) - $x - 2;
		for my $bar ([$found, 'found'], [$sent, 'sent']) {
			my ($bytes, $what) = @$bar;
			my $h = 46 * $bytes / ($move->{total} || 1);
			$h = 46 if $h > 46;
			$svg .= rect($x, $y + 62 - $h, $w, $h < 1 ? 1 : $h,
				$colour{$what},
				sprintf 'pass %d: %s %s', $i + 1, $what,
				mib($bytes));
		}
		next if $w < 120;
		$svg .= svg::text($x + 2, $y + 10, sprintf('%s written, %s sent',
			mib($found), mib($sent)), 'font-size="10"');
	}
	return $svg;
}

sub scale {
	my ($panel, $top, $bottom, $zero) = @_;
	my ($from, $to) = @{$panel}{qw(from to)};
	my ($step, $svg) = (1, '');
	for (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) {
		$step = $_;
		last if ($to - $from) / $_ <= 12;
	}
	my $first = int(($from - $zero) / $step) * $step;
	for (my $t = $first; $t <= $to - $zero; $t += $step) {
		next if $t + $zero < $from;
		my $at = x_of($panel, $t + $zero);
		$svg .= sprintf '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#cccccc" stroke-width="0.5"/>' . "\n",
			$at, $top, $at, $bottom;
		$svg .= svg::text($at, $bottom + 12, sprintf('%g s', $t),
			'text-anchor="middle" fill="#555555"');
	}
	return $svg;
}

# The rows of a panel: [kind, function that draws it, argument, ...]
sub rows {
	my ($panel, $what) = @_;
	my @rows;
	for my $host ('A', 'B') {
		my @lanes = $what->{lanes}->($host, @{$panel}{qw(from to)});
		@lanes = ([]) unless @lanes;
		for (@lanes) {
			my ($device, @lane) = @$_;
			push @rows, ['device', \&device_row, $host,
				@lanes > 1 ? $device : '', @lane];
		}
	}
	push @rows, ['ping', \&ping_row, $_], ['tcp', \&tcp_row, $_]
		for @{$what->{nics}};
	push @rows, ['passes', \&passes_row, $panel->{move}] if $panel->{move};
	return @rows;
}

# Returns the drawing of a panel, and its height.
sub panel {
	my ($top, $panel, $what) = @_;
	my $first = $top + 28;
	my ($y, $rows) = ($first, '');

	for (rows($panel, $what)) {
		my ($kind, $draw, @arguments) = @$_;
		$rows .= $draw->($panel, $y, @arguments);
		$y += $height{$kind};
	}
	my $svg = svg::text(10, $top + 14, $panel->{title}, 'font-weight="bold"');
	for my $move (@{$what->{moves}}) {
		next if $move->{run} < $panel->{from}
			|| $move->{stop} > $panel->{to};
		my $x = x_of($panel, $move->{stop});
		$svg .= rect($x, $first - 4, x_of($panel, $move->{run}) - $x,
			$y - $first + 4, '#f2d7d5',
			'VM stopped: ' . seconds($move->{downtime}));
	}
	$svg .= $rows . scale($panel, $first - 4, $y, $what->{zero});
	return $svg, $y + 40 - $top;
}

# A bar for the downtime of each move with the devices' share of it, and a text.
sub summary {
	my ($top, @moves) = @_;
	my ($most) = sort { $b <=> $a } 0.001, map { $_->{downtime} } @moves;
	my $svg = '';
	my $y = $top;
	for (@moves) {
		my $w = 250 * $_->{downtime} / $most;
		$svg .= svg::text(10, $y + 13, "move $_->{n}: downtime");
		$svg .= rect(150, $y, $w, 16, $colour{$_->{colour}}, 'downtime');
		$svg .= rect(150, $y + 10, $w * $_->{share} / $_->{downtime}, 6,
			$colour{share}, 'of the devices') if $_->{share};
		$svg .= svg::text(156 + $w, $y + 13, sprintf(
			'%s, %s sent meanwhile, %d passes; %s',
			seconds($_->{downtime}), mib($_->{'downtime-bytes'}),
			$_->{'dirty-sync-count'}, $_->{tracked}));
		$y += 22;
	}
	return $svg, $y - $top + 12;
}

sub legend {
	my ($y) = @_;
	my ($at, $svg) = (10, '');
	for my $state (qw(open RUNNING PRE_COPY STOP STOP_COPY RESUMING ERROR)) {
		$svg .= rect($at, $y, 12, 12, $colour{$state});
		$svg .= svg::text($at + 17, $y + 11, $state eq 'open' ? 'no VM yet' :
			$state);
		$at += 30 + 9 * (length $state < 7 ? 7 : length $state);
	}
	$svg .= rect($at, $y, 12, 12, '#f2d7d5');
	return $svg . svg::text($at + 17, $y + 11, 'VM stopped');
}

# picture::draw(PATH, title =>, foot =>, zero => TIME, end => TIME,
#	nics => [...], moves => [...], lanes => sub (HOST, FROM, TO))
sub draw {
	my ($path, %what) = @_;
	my @panels = ({ title => 'the whole run', from => $what{zero},
			to => $what{end} });
	push @panels, map { {
		move => $_, from => $_->{begin} - 0.3,
		to => $_->{run} + 0.3 * $_->{downtime} + 0.5,
		title => sprintf('move %d, host %s to host %s: downtime %s, ' .
			'device state %d bytes; %s', @{$_}{qw(n from to)},
			seconds($_->{downtime}), @{$_}{qw(state tracked)}),
	} } @{$what{moves}};

	my ($svg, $used) = summary(34, @{$what{moves}});
	my $y = 34 + $used;
	$svg .= legend($y);
	$y += 28;
	for (@panels) {
		my ($drawn, $high) = panel($y, $_, \%what);
		$svg .= $drawn;
		$y += $high;
	}
	my $height = $y + 30;
	svg::save($path, $width, $height,
		svg::text(10, 22, $what{title}, 'font-size="17"'), $svg,
		svg::text(10, $height - 15, $what{foot}));
}

1;
