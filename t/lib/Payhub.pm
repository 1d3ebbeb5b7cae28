package Payhub;

# What the edge's tests need around nginx, in Perl of its own, so that a fault
# of the C code cannot hide itself: keys on disk, payhub-v3 signatures, frames
# with their checksum, and a worker that misbehaves when its target says so.
#
# The worker is one process per connection over two unix sockets, A and B.
# Every call that arrives is a line in a file, so that arrivals can be counted.

use strict;
use warnings;

use Cwd qw(getcwd);
use Digest::SHA qw(hmac_sha256_base64);
use Exporter qw(import);
use File::Temp qw(tempdir);
use IO::Socket::UNIX;
use POSIX ();
use Time::HiRes qw(sleep);

our @EXPORT = qw(
    auth signed raw secret key_lines http_config frame frame_parse crc32c
    payhub_dir worker_start answer_is_signed edge_defaults
);

use constant {
    CALL    => 1,
    RESULT  => 2,
    BUSY    => 3,
    REFUSED => 4,
    UNKNOWN => 5,
    PONG    => 8,
    GOAWAY  => 9,
};

my %field = (
    method       => 1,
    target       => 2,
    key_id       => 3,
    app_id       => 4,
    merchant_id  => 5,
    scheme       => 6,
    role         => 7,
    client_addr  => 8,
    content_type => 9,
    header       => 10,
    candidate    => 11,
    route_reason => 12,
    traceparent  => 14,
    nonce        => 15,
    timestamp    => 16,
    nonce_cold   => 17,
    route_view   => 18,
    retry_after  => 20,
    replayed     => 21,
    order_id     => 22,
    channel      => 23,
    outcome      => 24,
    problem      => 25,
    allow        => 26,
    platform_signature => 27,
);
my %field_name = reverse %field;

my %secret = (
    k1    => 'secret-of-key-one-0123456789abcdef',
    k2    => 'secret-of-key-two-0123456789abcdef',
    early => 'secret-of-early-0123456789abcdef',
    late  => 'secret-of-late-00123456789abcdef',
);

my ($dir, $worker_pid);
my $owner = $$;

# --- keys and signatures

sub payhub_dir {
    return $dir if defined $dir;

    $dir = tempdir('payhub-edge.XXXXXX', TMPDIR => 1, CLEANUP => 1);
    chmod 0755, $dir;
    write_file("$dir/$_", "$secret{$_}\n", 0600) for keys %secret;
    write_file("$dir/no-lf", 'exactly16bytes!!', 0600);
    write_file("$dir/short", 'fifteen bytes!!', 0600);
    write_file("$dir/long", 'x' x 513, 0600);
    write_file("$dir/open", $secret{k1}, 0640);
    $ENV{TEST_NGINX_PAYHUB_DIR}  = $dir;
    $ENV{TEST_NGINX_PAYHUB_ROOT} = getcwd();    # prove runs at the root
    return $dir;
}

sub write_file {
    my ($path, $text, $mode) = @_;

    open my $out, '>', $path or die "$path: $!";
    print {$out} $text;
    close $out or die "$path: $!";
    chmod $mode, $path or die "$path: $!";
    return;
}

sub secret { return $secret{ $_[0] } }

sub base64 {
    my ($text) = @_;

    return $text . '=' x (-length($text) % 4);
}

my $nonces = 0;

