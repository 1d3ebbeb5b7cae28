# One table of bad requests in front of a worker that counts: status, code, and
# that nothing arrived.  Each is a good request but for one thing, as bytes over
# a connection of its own; the good one is the last row, and does arrive.
use strict;
use warnings;

use Digest::SHA qw(sha256_base64);
use IO::Socket::UNIX;
use Payhub;
use Test::More;
use Time::HiRes qw(sleep time);

my $nginx  = $ENV{TEST_NGINX_BINARY}       || '/usr/sbin/nginx';
my $module = $ENV{TEST_NGINX_LOAD_MODULES} // 'build/release/ngx_http_payhub_module.so';
my $dir    = payhub_dir() . '/requests';
my $pid;
my $target = '/v1/call?tag=bad';
my $body   = '{"a":1}';

sub spill {
    my ($path, $text) = @_;

    open my $out, '>', $path or die "$path: $!";
    print {$out} $text;
    close $out or die "$path: $!";
    return;
}

sub slurp {
    my ($path) = @_;

    open my $in, '<', $path or return '';
    local $/ = undef;
    return scalar <$in>;
}

sub run {
    my @args = @_;

    local $ENV{LD_PRELOAD} = $ENV{TEST_NGINX_LD_PRELOAD} // '';
    return system("$nginx -e $dir/error.log -p $dir/ -c $dir/nginx.conf @args >>$dir/out 2>&1");
}

sub start {
    mkdir $dir or die "$dir: $!";
    chmod 0777, $dir;
    my $http = http_config();
    my $root = payhub_dir();
    $http =~ s/\$TEST_NGINX_PAYHUB_DIR/$root/g;
    my $load = $module ne '' ? "load_module $module;" : '';
    my $user = getpwuid $<;
    my $temp = join ' ', map {"${_}_temp_path $dir/$_;"} qw(client_body proxy fastcgi uwsgi scgi);
    spill("$dir/nginx.conf", <<"CONF");
$load
user $user;
pid $dir/pid;
error_log $dir/error.log info;
events { worker_connections 128; }
http {
    $temp
    access_log off;
    client_header_timeout 2s;
    $http
    payhub_limit_zone one:64k key=\$arg_slow rate=1/h burst=1ms;
    server {
        listen unix:$dir/sock;
        payhub_verify_window 300s;
        client_max_body_size 64k;
        client_body_buffer_size 64k;
        client_body_timeout 1s;
        location /v1/ {
            payhub_limit one;
            payhub_verify payhub-v3 rfc9421;
            payhub_nonce zone=n:1m cold=accept;
            payhub_pass payhub_workers;
        }
        location /only-9421/ {
            payhub_verify rfc9421;
            payhub_pass payhub_workers;
        }
    }
}
CONF
    is(run(), 0, 'nginx starts') or BAIL_OUT(slurp("$dir/out"));
    for (1 .. 200) {
        last if -s "$dir/pid";
        sleep 0.05;
    }
    ($pid) = slurp("$dir/pid") =~ /(\d+)/;
    return;
}

sub exchange {
    my ($bytes) = @_;

    my $sock = IO::Socket::UNIX->new(Peer => "$dir/sock") or die "sock: $!";
    local $SIG{PIPE} = 'IGNORE';
    print {$sock} $bytes;
    my $answer = '';
    local $SIG{ALRM} = sub { die "late\n" };
    alarm 10;
    eval { 1 while sysread $sock, $answer, 65536, length $answer };
    alarm 0;
    return $answer;
}

