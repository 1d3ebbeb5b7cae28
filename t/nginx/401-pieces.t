# The pieces of lua-free-config/ that work alone: verify-only.conf,
# limits-only.conf and status.conf, each in an http{} of its own and as shipped
# but for ports and paths.  What reaches the backend is counted there.
use strict;
use warnings;

use IO::Socket::INET;
use Payhub;
use Test::More;
use Time::HiRes qw(sleep time);

my $nginx  = $ENV{TEST_NGINX_BINARY}       || '/usr/sbin/nginx';
my $module = $ENV{TEST_NGINX_LOAD_MODULES} // 'build/release/ngx_http_payhub_module.so';
my ($dir, $pid);

sub slurp {
    my ($path) = @_;

    open my $in, '<', $path or return '';
    local $/ = undef;
    return scalar <$in>;
}

sub spill {
    my ($path, $text) = @_;

    open my $out, '>', $path or die "$path: $!";
    print {$out} $text;
    close $out or die "$path: $!";
    return;
}

# nginx with one shipped file in its http{}, listening in `$dir/sock` instead
# of on `port`, before a backend that answers with the headers it got.
sub start {
    my ($file, $listen) = @_;

    $dir = payhub_dir() . "/$file";
    mkdir $dir or die "$dir: $!";
    chmod 0777, $dir;
    my $piece = slurp("lua-free-config/$file") or die "lua-free-config/$file";
    $piece =~ s{listen \Q$listen\E;}{listen unix:$dir/sock;}            or die "$file: listen";
    $piece =~ s{server 127.0.0.1:8080;}{server unix:$dir/backend.sock;} or $file eq 'status.conf' or die $file;
    $piece =~ s{file:/etc/payhub/shop1.secret}{'file:' . payhub_dir() . '/k1'}e;
    spill("$dir/piece.conf", $piece);
    my $load = $module ne '' ? "load_module $module;" : '';
    my $user = getpwuid $<;
    my $temp = join "\n", map {"    ${_}_temp_path $dir/$_;"} qw(client_body proxy fastcgi uwsgi scgi);
    spill(
        "$dir/nginx.conf", <<"CONF");
$load
user $user;
worker_processes 2;
pid $dir/pid;
error_log $dir/error.log info;
events { worker_connections 128; }
http {
$temp
    access_log off;
    log_format backend '\$request_method \$request_uri';
    server {
        listen unix:$dir/backend.sock;
        access_log $dir/backend.log backend;
        location / {
            return 200 'app=\$http_x_payhub_app merchant=\$http_x_payhub_merchant key=\$http_x_payhub_key auth=\$http_authorization id=\$http_x_request_id';
        }
    }
    include $dir/piece.conf;
}
CONF
    is(run('-t'), 0, "$file: nginx -t takes it") or diag slurp("$dir/out");
    is(run(),     0, "$file: nginx starts")      or BAIL_OUT(slurp("$dir/out"));
    for (1 .. 200) {
        last if -s "$dir/pid" && -S "$dir/sock";
        sleep 0.05;
    }
    ($pid) = slurp("$dir/pid") =~ /(\d+)/;
    return;
}

sub run {
    my @args = @_;

    local $ENV{LD_PRELOAD} = $ENV{TEST_NGINX_LD_PRELOAD} // '';
    return system("$nginx -e $dir/error.log -p $dir/ -c $dir/nginx.conf @args >>$dir/out 2>&1");
}

sub stop {
    my ($file) = @_;

    kill QUIT => $pid;
    for (1 .. 200) {
        last if !-e "$dir/pid";
        sleep 0.05;
    }
    ok(!-e "$dir/pid", "$file: stops when asked");
    unlike(slurp("$dir/error.log"), qr/\[(?:alert|emerg|crit)\]|AddressSanitizer|runtime error/,
        "$file: nothing alarming in the log");
    undef $pid;
    return;
}

sub ask {
    my ($method, $target, $body, @headers) = @_;

    my @curl = ('curl', '-sS', '-i', '--max-time', 10, '--unix-socket', "$dir/sock", '-X', $method,
        map { ('-H', $_) } @headers, defined $body ? ('Expect:') : ());
    push @curl, '--data-binary', $body if defined $body;
    open my $out, '-|', @curl, "http://api.example.com$target" or die "curl: $!";
    local $/ = undef;
    my $answer = <$out>;
    close $out;
    return $answer;
}

sub arrivals {
    sleep 0.1;
    return scalar(() = slurp("$dir/backend.log") =~ /\n/g);
}

# --- a signature check and nothing else

