package Test::Nginx::Socket::Server;

# The nginx under test: its folder, its configuration and its one process
# tree.  nginx runs in the foreground as our child, so it is waited for, never
# searched for.  At most one runs at a time.

use strict;
use warnings;

use Exporter qw(import);
use File::Find qw(find);
use File::Path qw(make_path remove_tree);
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

use Test::Nginx::Socket::Setup qw(%set path expand bail_out);

our @EXPORT_OK = qw(
    server_start server_reload server_stop server_is_up server_version
    server_pids file_read user_files_write log_rewind log_new_lines
);

use constant {
    STEP_S   => 0.01,
    START_S  => 30,    # until the pid file stands
    RELOAD_S => 10,    # until new workers serve and old ones do not
    SETTLE_S => 0.03,  # the log phase runs after the client's last byte
    TAIL_MAX => 40,    # log lines shown when something fails
};

my $pid;           # of the master, or of the one process
my $log_pos = 0;

sub server_version {
    my $text = qx{$set{binary} -v 2>&1};

    return $text =~ m{/(\d+)\.(\d+)\.(\d+)} ? ($1, $2, $3) : ();
}

sub server_is_up {
    return 0 if !$pid;
    return 1 if waitpid($pid, WNOHANG) == 0;
    $pid = undef;
    return 0;
}

# True once $test->() is, false when $limit_s have passed.
sub wait_until {
    my ($limit_s, $test) = @_;
    my $end = time + $limit_s;

    while (!$test->()) {
        return 0 if time > $end;
        sleep STEP_S;
    }
    return 1;
}

sub server_stop {
    for my $signal (qw(QUIT TERM KILL)) {
        return if !server_is_up();
        kill $signal, $pid;
        wait_until($set{timeout_s}, sub { !server_is_up() });
    }
    return;
}

sub file_write {
    my ($file, $text) = @_;

    open my $out, '>', $file or bail_out("cannot write $file: $!");
    binmode $out;
    print {$out} $text;
    close $out or bail_out("cannot write $file: $!");
    return;
}

sub file_read {
    my ($file) = @_;

    open my $in, '<', $file or return '';
    local $/ = undef;
    return scalar <$in> // '';
}

# Only the folders that a run makes are removed, so that a mistaken
# TEST_NGINX_SERVROOT costs nobody a file.
sub root_make_fresh {
    my $root = $set{root};

    if (-d $root) {
        remove_tree(map { path($_) } qw(conf logs html cache));
        remove_tree(glob "$root/*_temp"), remove_tree(glob "$root/*_cache");
        rmdir $root or bail_out("the server root $root holds more than a"
              . " test run makes; look into it and remove it: $!");
    }
    make_path(map { path($_) } qw(conf logs html));
    return;
}

# Before a reload: what the running nginx holds open stays.
sub root_empty {
    find({ no_chdir => 1, bydepth => 1, wanted => sub {
        return if -d || /(?:nginx\.pid|\.sock|\.crt|\.key)$/;
        if (m{/logs/[^/]+\.log$}) { truncate $_, 0 }
        else { unlink }
    } }, $set{root});
    make_path(map { path($_) } qw(conf logs html));
    return;
}

# ">>> name [touch -t date]" heads each file's lines
sub files_split {
    my ($text) = @_;
    my @files;

    for my $line (split /^/, $text) {
        if ($line =~ />>> (\S+)(?:\s+(.+))?/) {
            push @files, [ $1, '', $2 ];
        }
        elsif (@files) {
            $files[-1][1] .= $line;
        }
    }
    return \@files;
}