# A good POST but for what `%with` says, signed by k1; `edit` changes its bytes.
sub post {
    my (%with) = @_;

    my $bytes = raw('POST', $with{target} // $target, $with{body} // $body, %with);
    my $edit = $with{edit};
    return $edit ? $edit->($bytes) : $bytes;
}

sub edited {
    my ($from, $to) = @_;

    return sub {
        my ($bytes) = @_;
        (my $other = $bytes) =~ s/$from/ref $to ? $to->() : $to/e or die "no $from";
        return $other;
    };
}

sub header { my ($line) = @_; return edited(qr/^Host: localhost\r\n/m, "Host: localhost\r\n$line\r\n") }

# rfc9421 with k1; `sign` is what the signature is over when it differs
my $fields = '"@method" "@authority" "@path" "@query" "content-digest"';
my $count  = 0;

sub post_9421 {
    my (%with) = @_;

    my $digest = 'sha-256=:' . Payhub::base64(sha256_base64($with{digest_of} // $body)) . ':';
    my $params = '(' . ($with{fields} // $fields) . ');created=' . (int(time) + ($with{age} // 0))
        . ';keyid="' . ($with{key_id} // 'k1') . '"'
        . ($with{params} // ';nonce="bad-9421-' . $$ . '-' . ++$count . '"');
    my %value = ('@method' => 'POST', '@authority' => 'localhost', '@path' => '/v1/call', '@query' => '?tag=bad',
        'content-digest' => $digest);
    my $base = join '', map {qq{"$_": $value{$_}\n}} ($with{fields} // $fields) =~ /"([^"]+)"/g;
    my $sum = Payhub::base64(Digest::SHA::hmac_sha256_base64($base . qq{"\@signature-params": $params}, secret('k1')));
    my $lines = "Signature-Input: s=$params\nSignature: s=:" . ($with{signature} // $sum) . ':'
        . ($with{no_digest} ? '' : "\nContent-Digest: $digest") . ($with{extra} // '');
    return raw('POST', $target, $body, headers => $lines);
}

my $once  = post(nonce => 'bad-request-once');
my $large = 'x' x 65537;
my $unauthorized = [ 401, "PH-A101" ];
my @table = (
    # the header
    [ 'no Authorization',            post(headers => 'X-A: b'),                                 @{$unauthorized} ],
    [ 'an empty one',                post(headers => 'Authorization: '),                        @{$unauthorized} ],
    [ 'the scheme alone',            post(headers => 'Authorization: PAYHUB-V3'),               @{$unauthorized} ],
    [ 'another scheme',              post(headers => 'Authorization: Bearer abc'),              @{$unauthorized} ],
    [ 'the scheme in small letters', post(edit => edited(qr/PAYHUB-V3/, 'payhub-v3')),          @{$unauthorized} ],
    [ 'two of them',                 post(edit => header('Authorization: PAYHUB-V3 a="b"')),    400, 'PH-A102' ],
    [ 'a field twice',               post(edit => edited(qr/timestamp="/, 'nonce="12345678",timestamp="')), @{$unauthorized} ],
    [ 'a field missing',             post(order => [qw(key_id timestamp nonce)]),               @{$unauthorized} ],
    [ 'an unknown field',            post(edit => edited(qr/key_id="/, 'alg="none",key_id="')), @{$unauthorized} ],
    [ 'a blank too many',            post(edit => edited(qr/",nonce/, '", nonce')),             @{$unauthorized} ],
    [ 'no closing quote',            post(edit => edited(qr/=="\r|="\r/, "=\r")),               @{$unauthorized} ],
    [ 'a comma at the end',          post(edit => edited(qr/="\r/, qq{=",\r})),                 @{$unauthorized} ],
    [ 'no quotes',                   post(edit => edited(qr/key_id="k1"/, 'key_id=k1')),        @{$unauthorized} ],
    [ 'a header without end',        post(edit => edited(qr/nonce="/, 'nonce="' . 'n' x 5000)), @{$unauthorized} ],
    # the clock
    [ 'too old',                     post(age => -303),                                         @{$unauthorized} ],
    [ 'too far ahead',               post(age => 360),                                          @{$unauthorized} ],
    [ 'no number',                   post(time => 'now'),                                       @{$unauthorized} ],
    [ 'with a sign',                 post(time => '+' . int time),                              @{$unauthorized} ],
    [ 'with a zero in front',        post(time => '0' . int time),                              @{$unauthorized} ],
    [ 'with a fraction',             post(time => int(time) . '.0'),                            @{$unauthorized} ],
    [ 'in milliseconds',             post(time => int(time) . '000'),                           @{$unauthorized} ],
    [ 'beyond 64 bits',              post(time => '9' x 30),                                    @{$unauthorized} ],
    # nonce, key, signature
    [ 'a nonce of 7',                post(nonce => '1234567'),                                  @{$unauthorized} ],
    [ 'a nonce of 65',               post(nonce => 'n' x 65),                                   @{$unauthorized} ],
    [ 'a nonce with a dot',          post(nonce => 'n.n.n.n.n'),                                @{$unauthorized} ],
    [ 'an unknown key',              post(key_id => 'nobody'),                                  @{$unauthorized} ],
    [ 'a key too early',             post(key_id => 'early'),                                   @{$unauthorized} ],
    [ 'a key too late',              post(key_id => 'late'),                                    @{$unauthorized} ],
    [ 'a key id of 33',              post(key_id => 'k' x 33),                                  @{$unauthorized} ],
    [ 'the secret of another',       post(secret => secret('k2')),                              @{$unauthorized} ],
    [ 'no signature',                post(signature => ''),                                     @{$unauthorized} ],
    [ 'base64 that is none',         post(signature => '!' x 43 . '='),                         @{$unauthorized} ],
    [ 'base64 without padding',      post(edit => edited(qr/="\r/, "\"\r")),                    @{$unauthorized} ],
    [ 'base64 of the web kind',      post(signature => '_' x 43 . '='),                         @{$unauthorized} ],
    [ 'an unused bit set',           post(edit => edited(qr/(.)="\r/, sub { my $c = $1; $c =~ tr{AEIMQUYcgkosw048}{BFJNRVZdhlptx159}; qq{$c="\r} })), @{$unauthorized} ],
    [ 'a signature cut short',       post(edit => edited(qr/....="\r/, qq{="\r})),              @{$unauthorized} ],
    # what was signed is something else
    [ 'another body',                post(edit => edited(qr/"a":1/, '"a":2')),                  @{$unauthorized} ],
    [ 'another method',              post(edit => edited(qr/^POST/, 'PUT')),                    @{$unauthorized} ],
    [ 'another query',               post(edit => edited(qr/tag=bad/, 'tag=bad&b')),            @{$unauthorized} ],
    [ 'another path',                post(edit => edited(qr{/v1/call}, '/v1/echo')),            @{$unauthorized} ],
    [ 'the first time',              $once,                                                     200, 'key_id=k1' ],
    [ 'and the second',              $once,                                                     @{$unauthorized} ],
    # the target
    [ 'an escaped letter',           post(target => '/v1/%63all?tag=bad'),                      404, 'PH-A207' ],
    [ 'two slashes',                 post(target => '/v1//call?tag=bad'),                       404, 'PH-A207' ],
    [ 'a dot segment',               post(target => '/v1/x/../call?tag=bad'),                   404, 'PH-A207' ],
    [ 'a semicolon',                 post(target => '/v1/call;a?tag=bad'),                      404, 'PH-A207' ],
    [ 'absolute',                    post(target => 'http://localhost/v1/call?tag=bad'),        400, 'PH-A201' ],
    [ 'a fragment',                  post(target => '/v1/call?tag=bad#a'),                      400, 'PH-A201' ],
    # the body
    [ 'too large',                   post(body => $large),                                      413, 'PH-A209' ],
    [ 'too large, in chunks',        post(body => $large, edit => sub { my ($b) = @_; $b =~ s/Content-Length: \d+\r\n\r\n.*/sprintf "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", length $large, $large/es; $b }), 413, 'PH-A209' ],
    [ 'shorter than announced',      post(edit => edited(qr/Content-Length: 7/, 'Content-Length: 8')), 0, '' ],    # closed
    [ 'longer than announced',       post(edit => edited(qr/Content-Length: 7/, 'Content-Length: 6')), @{$unauthorized} ],
    [ 'a length that is none',       post(edit => edited(qr/Content-Length: 7/, 'Content-Length: 7x')), 400, '' ],
    [ 'two lengths',                 post(edit => header('Content-Length: 7')),                 400, '' ],
    [ 'a chunk that is none',        post(edit => edited(qr/Content-Length: 7\r\n\r\n/, "Transfer-Encoding: chunked\r\n\r\nzz\r\n")), 400, '' ],
    [ 'gzip',                        post(edit => header('Content-Encoding: gzip')),            415, 'PH-A210' ],
    [ 'identity, which says nothing', post(edit => header('Content-Encoding: identity')),       415, 'PH-A210' ],
    # limited
    [ 'a token at a time',           post(target => '/v1/call?tag=good&slow=1'),                200, 'key_id=k1' ],
    [ 'and none left',               post(target => '/v1/call?tag=bad&slow=1'),                 429, 'PH-A303' ],
    # rfc9421
    [ '9421: no proof in it',        post_9421(signature => 'A' x 43 . '='),                    @{$unauthorized} ],
    [ '9421: without the digest',    post_9421(fields => '"@method" "@authority" "@path" "@query"'), @{$unauthorized} ],
    [ '9421: a digest of another body', post_9421(digest_of => '{"a":2}'),                      @{$unauthorized} ],
    [ '9421: signed, but not there', post_9421(no_digest => 1),                                 @{$unauthorized} ],
    [ '9421: without the path',      post_9421(fields => '"@method" "@authority" "@query" "content-digest"'), @{$unauthorized} ],
    [ '9421: without a nonce',       post_9421(params => ''),                                   @{$unauthorized} ],
    [ '9421: too old',               post_9421(age => -303),                                    @{$unauthorized} ],
    [ '9421: expired',               post_9421(params => ';nonce="bad-9421-x";expires=' . (int(time) - 5)), @{$unauthorized} ],
    [ '9421: another algorithm',     post_9421(params => ';nonce="bad-9421-y";alg="ed25519"'),  @{$unauthorized} ],
    [ '9421: an unknown key',        post_9421(key_id => 'nobody'),                             @{$unauthorized} ],
    [ '9421: where it alone is taken', post(target => '/only-9421/call?tag=bad'),               @{$unauthorized} ],
    [ '9421: the good one',          post_9421(),                                               200, 'key_id=k1' ],
    [ 'the good one',                post(target => '/v1/call?tag=good'),                       200, 'key_id=k1' ],
);

worker_start();
start();
for my $row (@table) {
    my ($name, $bytes, $status, $code) = @{$row};
    my $answer = exchange($bytes);
    if (!$status) {
        is($answer, '', "$name: closed without a word");
        next;
    }
    like($answer, qr{^HTTP/1\.1 $status .*\Q$code\E}s, "$name: $status $code") or diag substr $bytes, 0, 600;
}
is(Payhub::arrivals('bad'),  'a=2', 'of the bad ones nothing arrived: two are good');
is(Payhub::arrivals('good'), 'a=2', 'and the good ones did');
my %bodies;
for my $row (grep { $_->[2] == 401 } @table) {
    my ($shown) = exchange($row->[1]) =~ /\r\n\r\n(.*)/s;
    $shown =~ s/"request_id":"[0-9a-f]{32}"//;
    $bodies{$shown}++;
}
is(scalar keys %bodies, 1, 'every 401 says the same') or diag explain \%bodies;

kill QUIT => $pid;
for (1 .. 200) {
    last if !-e "$dir/pid";
    sleep 0.05;
}
unlike(slurp("$dir/error.log"), qr/\[(?:alert|emerg|crit)\]|AddressSanitizer|runtime error/,
    'nothing alarming in the log');
undef $pid;

END {
    if ($pid && kill 0 => $pid) {
        my $status = $?;
        kill TERM => $pid;
        $? = $status;
    }
}

done_testing();