# The Authorization value: METHOD, TARGET, BODY, and what is to differ.
sub auth {
    my ($method, $target, $body, %with) = @_;

    my $key_id = $with{key_id} // 'k1';
    my $time   = $with{time}   // time + ($with{age} // 0);
    my $nonce  = $with{nonce}  // sprintf 'n-%d-%06d', $$, ++$nonces;
    my $secret = $with{secret} // $secret{$key_id} // 'no such key, no secret';
    my $string = join "\n", $method, $target, $time, $nonce, $body // '', '';
    my $sum    = $with{signature} // base64(hmac_sha256_base64($string, $secret));

    my %value = (
        key_id    => $key_id,
        timestamp => $time,
        nonce     => $nonce,
        signature => $sum
    );
    my @order = @{ $with{order} // [qw(key_id timestamp nonce signature)] };
    return 'PAYHUB-V3 ' . join ',', map { qq{$_="$value{$_}"} } @order;
}

# The header line, and after it those of "extra".
sub signed {
    my ($method, $target, $body, %with) = @_;

    return CORE::join "\n", 'Authorization: ' . auth($method, $target, $body, %with),
        $with{extra} // ();
}

# One request as bytes, for --- raw_request; it closes the connection.
sub raw {
    my ($method, $target, $body, %with) = @_;

    $body //= '';
    return "$method $target HTTP/1.1\r\nHost: localhost\r\nConnection: "
        . ($with{connection} // 'close') . "\r\n"
        . join('', map {"$_\r\n"} split /\n/, $with{headers} // signed($method, $target, $body, %with))
        . (length $body ? 'Content-Length: ' . length($body) . "\r\n" : '') . "\r\n$body";
}

# Whether the answer's headers sign it with KEY_ID's secret.
sub answer_is_signed {
    my ($answer, $key_id, $nonce) = @_;

    my ($head, $body) = split /\r\n\r\n/, $answer, 2;
    my ($status) = $head =~ m{^HTTP/\S+ (\d+)} or return 0;
    my %header = map { lc($_->[0]) => $_->[1] }
        map { [ split /: */, $_, 2 ] } grep {/:/} split /\r\n/, $head;
    my $time = $header{'payhub-timestamp'} // return 0;

    my $sum = hmac_sha256_base64("$time\n$nonce\n$status\n$body\n", $secret{$key_id});
    return
           $header{'payhub-key-id'} eq $key_id
        && $header{'payhub-nonce'} eq $nonce
        && abs($time - time) < 5
        && $header{'payhub-signature'} eq base64($sum);
}

sub key_lines {
    payhub_dir();
    return join "\n",
        'payhub_key k1 hmac-sha256 secret=file:$TEST_NGINX_PAYHUB_DIR/k1 app=app1 mch=mch1;',
        'payhub_key k2 hmac-sha256 secret=file:$TEST_NGINX_PAYHUB_DIR/k2 app=app2 mch=mch2 role=admin;',
        'payhub_key early hmac-sha256 secret=file:$TEST_NGINX_PAYHUB_DIR/early not_before=4102444800;',
        'payhub_key late hmac-sha256 secret=file:$TEST_NGINX_PAYHUB_DIR/late not_after=1000000000;',
        '';
}

sub http_config {
    payhub_dir();
    return key_lines() . <<'END';
    upstream payhub_workers {
        server unix:$TEST_NGINX_PAYHUB_DIR/a.sock;
        keepalive 4;
    }
    upstream payhub_pair {
        server unix:$TEST_NGINX_PAYHUB_DIR/a.sock max_fails=0;
        server unix:$TEST_NGINX_PAYHUB_DIR/b.sock max_fails=0 backup;
        keepalive 4;
    }
    upstream payhub_down_then_a {
        server unix:$TEST_NGINX_PAYHUB_DIR/none.sock max_fails=0;
        server unix:$TEST_NGINX_PAYHUB_DIR/a.sock max_fails=0 backup;
    }
    upstream payhub_down {
        server unix:$TEST_NGINX_PAYHUB_DIR/none.sock max_fails=0;
        server unix:$TEST_NGINX_PAYHUB_DIR/none-either.sock max_fails=0;
    }
END
}

# Every block of a file gets the keys, upstreams and the worker unless it says
# otherwise, and no block may leave an alert behind.
sub edge_defaults {
    worker_start();
    main::no_long_string();
    main::add_block_preprocessor(sub {
        my ($block) = @_;

        $block->set_value('http_config', http_config()) if !defined $block->http_config;
        return if defined $block->no_error_log || defined $block->must_die;
        $block->set_value('no_error_log', "[alert]\n[emerg]\n[crit]\nAddressSanitizer");
    });
    return;
}

# --- frames

my @crc_table;

sub crc32c {
    my ($bytes) = @_;

    if (!@crc_table) {
        for my $n (0 .. 255) {
            my $c = $n;
            $c = $c & 1 ? ($c >> 1) ^ 0x82f63b78 : $c >> 1 for 1 .. 8;
            push @crc_table, $c;
        }
    }
    my $crc = 0xffffffff;
    for my $byte (unpack 'C*', $bytes) {
        $crc = $crc_table[ ($crc ^ $byte) & 0xff ] ^ ($crc >> 8);
    }
    return $crc ^ 0xffffffff;
}

# frame(type, id, status, [name => value, ...], body, %spoil)
sub frame {
    my ($type, $id, $status, $fields, $body, %spoil) = @_;

    my $meta = '';
    my @rest = @{ $fields // [] };
    while (my ($name, $value) = splice @rest, 0, 2) {
        $meta .= pack('vv', $field{$name} // $name, length $value) . $value;
    }
    $body //= '';
    my $head = sub {
        return pack 'a4CCva16VvvVVVV', $spoil{magic} // 'PHF1', 1, $type, 0, $id, 0, 1,
            $status, $spoil{meta_len} // length $meta, $spoil{body_len} // length $body,
            $_[0], 0;
    };
    my $crc = crc32c($head->(0) . $meta . $body) ^ ($spoil{crc} // 0);
    return $head->($crc) . $meta . $body;
}

# A whole frame as a hash; dies when it is not one.
sub frame_parse {
    my ($bytes) = @_;

    my ($magic, $version, $type, $flags, $id, $ms_left, $attempt, $status, $meta_len,
        $body_len, $crc, $zero) = unpack 'a4CCva16VvvVVVV', $bytes;
    die "magic\n" if $magic ne 'PHF1' || $version != 1 || $zero != 0;
    die "length\n" if length $bytes != 48 + $meta_len + $body_len;
    my $clean = $bytes;
    substr($clean, 40, 4) = "\0" x 4;
    die "crc\n" if crc32c($clean) != $crc;

    my %frame = (
        type    => $type,
        id      => $id,
        ms_left => $ms_left,
        attempt => $attempt,
        body    => substr($bytes, 48 + $meta_len)
    );
    my $meta = substr $bytes, 48, $meta_len;
    while (length $meta) {
        my ($number, $len) = unpack 'vv', $meta;
        my $name  = $field_name{$number} // $number;
        my $value = substr $meta, 4, $len;
        if ($name eq 'header') {
            my ($header, $text) = split /\0/, $value, 2;
            $frame{headers}{$header} = $text;
        }
        else {
            die "twice $name\n" if exists $frame{$name} && $name ne 'candidate';
            $frame{$name} = exists $frame{$name} ? "$frame{$name} $value" : $value;
        }
        substr($meta, 0, 4 + $len) = '';
    }
    return \%frame;
}

# --- the worker

sub worker_start {
    return if $worker_pid;
    payhub_dir();

    my @listen = map {
        my $path = "$dir/$_.sock";
        my $sock = IO::Socket::UNIX->new(Local => $path, Listen => 64) or die "$path: $!";
        chmod 0777, $path;
        [ $_, $sock ]
    } qw(a b);

    # two addresses where nobody listens any more
    IO::Socket::UNIX->new(Local => "$dir/$_.sock", Listen => 1) or die $! for qw(none none-either);
    chmod 0777, "$dir/none.sock", "$dir/none-either.sock";

    for my $one (@listen) {
        my $pid = fork // die "fork: $!";
        if ($pid == 0) {
            open STDIN,  '<', '/dev/null';
            open STDOUT, '>', '/dev/null';
            open STDERR, '>>', "$dir/worker.log";
            setpgrp;
            $SIG{CHLD} = 'IGNORE';
            $SIG{PIPE} = 'IGNORE';
            eval { worker_accept(@{$one}); 1 } or print STDERR "$one->[0]: $@";
            POSIX::_exit(0);
        }
        $worker_pid->{$pid} = 1;
    }
    return;
}

END {
    if ($worker_pid && $$ == $owner) {
        my $status = $?;
        kill TERM => map { -$_ } keys %{$worker_pid};
        waitpid $_, 0 for keys %{$worker_pid};
        $? = $status;
    }
}

sub worker_accept {
    my ($name, $listen) = @_;

    while (1) {
        my $conn = $listen->accept or next;
        my $pid  = fork // die "fork: $!";
        if ($pid == 0) {
            close $listen;
            eval { worker_serve($name, $conn); 1 } or print STDERR "$name: $@";
            POSIX::_exit(0);
        }
        close $conn;
    }
    return;
}

sub read_exactly {
    my ($conn, $len) = @_;

    my $got = '';
    while (length $got < $len) {
        my $n = sysread $conn, $got, $len - length $got, length $got;
        return if !$n;
    }
    return $got;
}

sub worker_serve {
    my ($name, $conn) = @_;

    my $served = 0;
    while (defined(my $head = read_exactly($conn, 48))) {
        my ($meta_len, $body_len) = unpack 'x32VV', $head;
        my $rest = read_exactly($conn, $meta_len + $body_len) // return;
        my $call = frame_parse($head . $rest);

        my ($what, $tag) = $call->{target} =~ m{^/(?:\w+/)*([^/?]*)(?:\?tag=([\w-]+))?};
        note_arrival("$name-" . $tag) if defined $tag && $what ne 'count';
        worker_answer($name, $conn, $call, $what, $tag, ++$served) or return;
    }
    return;
}

sub note_arrival {
    my ($line) = @_;

    open my $out, '>>', "$dir/arrivals" or die $!;
    syswrite $out, "$line\n";
    close $out;
    return;
}

sub arrivals {
    my ($tag) = @_;

    open my $in, '<', "$dir/arrivals" or return '';
    my %count;
    while (my $line = <$in>) {
        $count{$1}++ if $line =~ /^(\w)-\Q$tag\E$/;
    }
    return join ' ', map {"$_=$count{$_}"} sort keys %count;
}

# The call as text, one line a field: what tests compare.
sub call_text {
    my ($call) = @_;

    my @lines = map {"$_=$call->{$_}"}
        grep { defined $call->{$_} } sort grep { $_ !~ /^(?:type|id|body|headers|ms_left)$/ } keys %{$call};
    push @lines, map {"header $_=$call->{headers}{$_}"} sort keys %{ $call->{headers} // {} };
    push @lines, 'ms_left=' . ($call->{ms_left} > 0 ? 'some' : 'none'), 'body=' . length $call->{body};
    return join '', map {"$_\n"} @lines;
}

my @text = (content_type => 'text/plain');

my %answers = (
    count    => sub { frame(RESULT, $_[0]{id}, 200, [@text], arrivals($_[1]) . "\n") },
    echo     => sub { frame(RESULT, $_[0]{id}, 200, [@text], $_[0]{body}) },
    md5      => sub {
        frame(RESULT, $_[0]{id}, 200, [@text],
            length($_[0]{body}) . ' ' . Digest::SHA::sha256_hex($_[0]{body}) . "\n");
    },
    empty    => sub { frame(RESULT, $_[0]{id}, 200, [@text]) },
    none     => sub { frame(RESULT, $_[0]{id}, 204, [], 'dropped') },
    big      => sub { frame(RESULT, $_[0]{id}, 200, [@text], 'b' x 900_000) },
    created  => sub {
        frame(RESULT, $_[0]{id}, 201,
            [ content_type => 'application/json', order_id => 'P' . '0' x 26, channel => 'sandbox',
                outcome => 'paid', replayed => '1', 0x8001 => "may be\0skipped" ],
            qq({"status":"paid"}\n));
    },
    # HEALTH as the subject of the payment says it
    health   => sub {
        my ($health) = $_[0]{body} =~ /"subject":"([^"]*)"/;
        frame(RESULT, $_[0]{id}, 200, [ @text, 0x8001 => $health ],
            ($_[0]{candidate} // '-') . "\n");
    },
    platform => sub { # signed only where the edge asks for it
        my $asks = $_[0]{platform_signature} // '-';

        frame(RESULT, $_[0]{id}, 200,
            [ $asks eq '1' ? (platform_signature => 'platform-0123 1700000000 c2ln') : () ], "asks=$asks\n");
    },
    badly    => sub {
        frame(RESULT, $_[0]{id}, 200, [ platform_signature => 'platform-0123' ], "{}\n");
    },
    limited  => sub {
        frame(RESULT, $_[0]{id}, 429,
            [ content_type => 'application/problem+json', retry_after => '7' ], "{}\n");
    },
    method   => sub {
        frame(RESULT, $_[0]{id}, 405,
            [ content_type => 'application/problem+json', allow => 'GET, POST' ], "{}\n");
    },
    failed   => sub { frame(RESULT, $_[0]{id}, 503, [@text], "worker says 503\n") },
    missing  => sub { frame(RESULT, $_[0]{id}, 404, [@text], "worker says 404\n") },
    busy     => sub { frame(BUSY, $_[0]{id}, 0) },
    refused  => sub { frame(REFUSED, $_[0]{id}, 0) },
    unknown  => sub { frame(UNKNOWN, $_[0]{id}, 0) },
    pong     => sub { frame(PONG, $_[0]{id}, 0) },
    crc      => sub { frame(RESULT, $_[0]{id}, 200, [@text], "x\n", crc => 1) },
    magic    => sub { frame(RESULT, $_[0]{id}, 200, [@text], "x\n", magic => 'HTTP') },
    metalong => sub { frame(RESULT, $_[0]{id}, 200, [@text], "x\n", meta_len => 16 * 1024 + 1) },
    bodylong => sub { frame(RESULT, $_[0]{id}, 200, [@text], "x\n", body_len => 1024 * 1024 + 1) },
    other    => sub { frame(RESULT, 'x' x 16, 200, [@text], "x\n") },
    status   => sub { frame(RESULT, $_[0]{id}, 99, [@text], "x\n") },
    control  => sub { 
        frame(RESULT, $_[0]{id}, 200,
            [ retry_after => '7', allow => 'GET', content_type => "a/b\r\nX-Evil: 1" ], "x\n");
    },
    field    => sub { frame(RESULT, $_[0]{id}, 200, [ 999 => 'x' ], "x\n") },
    glued    => sub { frame(RESULT, $_[0]{id}, 200, [@text], "first\n") x 2 },
    goaway   => sub {
        frame(GOAWAY, "\0" x 16, 0) . frame(RESULT, $_[0]{id}, 200, [@text], "after goaway\n");
    },
);

# Answers one call; false closes the connection.
sub worker_answer {
    my ($name, $conn, $call, $what, $tag, $served) = @_;

    return 0 if $what eq 'close' || ($what eq 'second' && $served > 1);
    sleep 1 if $what eq 'late';
    sleep 4 if $call->{target} eq '/readyz?late';
    $what = 'busy' if $what eq 'busya' && $name eq 'a';

    my $make  = $answers{$what};
    my $reply = $make
        ? $make->($call, $tag)
        : frame(RESULT, $call->{id}, 200, [@text], "worker=$name conn=$served\n" . call_text($call));

    if ($what eq 'split') {
        for my $byte (split //, $reply) {
            syswrite $conn, $byte or return 0;
            sleep 0.0005;
        }
        return 1;
    }
    if ($what eq 'cut') {
        syswrite $conn, substr $reply, 0, 60;
        return 0;
    }
    while (length $reply) {
        my $n = syswrite $conn, $reply or return 0;
        substr($reply, 0, $n) = '';
    }
    return 1;
}

1;
