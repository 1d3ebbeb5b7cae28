# lua-free-config/ as it is shipped, but for its absolute paths: TLS, HTTP/2,
# signed answers, the edges of the clock window, a reload, a stop under load.
# Not in the Test::Nginx format, since that knows neither TLS nor our signatures.
use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Payhub;
use Test::More;
use Time::HiRes qw(sleep time);

my $nginx  = $ENV{TEST_NGINX_BINARY}       || '/usr/sbin/nginx';
my $module = $ENV{TEST_NGINX_LOAD_MODULES} // 'build/release/ngx_http_payhub_module.so';
my $dir    = payhub_dir() . '/shipped';
my $pid;

sub slurp {
    my ($path) = @_;

    open my $in, '<', $path or die "$path: $!";
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

sub set_up {
    mkdir $dir or die "$dir: $!";
    chmod 0777, $dir;
    system('openssl req -x509 -newkey rsa:2048 -nodes -days 2 -batch -subj /CN=pay.example.com'
            . " -keyout $dir/edge.key -out $dir/edge.pem 2>$dir/openssl.log") == 0
        or die slurp("$dir/openssl.log");
    my $keys = key_lines();
    $keys =~ s/\$TEST_NGINX_PAYHUB_DIR/payhub_dir()/ge;
    spill("$dir/keys.conf", $keys);

    my $upstream = slurp('lua-free-config/payhub-upstream.conf');
    $upstream =~ s{unix:\S+}{'unix:' . payhub_dir() . '/a.sock'}e or die;
    spill("$dir/payhub-upstream.conf",  $upstream);
    spill("$dir/payhub-locations.conf", slurp('lua-free-config/payhub-locations.conf'));

    my $edge = slurp('lua-free-config/payhub-edge.conf');
    $edge =~ s{/var/lib/payhub/}{$dir/}g or die;
    $edge =~ s{/etc/payhub/}{$dir/}g     or die;
    # 4200 keys in a row from one address
    $edge =~ s{rate=200/s burst=400}{rate=20000/s burst=40000} or die;
    spill("$dir/payhub-edge.conf", $edge);
    spill("$dir/edge-seal.key",    ('0123456789abcdef' x 4) . "\n");
    chmod 0600, "$dir/edge-seal.key";
    my $admin = slurp('lua-free-config/payhub-admin.conf');
    $admin =~ s{unix:/run/payhub-admin/}{unix:$dir/} or die;
    spill("$dir/payhub-admin.conf", $admin);
    my $tls = slurp('lua-free-config/tls-http2.conf');
    $tls =~ s{^listen 443 }{listen unix:$dir/tls.sock }m or die;
    $tls =~ s{/etc/payhub/tls/}{$dir/}g                  or die;
    spill("$dir/tls-http2.conf", $tls);

    my $conf = slurp('lua-free-config/nginx.conf');
    # an nginx that has the module linked in loads nothing
    my $load = $module ne '' ? "load_module $module;" : '';
    $conf =~ s{load_module \S+;}{$load}                  or die;
    $conf =~ s{/etc/payhub/}{$dir/}g                      or die;
    $conf =~ s{/var/log/nginx/}{$dir/}g                   or die;
    $conf =~ s{/run/nginx.pid}{$dir/pid}                  or die;
    $conf =~ s{error.log notice}{error.log info}          or die;
    $conf =~ s{^user [^;]+;}{"user " . getpwuid($<) . ';'}me or die;
    $conf =~ s{worker_rlimit_nofile \S+;\n}{}            or die;
    # the stopping side of this test must not wait half a minute
    $conf =~ s{worker_shutdown_timeout 30s}{worker_shutdown_timeout 5s} or die;
    my $temp = join "\n", map {"    ${_}_temp_path $dir/$_;"} qw(client_body proxy fastcgi uwsgi scgi);
    $conf =~ s/^http \{$/http {\n$temp/m or die;
    spill("$dir/nginx.conf", $conf);
    return;
}

sub nginx {
    my @args = @_;

    local $ENV{LD_PRELOAD} = $ENV{TEST_NGINX_LD_PRELOAD} // '';
    return system("$nginx -e $dir/error.log -p $dir/ -c $dir/nginx.conf @args >>$dir/out 2>&1");
}

sub start {
    is(nginx('-t'), 0, 'nginx -t takes the shipped files') or diag slurp("$dir/out");
    is(nginx(),     0, 'and nginx starts')                 or BAIL_OUT(slurp("$dir/out"));
    for (1 .. 100) {
        last if -s "$dir/pid";
        sleep 0.05;
    }
    ($pid) = slurp("$dir/pid") =~ /(\d+)/;
    return;
}

# One call by curl: the whole answer, headers first, as text.
sub call {
    my ($method, $target, $body, %with) = @_;

    my $auth = $with{auth} // 'Authorization: ' . auth($method, $target, $body, %with);
    my @curl = (
        qw(curl -sS -i --max-time 20), $with{http1} ? '--http1.1' : '--http2',
        '--unix-socket', "$dir/tls.sock", '--cacert', "$dir/edge.pem", '--path-as-is',
        '--noproxy', '*', '-X', $method, '-H', $auth,
        $method eq 'HEAD' ? ('--head') : (),
        defined $body ? ('--data-binary', '@-', '-H', 'Content-Type: application/json', '-H', 'Expect:') : (),
        $with{chunked} ? ('-H', 'Transfer-Encoding: chunked') : (),
        "https://pay.example.com$target"
    );
    my $in = "$dir/body.$$";
    spill($in, $body // '');
    open my $out, '-|', 'sh', '-c', 'exec "$@" <' . $in . ' 2>&1', 'sh', @curl or die "curl: $!";
    binmode $out;
    local $/ = undef;
    my $answer = <$out>;
    close $out;
    return $answer;
}

my $largest     = join '', map { sprintf '%07d.', $_ } 1 .. 8192;
my $largest_sum = sha256_hex($largest);

worker_start();
set_up();
start();

for my $http1 (0, 1) {
    my @over = (http1 => $http1);
    my $name = $http1 ? 'HTTP/1.1' : 'HTTP/2';
    my $line = $http1 ? qr{^HTTP/1\.1 } : qr{^HTTP/2 };

    like(call('GET', '/healthz', undef, @over, auth => 'X-A: b'),
        qr{${line}200.*ok\n$}s, "$name: /healthz without a worker's help");
    like(call('GET', '/readyz', undef, @over, auth => 'X-A: b'),
        qr{${line}200.*target=/readyz\n}s, "$name: /readyz is a worker's");
    like(call('POST', '/v1/call', '{"a":1}', @over),
        qr{${line}200.*key_id=k1\nmerchant_id=mch1\nmethod=POST\n.*target=/v1/call\n.*body=7\n$}s,
        "$name: a signed call");
    like(call('GET', '/v1/call?a=b', undef, @over),
        qr{${line}200.*target=/v1/call\?a=b\n.*body=0\n$}s, "$name: without a body");
    like(call('POST', '/v1/md5', $largest, @over),
        qr{${line}200.*\n65536 $largest_sum\n$}s, "$name: 64 KiB");
    like(call('POST', '/v1/md5', $largest, @over, chunked => 1),
        qr{${line}200.*\n65536 $largest_sum\n$}s, "$name: 64 KiB of no announced length");
    like(call('POST', '/v1/echo', 'x' x 65537, @over),
        qr{${line}413.*"code":"PH-A209"}s, "$name: a byte more");
    like(call('POST', '/v1/call', '{"a":2}', @over, auth => 'Authorization: ' . auth('POST', '/v1/call', '{"a":1}')),
        qr{${line}401.*"code":"PH-A101"}s, "$name: a changed body");
    like(call('GET', '/v1/%63all', undef, @over), qr{${line}404.*"code":"PH-A207"}s, "$name: a path that is not plain");
    like(call('GET', '/v1/x#y', undef, @over, auth => 'X-A: b'), qr{${line}401}s, "$name: curl itself cuts a fragment");
    like(call('POST', '/notify/call/acc', 'a=b', @over, auth => 'X-Signature: s'),
        qr{${line}200.*header x-signature=s\n.*body=3\n$}s, "$name: a notice with its headers");
    like(call('GET', '/elsewhere', undef, @over), qr{${line}404.*"code":"PH-A207"}s, "$name: nothing else is served");

    for my $try ([ 'GET', '/v1/call' ], [ 'POST', '/v1/created', '{}' ], [ 'GET', '/v1/empty' ],
        [ 'GET', '/v1/missing' ], [ 'HEAD', '/v1/call' ])
    {
        my $nonce  = sprintf 'nonce-%s-%d', join('', $try->[1] =~ /(\w+)$/), rand 1e9;
        my $answer = call(@{$try}[ 0 .. 2 ], @over, nonce => $nonce, key_id => 'k2');
        ok(answer_is_signed($answer, 'k2', $nonce), "$name: $try->[0] $try->[1] is signed") or diag $answer;
        ok(!answer_is_signed($answer . 'x', 'k2', $nonce), "$name: and a byte more is not");
    }
}

# who looks and who changes: over the socket only
sub admin {
    my ($path, @more) = @_;

    return scalar qx(curl -sS -i --max-time 10 --unix-socket $dir/edge.sock @more 'http://localhost$path' 2>&1);
}
like(admin('/status'),         qr{^HTTP/1.1 200.*Content-Security-Policy.*<html}s, 'the page of the admin socket');
like(admin('/status?as=json'), qr{"(?:limit|name)": "payhub_app"},                           'knows the shipped limits');
like(admin('/metrics'),        qr{^payhub_edge_\w+}m,                              'Prometheus text');
like(admin('/control'),        qr{^HTTP/1.1 200.*"generation":}s,                  'and control answers there');
like(admin('/v1/call'),        qr{^HTTP/1.1 404}s,                                 'nothing else does');
like(call('GET', $_, undef, auth => 'X-A: b'), qr{^HTTP/2 404}s, "$_ is not for callers")
    for qw(/status /metrics /control);
like(call('GET', '/v1/call'), qr{ratelimit-policy: "payhub_address";q=40000;w=2, "payhub_app";q=2000;w=2\r}s,
    'callers are told their limits');
like(
    admin('/control', '-d', q('{"kind":"limit","name":"payhub_app","rate":"1/s","burst":"1"}')),
    qr{^HTTP/1.1 200}s,
    'a live change'
);
for (1 .. 40) {
    last if call('GET', '/v1/call') =~ m{^HTTP/2 429};
    sleep 0.1;
}
like(call('GET', '/v1/call'), qr{^HTTP/2 429.*retry-after: \d+\r.*"code":"PH-A303"}s, 'refuses soon');
like(call('POST', '/notify/call/acc', 'a=b', auth => 'X-Signature: s'), qr{^HTTP/2 200}s, 'apps alone');
like(admin('/control', '-X', 'DELETE', '-d', q('{"kind":"limit","name":"payhub_app"}')),
    qr{^HTTP/1.1 200}s, 'and is taken away');
for (1 .. 40) {
    last if call('GET', '/v1/call') =~ m{^HTTP/2 200};
    sleep 0.1;
}

# the window is 300 s: a second inside, two outside, each signed just now
for my $edge ([ -299, 200 ], [ 299, 200 ], [ -302, 401 ], [ 303, 401 ]) {
    my ($age, $status) = @{$edge};
    like(call('GET', '/v1/call', undef, age => $age), qr{^HTTP/2 $status}, "a timestamp of $age s: $status");
}

# a reload in between: kept contexts and connections of the old cycle go away
like(call('GET', '/v1/call'), qr{^HTTP/2 200}, 'before the reload');
kill HUP => $pid;
sleep 0.5;
like(call('GET', '/v1/call'), qr{^HTTP/2 200}, 'after the reload');

# more keys than contexts are kept: each still verifies, twice round
{
    my $more = '';
    for my $n (1 .. 4200) {
        $more .= "payhub_key many$n hmac-sha256 secret=file:" . payhub_dir() . "/k1;\n";
    }
    spill("$dir/keys.conf", slurp("$dir/keys.conf") . $more);
    my $conf = slurp("$dir/nginx.conf");
    $conf =~ s/worker_processes auto/worker_processes 1/ or die;
    $conf =~ s{server \{}{server { listen unix:$dir/plain.sock;\nserver_name plain;\nkeepalive_requests 100000;\n
        location / { payhub_verify payhub-v3; return 204; } }\nserver \{} or die;
    spill("$dir/nginx.conf", $conf);
    kill HUP => $pid;
    for (1 .. 100) {
        last if -S "$dir/plain.sock";
        sleep 0.05;
    }
    sleep 0.5;

    my $sock = IO::Socket::UNIX->new(Peer => "$dir/plain.sock") or die "plain.sock: $!";
    my ($ok, $bad) = (0, 0);
    for my $round (1, 2) {
        for my $n (1 .. 4200) {
            my $auth = auth('GET', '/k', '', key_id => "many$n", secret => secret('k1'));
            print {$sock} "GET /k HTTP/1.1\r\nHost: plain\r\nAuthorization: $auth\r\n\r\n";
            my $head = '';
            while ($head !~ /\r\n\r\n/) {
                sysread $sock, $head, 4096, length $head or last;
            }
            $head =~ m{^HTTP/1.1 204} ? $ok++ : $bad++;
            last if $bad;
        }
    }
    is("$ok good, $bad bad", '8400 good, 0 bad', '4200 keys over 4096 kept contexts');
}

kill QUIT => $pid;
for (1 .. 200) {
    last if !-e "$dir/pid";
    sleep 0.05;
}
ok(!-e "$dir/pid", 'stops when asked');
unlike(slurp("$dir/error.log"), qr/\[(?:alert|emerg|crit)\]|AddressSanitizer|runtime error/,
    'nothing alarming in the log');
like(slurp("$dir/access.log"),
    qr/request=[0-9a-f]{32} key=k2 app=app2 verify=ok limit=granted route="-" order=P0{26} channel=sandbox outcome=paid upstream_us=\d+/,
    'the log format of the example tells it all');

END {
    if ($pid && kill 0 => $pid) {
        my $status = $?;
        kill TERM => $pid;
        $? = $status;
    }
}

done_testing();
