package Test::Nginx::Socket;

# Runs test files of the Test::Nginx::Socket format on Debian's
# libtest-base-perl alone.  The block parser and its filters are Test::Base's;
# what is here starts nginx per block, talks to it and judges the answers.
# This is the stand-in for hosts without the real Test::Nginx: the sections
# that it does not know are refused, not skipped (see t/lib/README.md).

use strict;
use warnings;

our $VERSION = '1.00';

use Scalar::Util qw(looks_like_number);
use Test::Base ();
use Test::More ();
use Time::HiRes qw(sleep);

use Test::Nginx::Socket::Check qw(check_response check_log);
use Test::Nginx::Socket::Client qw(talk response_take);
use Test::Nginx::Socket::Leak qw(leak_check);
use Test::Nginx::Socket::Peer qw(peer_start peer_check peer_stop);
use Test::Nginx::Socket::Request qw(requests_of);
use Test::Nginx::Socket::Server qw(server_start server_reload server_stop
    server_is_up server_version user_files_write log_rewind);
use Test::Nginx::Socket::Setup qw(:DEFAULT %set expand new_ports);

# Sections of the real harness that this one has not got.
my @foreign = qw(
    access_log no_access_log charset curl curl_options curl_protocol
    error_log_file http09 http09_response http2 http3 init
    no_shutdown_error_log post_setup_server_root quic_max_idle_timeout
    reload_fails request_eval response_body_eval response_body_filters
    response_body_json_sort shutdown_error_log skip_eval skip_nginx2
    skip_openssl skip_slave stap stap_like stap_out stap_out_like
    stap_out_unlike tcp_query_auto_timeout todo todo_nginx udp_listen udp_query
    udp_reply udp_reply_delay write_resp_body_file
);

my $is_parent = $$;
my $peer;           # of the block at hand, so that END can stop it
my $has_config = 0; # some block has started nginx

sub import {
    my ($class, @args) = @_;
    my $caller = caller;

    no strict 'refs';
    for my $name (@Test::Nginx::Socket::Setup::EXPORT, 'run_tests') {
        *{"${caller}::$name"} = \&{"${class}::$name"};
    }
    @_ = ('Test::Base', @args);
    goto &Test::Base::import;
}

sub refuse_foreign {
    my ($block) = @_;

    for my $section (grep { defined $block->$_ } @foreign) {
        bail_out($block->name . ": found --- $section, which this harness has"
              . ' not got; run the file with the real Test::Nginx');
    }
    return;
}