start('verify-only.conf', '8443');
{
    my $as_k1 = sub { 'Authorization: ' . auth(@_, key_id => 'shop1', secret => secret('k1')) };
    # what was signed in the second of the start may have been served before it
    like(ask('GET', '/a', undef, $as_k1->('GET', '/a', '', age => -3)), qr{^HTTP/1.1 503.*"code":"PH-A304"}s,
        'verify-only: signed before the start');
    sleep 2;
    is(arrivals(), 0, 'verify-only: did not arrive');

    my $sign = $as_k1->('POST', '/pay?x=1', '{"a":1}');
    like(
        ask('POST', '/pay?x=1', '{"a":1}', $sign, 'X-Payhub-App: forged', 'X-Request-Id: forged'),
        qr{^HTTP/1.1 200.*\r\n\r\napp=shop merchant=m1 key=shop1 auth= id=[0-9a-f]{32}$}s,
        'verify-only: what the backend is told'
    );
    like(ask('POST', '/pay?x=1', '{"a":1}', $sign), qr{^HTTP/1.1 401.*"code":"PH-A101"}s, 'verify-only: once');
    for my $case (
        [ 'no signature',    'POST', '/pay', '{}' ],
        [ 'another body',    'POST', '/pay', '{}', $as_k1->('POST', '/pay', '{ }') ],
        [ 'another target',  'GET', '/pay', undef, $as_k1->('GET', '/pay?', '') ],
        [ 'another method',  'GET', '/pay', undef, $as_k1->('HEAD', '/pay', '') ],
        [ 'too old',         'GET', '/pay', undef, $as_k1->('GET', '/pay', '', age => -302) ],
        [ 'an unknown key',  'GET', '/pay', undef, 'Authorization: ' . auth('GET', '/pay', '', key_id => 'nobody') ],
        [ 'another secret',  'GET', '/pay', undef, 'Authorization: ' . auth('GET', '/pay', '', key_id => 'shop1', secret => secret('k2')) ],
        [ 'another scheme',  'GET', '/pay', undef, 'Authorization: Bearer abc' ],
        )
    {
        my ($what, @ask) = @{$case};
        like(ask(@ask), qr{^HTTP/1.1 401.*"code":"PH-A101"}s, "verify-only: $what");
    }
    like(ask('GET', '/%70ay', undef, $as_k1->('GET', '/%70ay', '')), qr{^HTTP/1.1 404}s, 'verify-only: a path that is not plain');
    like(ask('POST', '/pay', 'x' x 65537, $as_k1->('POST', '/pay', 'x' x 65537)), qr{^HTTP/1.1 413}s, 'verify-only: too large');
    is(arrivals(), 1, 'verify-only: one of all these arrived');
}
stop('verify-only.conf');

# --- limits and nothing else

start('limits-only.conf', '8081');
{
    my @by = map { ask('GET', '/', undef, 'X-Api-Token: t1') } 1 .. 14;
    my $passed = grep {m{^HTTP/1.1 200}} @by;
    cmp_ok($passed, '>=', 11, 'limits-only: a burst of 10 and one on credit');
    like($by[0], qr{RateLimit-Policy: "address";q=40;w=2, "token";q=10;w=2\r}, 'limits-only: both are told');
    if ($passed < 14) {
        my ($refused) = grep {!m{^HTTP/1.1 200}} @by;
        like($refused, qr{^HTTP/1.1 429.*Retry-After: 1\r.*"code":"PH-A303"}s, 'limits-only: then 429');
    }
    is(arrivals(), $passed, 'limits-only: nothing that was refused arrived');
    like(ask('GET', '/', undef, 'X-Api-Token: t2'), qr{^HTTP/1.1 200}, 'limits-only: another token');
    like(ask('GET', '/'), qr{^HTTP/1.1 200.*RateLimit-Policy: "address";q=40;w=2\r}s, 'limits-only: none');
    like(ask('GET', '/export', undef, 'X-Api-Token: t1'), qr{^HTTP/1.1 200}, 'limits-only: shadow refuses nobody');
    like(ask('GET', '/search?q'), qr{^HTTP/1.1 200.*RateLimit-Policy: "address";q=40;w=2, "search";}s, 'limits-only: a block of its own');
    like(ask('GET', '/?[1-300]'), qr{HTTP/1.1 429.*RateLimit: "address";r=0;}s, 'limits-only: an address as well');
}
stop('limits-only.conf');

# --- status and nothing else

start('status.conf', '127.0.0.1:9180');
{
    # over a unix socket nobody is 127.0.0.1, and `deny all` holds
    for my $path (qw(/status /metrics /falcon)) {
        like(ask('GET', $path), qr{^HTTP/1.1 403}, "status: $path is not for others");
    }
}
stop('status.conf');

{
    my $port = $ENV{TEST_NGINX_SERVER_PORT} || 19180;
    my $text = slurp('lua-free-config/status.conf');
    $text =~ s{127.0.0.1:9180}{127.0.0.1:$port} or die;
    $dir = payhub_dir() . '/status.conf';
    spill("$dir/piece.conf", $text);
    unlink "$dir/sock", "$dir/backend.sock";
    is(run(), 0, 'status: nginx starts on loopback') or BAIL_OUT(slurp("$dir/out"));
    my $at = "http://127.0.0.1:$port";
    my $get = sub { scalar qx(curl -sS -i --noproxy '*' --max-time 10 --retry 20 --retry-connrefused --retry-delay 0 '$at$_[0]') };
    like($get->('/status'),         qr{^HTTP/1.1 200.*<html}s,            'status: the page');
    like($get->('/status?as=json'), qr{"counters": \{}s,                  'status: its figures');
    like($get->('/metrics'),        qr{^# TYPE payhub_edge_\w+ counter}m, 'status: Prometheus');
    like($get->('/falcon'),         qr{"metric": ?"payhub\.edge\.}s,      'status: Open-Falcon');
    like($get->('/control'),        qr{^HTTP/1.1 404}s,                   'status: no control');
    ($pid) = slurp("$dir/pid") =~ /(\d+)/;
}
stop('status.conf');

END {
    if ($pid && kill 0 => $pid) {
        my $status = $?;
        kill TERM => $pid;
        $? = $status;
    }
}

done_testing();
