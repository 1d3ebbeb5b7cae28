package Test::Nginx::Socket::Peer;

# The fake upstream of --- tcp_listen: one child process that takes one
# connection, keeps what it read in a shared unnamed file, and answers.

use strict;
use warnings;

use Exporter qw(import);
use IO::Handle;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Socket qw(SOCK_STREAM);
use Test::More ();
use Time::HiRes qw(sleep);

use Test::Nginx::Socket::Setup qw(%set expand parse_time bail_out);

our @EXPORT_OK = qw(peer_start peer_check peer_stop);

use constant {
    BACKLOG  => 5,
    READ_MAX => 4_096,
};

sub listen_on {
    my ($target, $name) = @_;

    if ($target =~ /^\d+$/) {
        return IO::Socket::INET->new(
            LocalHost => '127.0.0.1',
            LocalPort => $target,
            Proto     => 'tcp',
            ReuseAddr => 1,
            Listen    => BACKLOG,
        ) || bail_out("$name: --- tcp_listen: port $target: $!");
    }
    if ($target !~ /\S+\.sock$/) {
        bail_out("$name: found --- tcp_listen '$target',"
              . ' expected a port or a path that ends in .sock');
    }
    unlink $target;
    return IO::Socket::UNIX->new(
        Local  => $target,
        Type   => SOCK_STREAM,
        Listen => BACKLOG,
    ) || bail_out("$name: --- tcp_listen: $target: $!");
}

# Reads until $len bytes are there, the client closes, or, with no $len, after
# the first read.
sub query_read {
    my ($client, $len, $file) = @_;
    my $query = '';

    while (1) {
        my $count = sysread $client, $query, READ_MAX, length $query;
        last if !$count;
        syswrite $file, substr $query, -$count;
        last if !$len || length $query >= $len;
    }
    return $query;
}

sub reply_send {
    my ($client, $reply, $query) = @_;

    $reply = $reply->($query) if ref $reply eq 'CODE';
    for my $part (ref $reply eq 'ARRAY' ? @$reply : $reply) {
        defined $client->send($part)
            or warn "WARNING: tcp_listen: sending the reply: $!\n";
    }
    return;
}

sub serve {
    my ($listener, $block, $len, $file) = @_;
    local $SIG{PIPE} = 'IGNORE';
    my $client = $listener->accept or return;
    my $closed = $block->tcp_shutdown;

    if (defined $closed) {
        sleep(parse_time($block->tcp_shutdown_delay) // 0);
        $client->shutdown($closed);
    }
    my $query = '';
    if (!defined $closed || $closed == 1) {
        $query = query_read($client, $len, $file);
    }
    sleep(parse_time($block->tcp_reply_delay) // 0);
    if (defined $block->tcp_reply && (!defined $closed || $closed == 0)) {
        reply_send($client, $block->tcp_reply, $query);
    }
    if (defined $block->tcp_no_close) {
        sleep 1 while 1;    # until peer_stop() ends this process
    }
    $client->close;
    return;
}

# undef when the block wants no peer
sub peer_start {
    my ($block) = @_;
    my $name = $block->name;
    my $target = expand(scalar $block->tcp_listen, $name);

    return undef if !defined $target;
    $target =~ s/\s+\z//;
    if (!defined $block->tcp_reply && !defined $block->tcp_shutdown) {
        bail_out("$name: found --- tcp_listen alone,"
              . ' expected --- tcp_reply or --- tcp_shutdown with it');
    }
    my $len = $block->tcp_query_len;
    $len = length $block->tcp_query
        if !defined $len && defined $block->tcp_query;

    my $listener = listen_on($target, $name);
    open my $file, '+>', undef or bail_out("$name: temporary file: $!");
    my $pid = fork // bail_out("$name: fork: $!");
    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP __DIE__);
        eval { serve($listener, $block, $len, $file); 1 } or warn $@;
        POSIX::_exit(0);
    }
    return { pid => $pid, listener => $listener, file => $file };
}

sub peer_check {
    my ($peer, $block) = @_;
    my $name = $block->name;

    return if !$peer;
    sysseek $peer->{file}, 0, 0;
    my $query = '';
    1 while sysread $peer->{file}, $query, READ_MAX, length $query;

    if (defined(my $want = $block->tcp_query)) {
        ref $want eq 'Regexp'
            ? Test::More::like($query, $want, "$name - tcp_query ok")
            : Test::More::is($query, $want, "$name - tcp_query ok");
    }
    if (defined $block->tcp_query_len) {
        Test::More::is(length $query, $block->tcp_query_len,
            "$name - TCP query length ok");
    }
    return;
}

sub peer_stop {
    my ($peer) = @_;

    return if !$peer || !$peer->{pid};
    kill 'TERM', $peer->{pid};
    waitpid $peer->{pid}, 0;
    delete $peer->{pid};
    $peer->{listener}->close;
    return;
}

1;