# "N: OP X.Y.Z[: reason]" - the number of tests to skip, and why
sub skip_of {
    my ($block) = @_;
    my $spec = $block->skip_nginx // return;

    my ($count, $op, $v1, $v2, $v3, $why) =
        $spec =~ /^\s*(\d+)\s*:\s*([<>]=?)\s*(\d+)\.(\d+)\.(\d+)\s*(?::\s*(.*?))?\s*$/
        or bail_out($block->name . ": found --- skip_nginx '$spec',"
          . ' expected "N: <= X.Y.Z: reason"');
    my @have = server_version();
    my $order = $have[0] <=> $v1 || $have[1] <=> $v2 || $have[2] <=> $v3;
    my %holds = (
        '<'  => $order < 0,
        '<=' => $order <= 0,
        '>'  => $order > 0,
        '>=' => $order >= 0,
    );
    return $holds{$op} ? ($count, $why // "nginx $op $v1.$v2.$v3") : ();
}

sub check_death {
    my ($block, $status, $output) = @_;
    my $want = $block->must_die;
    my $name = $block->name;

    if ($status & 127) {
        Test::More::fail("$name - nginx died of signal " . ($status & 127));
    }
    elsif (looks_like_number($want)) {
        Test::More::is($status >> 8, $want,
            "$name - die with the expected exit code");
    }
    else {
        Test::More::isnt($status, 0, "$name - die as expected")
            or Test::More::diag('nginx started and serves');
    }
    Test::More::note($output);
    check_log($block, 0);
    return;
}

sub run_must_die {
    my ($block, $config) = @_;

    for my $turn (1 .. $set{repeat_each}) {
        local $set{hup} = 0;
        my ($status, $output) = server_start($block, $config);
        check_death($block, $status, $output);
        server_stop();
    }
    return;
}

# nginx on this block's configuration, by start or by reload; a block without
# --- config goes on with what runs.
sub serve_block {
    my ($block, $config) = @_;

    if (!defined $config) {
        $has_config or bail_out($block->name
              . ': found no --- config, expected one in the first block');
        return;
    }
    $has_config = 1;
    if ($set{hup} && server_is_up()) {
        return if server_reload($block, $config);
        bail_out($block->name . ": nginx did not take the configuration on"
              . " HUP:\n" . Test::Nginx::Socket::Server::log_tail());
    }
    my ($status, $output) = server_start($block, $config);
    return if $status == 0;
    bail_out($block->name . ": nginx did not start (wait status $status):\n"
          . $output . Test::Nginx::Socket::Server::log_tail());
}

# Sends one request and judges its response, or, when it is a pipeline, each.
sub run_request {
    my ($block, $packets, $at) = @_;
    my $sent = join '', map { $_->{value} } @$packets;
    my $count = $block->pipelined_requests ? @{ $block->pipelined_requests } : 1;
    my $raw = talk($block, $packets);

    for my $turn (1 .. $count) {
        my $response;
        if (!defined $block->ignore_response) {
            ($response, $raw) =
                response_take($raw, $block, $sent =~ /\A\s*HEAD\s/);
            check_response($block, $response, $at);
        }
        sleep $block->wait if $block->wait;
        check_log($block, $at->{repeat});
        $at->{index}++;
    }
    if ($count == 1 && $raw ne '' && !defined $block->ignore_response) {
        warn 'WARNING: ', $block->name,
            " - unexpected bytes after the response: $raw\n";
    }
    return;
}

sub run_turn {
    my ($block, $repeat) = @_;
    my $requests = requests_of($block);
    my $at = {
        index   => 0,
        repeat  => $repeat,
        is_many => $block->pipelined_requests || @$requests > 1,
    };

    $peer = peer_start($block);
    user_files_write($block) if $repeat > 0;
    run_request($block, $_, $at) for @$requests;
    peer_check($peer, $block);
    peer_stop($peer);
    $peer = undef;
    return;
}

sub run_block {
    my ($block) = @_;

    new_ports();
    refuse_foreign($block);
    if (my ($count, $why) = skip_of($block)) {
        for (1 .. $set{repeat_each}) {
            Test::More->builder->skip($why) for 1 .. $count;
        }
        return;
    }
    my $config = expand(scalar $block->config, $block->name);
    return run_must_die($block, $config) if defined $block->must_die;

    serve_block($block, $config);
    log_rewind();
    run_turn($block, $_) for 0 .. $set{repeat_each} - 1;
    leak_check($block, requests_of($block)->[0]) if $set{leak} && server_is_up();
    if (!server_is_up()) {
        Test::More::fail($block->name . ' - nginx is gone: it died meanwhile');
    }
    return;
}

sub run_tests {
    $ENV{TEST_NGINX_SERVER_PORT} //= $set{port};
    for my $block (Test::Base::blocks()) {
        $_->($block) for @{ $set{preprocessors} };
        $block->set_value(name => "$0 " . $block->name);
        run_block($block);
        $_->($block) for @{ $set{test_cleanups} };
    }
    cleanup();
    return;
}

sub cleanup {
    peer_stop($peer);
    $peer = undef;
    $_->() for splice @{ $set{cleanups} };
    server_stop();
    return;
}

$SIG{$_} = sub { exit 130 } for qw(INT TERM HUP);

END {
    if ($$ == $is_parent) {
        local $?;    # Test::Builder's verdict stands
        cleanup();
    }
}

1;
