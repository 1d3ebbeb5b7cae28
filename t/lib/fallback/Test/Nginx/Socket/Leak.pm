package Test::Nginx::Socket::Leak;

# Sends a block's first request again and again and fits a line through the
# resident memory of nginx: what grows with the number of requests leaks.

use strict;
use warnings;

use Exporter 'import';
use Test::More ();

use Test::Nginx::Socket::Client qw(talk);
use Test::Nginx::Socket::Server qw(server_pids file_read);

our @EXPORT_OK = qw(leak_check);

# The first rounds fill nginx's free lists and the allocator's.
use constant {
    ROUNDS         => 14,
    WARM           => 6,
    REQUESTS       => $ENV{TEST_NGINX_CHECK_LEAK_COUNT} || 200,    # a round
    BYTES_MAX      => 12,    # a request; one small malloc is 24 or more
    NOISE_KIB      => 64,    # growth below it is the allocator's
};

sub resident_kib {
    my $sum = 0;

    for my $pid (server_pids()) {
        $sum += $1 if file_read("/proc/$pid/status") =~ /^VmRSS:\s+(\d+) kB/m;
    }
    return $sum;
}

# least squares, KiB a round
sub slope {
    my @y = @_;
    my $n = @y;
    my ($sx, $sy, $sxy, $sxx) = (0, 0, 0, 0);

    for my $x (0 .. $n - 1) {
        $sx  += $x;
        $sy  += $y[$x];
        $sxy += $x * $y[$x];
        $sxx += $x * $x;
    }
    return ($n * $sxy - $sx * $sy) / ($n * $sxx - $sx * $sx);
}

# Blocks that need a peer or time of their own are not repeated.
sub can_repeat {
    my ($block) = @_;

    return !grep { defined $block->$_ }
        qw(tcp_listen timeout abort raw_request_middle_delay wait ignore_response no_check_leak);
}

sub leak_check {
    my ($block, $packets) = @_;
    my @kib;

    return if !can_repeat($block);
    for (1 .. ROUNDS) {
        talk($block, $packets) for 1 .. REQUESTS;
        push @kib, resident_kib();
    }
    splice @kib, 0, WARM;
    my $bytes = slope(@kib) * 1024 / REQUESTS;
    Test::More::ok($bytes <= BYTES_MAX || $kib[-1] - $kib[0] <= NOISE_KIB,
        sprintf '%s - memory grows by %.1f bytes a request', $block->name, $bytes)
        or Test::More::diag("resident KiB a round: @kib");
    return;
}

1;