sub user_files_write {
    my ($block) = @_;
    my $files = $block->user_files or return;

    $files = files_split($files) if !ref $files;
    for my $entry (@$files) {
        my ($name, $text, $date) = @$entry;
        my $file = $name =~ m{^/} ? $name : path('html', $name);
        my ($dir) = $file =~ m{\A(.*)/};
        make_path($dir);
        file_write($file, expand($text // '', $block->name));
        if ($date) {
            local $ENV{TZ} = 'GMT';
            system('touch', '-t', $date, $file) == 0
                or bail_out($block->name . ": touch -t '$date' failed");
        }
    }
    return;
}

sub conf_main {
    my ($block) = @_;
    my @env = qw(LD_PRELOAD LD_LIBRARY_PATH ASAN_OPTIONS UBSAN_OPTIONS);
    my $master = $set{hup} ? 'on' : $set{master};
    my $level = $block->log_level || $set{log_level};

    return join "\n",
        "daemon off;",
        "master_process $master;",
        "worker_processes $set{workers};",
        ($> == 0 ? ('user root;') : ()),
        "error_log " . path('logs', 'error.log') . " $level;",
        "pid " . path('logs', 'nginx.pid') . ';',
        (map { "env " . (/\s/ ? "'$_'" : $_) . ';' } @env, @{ $set{env} }),
        (map { "load_module $_;" } @{ $set{modules} }),
        expand($block->main_config // '', $block->name), '';
}

sub conf_http {
    my ($block) = @_;
    my $http = expand($block->http_config // '', $block->name);
    my $text = 'access_log ' . path('logs', 'access.log') . ";\n"
        . "default_type text/plain;\nkeepalive_timeout 68000ms;\n";

    for my $kind (qw(client_body proxy fastcgi scgi uwsgi)) {
        next if $http =~ /\b${kind}_temp_path\b/;
        $text .= "${kind}_temp_path " . path("${kind}_temp") . ";\n";
    }
    return $text . $http;
}

sub conf_server {
    my ($block, $config) = @_;
    my $name = $block->server_name // $set{server_name};
    $name =~ s/([\\'])/\\$1/g;

    my $text = "server {\nlisten $set{port};\nserver_name '$name';\n"
        . "client_max_body_size 30M;\n$set{preamble}\n$config\n";
    if ($set{root_location}) {
        $text .= 'location / { root ' . path('html')
            . "; index index.html index.htm; }\n";
    }
    return "$text}\n";
}

# Answers the version of the configuration: the reload is over when it is new.
sub conf_version {
    my ($version) = @_;

    return "server {\nlisten $set{port};\nserver_name test-nginx-version;\n"
        . "location = /version { return 200 '$version'; }\n}\n";
}

sub conf_write {
    my ($block, $config, $version) = @_;

    file_write(path('html', 'index.html'),
        '<html><head><title>It works!</title></head>'
            . '<body>It works!</body></html>');
    user_files_write($block);
    file_write(path('conf', 'nginx.conf'),
        conf_main($block)
            . "events { accept_mutex off;"
            . " worker_connections $set{worker_connections}; }\n"
            . "http {\n"
            . conf_http($block) . "\n"
            . conf_server($block, $config)
            . ($set{hup} ? conf_version($version) : '') . "}\n"
            . expand($block->post_main_config // '', $block->name) . "\n");
    return;
}

sub spawn {
    my ($out) = @_;

    my $child = fork // bail_out("fork: $!");
    if ($child == 0) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE __DIE__);
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', '/dev/null';
        open STDERR, '>>', $out;
        $ENV{LD_PRELOAD} = join ' ', grep { defined }
            $ENV{TEST_NGINX_LD_PRELOAD}, $ENV{LD_PRELOAD}
            if defined $ENV{TEST_NGINX_LD_PRELOAD};
        exec($set{binary}, '-e', path('logs', 'error.log'), '-p', path(''),
            '-c', path('conf', 'nginx.conf')) or POSIX::_exit(127);
    }
    return $child;
}

# Starts nginx on this block's configuration.  0 = it serves; else its wait
# status, and what it said is in the second value.
sub server_start {
    my ($block, $config) = @_;

    server_stop();
    root_make_fresh();
    conf_write($block, $config, version_new());
    return server_run();
}

# Runs nginx on the configuration that stands.
sub server_run {
    my $out = path('logs', 'stderr.txt');
    my $status = 0;

    unlink path('logs', 'nginx.pid');
    $log_pos = 0;
    $pid = spawn($out);
    my $is_known = wait_until(START_S, sub {
        return 1 if -s path('logs', 'nginx.pid');
        return 0 if waitpid($pid, WNOHANG) == 0;
        ($status, $pid) = ($?, undef);
        return 1;
    });
    if (!$is_known) {
        server_stop();
        $status = -1;
    }
    return ($status, file_read($out));
}

my $version = 0;
sub version_new { return "$$-" . ++$version }

sub version_seen {
    my $sock = IO::Socket::INET->new(
        PeerAddr => $set{server_addr},
        PeerPort => $set{client_port},
        Timeout  => 1,
    ) or return '';
    print {$sock} "GET /version HTTP/1.0\r\n"
        . "Host: test-nginx-version\r\n\r\n";
    local $/ = undef;
    my $answer = <$sock> // '';
    return $answer =~ /\r\n\r\n(.*)/s ? $1 : '';
}

sub children_of {
    my ($parent) = @_;
    my %kids;

    for my $file (glob '/proc/[0-9]*/stat') {
        my $stat = file_read($file);
        my ($child, $state, $ppid) =
            $stat =~ /\A(\d+) \(.*\) (\S) (\d+)/s or next;
        $kids{$child} = 1 if $ppid == $parent && $state ne 'Z';
    }
    return %kids;
}

# the process, or the master and its workers
sub server_pids {
    my %kids = children_of($pid);

    return ($pid, sort keys %kids);
}

# A worker that has closed its listeners says so in its title.
sub is_leaving {
    my ($worker) = @_;

    return !-d "/proc/$worker"
        || file_read("/proc/$worker/cmdline") =~ /shutting down|\A\z/;
}

# HUP; true when the new workers serve and no old one takes a connection.
sub server_reload {
    my ($block, $config) = @_;
    my %old = children_of($pid);
    my $new = version_new();

    root_empty();
    conf_write($block, $config, $new);
    $log_pos = 0;
    kill 'HUP', $pid;
    return wait_until(RELOAD_S, sub {
        server_is_up() || return 0;
        version_seen() eq $new && !grep { !is_leaving($_) } keys %old;
    });
}

sub log_rewind { $log_pos = 0; return }

# The lines of error.log since the last call.
sub log_new_lines {
    sleep SETTLE_S;
    open my $in, '<', path('logs', 'error.log') or return [];
    seek $in, $log_pos, 0;
    my @lines = <$in>;
    $log_pos = tell $in;
    return \@lines;
}

# The end of error.log without its debug lines, for a message.
sub log_tail {
    my @lines = grep { !/\[debug\]/ } split /^/,
        file_read(path('logs', 'error.log'));

    @lines = @lines[ -TAIL_MAX .. -1 ] if @lines > TAIL_MAX;
    return join '', @lines;
}

1;
