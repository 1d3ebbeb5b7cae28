package Test::Nginx::Socket::Client;

# Sends one request's packets over one connection, reads until the server
# closes, and takes HTTP/1.x responses off what was read.

use strict;
use warnings;

use Errno qw(EAGAIN EINTR EWOULDBLOCK);
use Exporter qw(import);
use IO::Select;
use IO::Socket::INET;
use Test::More ();
use Time::HiRes qw(sleep time);

use Test::Nginx::Socket::Setup qw(%set parse_time);

our @EXPORT_OK = qw(talk response_take);

use constant {
    CONNECT_TRIES => 100,
    CONNECT_STEP  => 0.05,       # seconds
    READ_MAX      => 65_536,     # bytes a read
    RESPONSE_MAX  => 64 << 20,
};

sub connect_to_server {
    my ($block) = @_;

    for (1 .. CONNECT_TRIES) {
        my $sock = IO::Socket::INET->new(
            PeerAddr => $block->server_addr_for_client // $set{server_addr},
            PeerPort => $set{client_port},
            Proto    => 'tcp',
            Timeout  => $set{timeout_s},
        );
        if ($sock) {
            $sock->blocking(0);
            return $sock;
        }
        sleep CONNECT_STEP;
    }
    Test::More::fail($block->name . " - cannot connect to port"
          . " $set{client_port}: $!");
    return undef;
}

sub try_again { return $! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR }

# Writes what is due; returns 0 once nothing is left or the peer takes no more.
sub write_some {
    my ($io, $sock) = @_;

    while (@{ $io->{packets} }) {
        my $packet = $io->{packets}[0];
        if (!$packet->{is_due}) {
            $io->{due_at} = time + ($packet->{delay_before}
                  // ($io->{sent_any} ? $io->{middle_delay} : 0));
            $packet = $io->{packets}[0] = { %$packet, is_due => 1 };
        }
        return 1 if time < $io->{due_at};

        $io->{sent_any} = 1;
        my $left = length($packet->{value}) - $io->{offset};
        my $count =
            $left > 0
            ? syswrite $sock, $packet->{value}, $left, $io->{offset}
            : 0;
        if (!defined $count) {
            return 1 if try_again();
            Test::More::note("write: $!");
            return 0;
        }
        $io->{offset} += $count;
        if ($io->{offset} == length $packet->{value}) {
            shift @{ $io->{packets} };
            $io->{offset} = 0;
        }
    }
    return 0;
}

# 0 at the end of the stream
sub read_some {
    my ($io, $sock) = @_;

    my $count = sysread $sock, $io->{response}, READ_MAX,
        length $io->{response};
    if (!defined $count) {
        return 1 if try_again();
        warn "WARNING: $io->{name} - reading the response: $!\n";
        return 0;
    }
    return $count > 0 && length $io->{response} < RESPONSE_MAX;
}

sub finish_writing {
    my ($io, $sock, $writers, $block) = @_;

    $writers->remove($sock);
    return if !defined $block->shutdown;
    my ($how) = $block->shutdown =~ /(\d)/;
    shutdown $sock, $how // 1;
    return;
}

# The bytes the server sent.  Silence for longer than --- timeout ends it: as
# a failure, or as what --- abort asks for.
sub talk {
    my ($block, $packets) = @_;
    my $timeout_s = parse_time($block->timeout) // $set{timeout_s};
    my $sock = connect_to_server($block) or return '';
    my $io = {
        name         => $block->name,
        packets      => [@$packets],
        middle_delay => $block->raw_request_middle_delay || 0,
        offset       => 0,
        due_at       => 0,
        response     => '',
    };
    my $readers = IO::Select->new($sock);
    my $writers = IO::Select->new($sock);
    local $SIG{PIPE} = 'IGNORE';

    while (1) {
        my $pause = $io->{due_at} - time;
        my ($ready_in, $ready_out) =
            $pause > 0
            ? IO::Select->select($readers, undef, undef, $pause)
            : IO::Select->select($readers, $writers, undef, $timeout_s);
        if (!defined $ready_in) {
            next if $pause > 0;
            silence($block);
            last;
        }
        last if @$ready_in && !read_some($io, $sock);
        if ($writers->count && !write_some($io, $sock)) {
            finish_writing($io, $sock, $writers, $block);
        }
    }
    close $sock;
    return $io->{response};
}

sub silence {
    my ($block) = @_;

    if (!defined $block->abort) {
        Test::More::fail('client socket timed out - ' . $block->name);
    }
    return;
}

sub header_of {
    my ($response, $name) = @_;
    my $values = $response->{headers}{ lc $name };

    return $values ? join(', ', @$values) : undef;
}

sub head_parse {
    my ($head) = @_;
    my ($line, @lines) = split /\r?\n/, $head;
    my ($code) = ($line // '') =~ m{\A\S+\s+(\d+)};
    my %headers;

    for (@lines) {
        my ($name, $value) = /\A([^:\s]+)\s*:\s*(.*?)\s*\z/ or next;
        push @{ $headers{ lc $name } }, $value;
    }
    return { code => $code, headers => \%headers };
}

# (body, rest) of chunked bytes, or a message
sub chunks_take {
    my ($raw, $has_trailers) = @_;
    my $body = '';

    while (1) {
        $raw =~ s/\A[ \t]*([0-9A-Fa-f]+)[^\r\n]*\r\n//
            or return (undef, undef, $raw eq '' ? 'no last chunk found'
            : 'invalid chunked body received');
        my $len = hex $1;
        if ($len == 0) {
            my $end = $has_trailers ? qr/\A(?:[^\r\n]+\r\n)*\r\n/ : qr/\A\r\n/;
            $raw =~ s/$end// or return (undef, undef, 'no end of chunks');
            return ($body, $raw);
        }
        if (length $raw < $len + 2 || substr($raw, $len, 2) ne "\r\n") {
            return (undef, undef, 'a chunk is shorter than its length');
        }
        $body .= substr $raw, 0, $len;
        substr($raw, 0, $len + 2) = '';
    }
    return;    # not reached
}

# The first response in $raw and the bytes behind it.  A response that breaks
# the rules of chunking is a failure and gives undef.
sub response_take {
    my ($raw, $block, $is_head) = @_;
    my ($head, $rest) = $raw =~ /\A(.*?\r\n)\r\n(.*)\z/s;

    my $response = head_parse($head // $raw);
    $response->{raw_headers} = $head // '';
    $response->{body} = $rest // '';
    my $code = $response->{code} // '';
    return ($response, '') if $code eq '304' || $code eq '101';

    my $coding = header_of($response, 'Transfer-Encoding') // '';
    my $len = header_of($response, 'Content-Length') // '';
    if ($coding eq 'chunked' && !$is_head) {
        my ($body, $left, $fault) = chunks_take($response->{body},
            defined header_of($response, 'Trailer'));
        if (defined $fault) {
            Test::More::fail($block->name . " - $fault");
            return (undef, '');
        }
        $response->{body} = $body;
        return ($response, $left);
    }
    if ($len =~ /\A\d+\z/) {
        my $got = length $response->{body};
        if ($got > $len) {
            my $left = substr $response->{body}, $len, $got, '';
            return ($response, $left);
        }
        if ($got < $len && !$is_head) {
            warn 'WARNING: ', $block->name,
                " - response body truncated: $len expected, but got $got\n";
        }
    }
    return ($response, '');
}

1;
