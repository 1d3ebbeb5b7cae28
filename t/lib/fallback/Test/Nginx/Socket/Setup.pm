package Test::Nginx::Socket::Setup;

# What a test file may set before run_tests(), where things lie on disk, and
# the expansion of $TEST_NGINX_* in its texts.  No process is started here.

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use IO::Socket::INET;
use Test::More ();

our @EXPORT = qw(
    env_to_nginx repeat_each worker_connections workers master_on master_off
    master_process_enabled log_level no_shuffle no_root_location use_hup
    no_long_string config_preamble server_name server_addr server_root html_dir
    server_port server_port_for_client timeout add_block_preprocessor
    add_cleanup_handler add_test_cleanup_handler bail_out
);
our @EXPORT_OK = qw(%set path expand new_ports parse_time);

# Port numbers come from below the kernel's ephemeral range, so that no client
# socket of this host sits on one when nginx binds it.
use constant {
    PORT_MIN   => 10_000,
    PORT_COUNT => 20_000,
    PORT_TRIES => 1_000,
};

our %set = (
    repeat_each        => 1,
    workers            => 1,
    worker_connections => 64,
    master             => $ENV{TEST_NGINX_MASTER_PROCESS} || 'off',
    log_level          => $ENV{TEST_NGINX_LOG_LEVEL} || 'debug',
    timeout_s          => $ENV{TEST_NGINX_TIMEOUT} || 3,
    server_name        => 'localhost',
    server_addr        => '127.0.0.1',
    port => $ENV{TEST_NGINX_SERVER_PORT} || $ENV{TEST_NGINX_PORT} || 1984,
    root => abs_dir($ENV{TEST_NGINX_SERVROOT} || 't/servroot'),
    binary           => $ENV{TEST_NGINX_BINARY} || 'nginx',
    modules          => [ split ' ', $ENV{TEST_NGINX_LOAD_MODULES} || '' ],
    hup              => $ENV{TEST_NGINX_USE_HUP} ? 1 : 0,
    leak             => $ENV{TEST_NGINX_CHECK_LEAK} ? 1 : 0,
    root_location    => 1,
    preamble         => '',
    env              => [],
    preprocessors    => [],
    cleanups         => [],
    test_cleanups    => [],
);
$set{client_port} = $ENV{TEST_NGINX_CLIENT_PORT} || $set{port};
$ENV{TEST_NGINX_SERVER_ROOT} = $set{root};

my %ports;    # TEST_NGINX_RAND_PORT_n => number, for the block at hand

sub abs_dir {
    my ($dir) = @_;

    return $dir =~ m{^/} ? $dir : abs_path('.') . "/$dir";
}

# path('conf', 'nginx.conf'): a file below the server root
sub path { return join '/', $set{root}, @_ }

sub getset {
    my $key = shift;

    $set{$key} = shift if @_;
    return $set{$key};
}

sub repeat_each        { return getset('repeat_each', @_) }
sub worker_connections { return getset('worker_connections', @_) }
sub workers            { return getset('workers', @_) }
sub log_level          { return getset('log_level', @_) }
sub timeout            { return getset('timeout_s', @_) }
sub server_name        { return getset('server_name', @_) }
sub server_addr        { return getset('server_addr', @_) }
sub config_preamble    { return getset('preamble', @_) }
sub master_on          { return getset('master', 'on') }
sub master_off         { return getset('master', 'off') }
sub no_root_location   { return getset('root_location', 0) }
sub use_hup            { return getset('hup', 1) }
sub server_root        { return $set{root} }
sub html_dir           { return path('html') }
sub env_to_nginx       { push @{ $set{env} }, @_; return }

# Blocks run in the order of the file and strings are always shown whole: both
# calls change nothing here.
sub no_shuffle     { return }
sub no_long_string { return }

sub master_process_enabled {
    return getset('master', @_ ? ($_[0] ? 'on' : 'off') : ());
}

sub server_port {
    $set{client_port} = $_[0] if @_;
    return getset('port', @_);
}

sub server_port_for_client { return getset('client_port', @_) }

sub add_block_preprocessor (&) {
    unshift @{ $set{preprocessors} }, shift;
    return;
}

sub add_cleanup_handler {
    unshift @{ $set{cleanups} }, shift;
    return;
}

sub add_test_cleanup_handler {
    unshift @{ $set{test_cleanups} }, shift;
    return;
}

sub bail_out {
    Test::More::BAIL_OUT(join '', @_);
    return;    # not reached
}

sub new_ports { %ports = (); return }

sub port_find {
    my %used = map { $_ => 1 } $set{port}, grep { defined } values %ports;

    for (1 .. PORT_TRIES) {
        my $port = PORT_MIN + int rand PORT_COUNT;
        next if $used{$port};
        my $probe = IO::Socket::INET->new(
            LocalAddr => $set{server_addr},
            LocalPort => $port,
            Proto     => 'tcp',
            Listen    => 1,
            ReuseAddr => 1,
        ) or next;
        close $probe;
        return $port;
    }
    return bail_out('no free TCP port found in ' . PORT_TRIES . ' tries');
}

sub expand_one {
    my ($name, $test) = @_;

    if ($name =~ /^TEST_NGINX_RAND_PORT_\d+$/) {
        return $ports{$name} //= port_find();
    }
    return $ENV{$name} // bail_out("$test: found \$$name in a section,"
          . ' expected a variable of the environment: set it first');
}

# $TEST_NGINX_X becomes the variable's value; what is no text stays as it is.
sub expand {
    my ($text, $test) = @_;

    return $text if !defined $text || ref $text;
    $text =~ s/\$(TEST_NGINX_[A-Z0-9_]+)/expand_one($1, $test)/ge;
    return $text;
}

# "1500ms", "2s" or "2" in seconds
sub parse_time {
    my ($text) = @_;

    return undef if !defined $text;
    return $1 / 1000 if $text =~ /^\s*([\d.]+)\s*ms\s*$/;
    return $1 if $text =~ /^\s*([\d.]+)\s*s?\s*$/;
    return bail_out("found the time '$text', expected 500ms, 2s or 0.5");
}

1;
