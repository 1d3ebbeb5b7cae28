# rfc9421: signatures over the request as received, and what is refused.
use Test::Nginx::Socket 'no_plan';
use Payhub;
use PayhubKeys;

our $Refused = qr/"code":"PH-A101","request_id":"[0-9a-f]{32}","retryable":false\}\s*$/;

keys_start();
edge_defaults();
add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('http_config', main::http_config() . alg_key_lines()
        . "payhub_key v3only hmac-sha256 secret=file:\$TEST_NGINX_PAYHUB_DIR/k1 schemes=payhub-v3;\n");
    $block->set_value('config', '
    # everything is signed before the first block runs, and a run may be slow
    payhub_verify_window 1h;
    location /v/ { payhub_verify rfc9421; return 200 "$payhub_key_id $payhub_app\n"; }
    location /b/ { payhub_verify payhub-v3 rfc9421; return 200 "$payhub_key_id $payhub_app\n"; }
    location /3/ { payhub_verify payhub-v3; return 200 "$payhub_key_id $payhub_app\n"; }
    location /w/ { payhub_verify rfc9421; payhub_pass payhub_workers; }')
        if !defined $block->config;
    $block->set_value('response_body_like', $main::Refused)
        if ($block->error_code // '') eq '401';
});

our $At = q{qw(@method @authority @path @query)};
my $sha512 = q{'sha-512=:' . main::b64(Digest::SHA::sha512('hello')) . ':'};
my $sha256 = q{'sha-256=:' . main::b64(Digest::SHA::sha256('hello')) . ':'};

# [name, arguments of rfc(), request, expectation]: ok, a reason of 401 or 400
my @cases = (
    [ 'a request without a body', '"k1", "GET", "/v/a?b=c&d=%7e"', 'GET /v/a?b=c&d=%7e', 'ok k1 app1' ],
    [ 'no query', '"k1", "GET", "/v/a"', 'GET /v/a', 'ok k1 app1' ],
    [ 'an empty query', '"k1", "GET", "/v/a?"', 'GET /v/a?', 'ok k1 app1' ],
    (map { [ "$_ with a body", qq{"$_", "POST", "/v/a", "hello"}, "POST /v/a\nhello", "ok $_ $_-app" ] }
        qw(hm rsa pss ec ed)),
    (map { [ "$_: another body", qq{"$_", "POST", "/v/a", "hellp"}, "POST /v/a\nhello", '401 digest' ] }
        qw(hm ed)),
    (map { [ "$_: another method", qq{"$_", "PUT", "/v/a", "hello"}, "POST /v/a\nhello", '401 signature' ] }
        qw(hm rsa pss ec ed)),
    (map { [ "$_: a signature cut off", qq{"$_", "GET", "/v/a", "", spoil => sub { substr \$_[0], 0, -1 }},
            'GET /v/a', '401 signature' ] } qw(hm rsa pss ec ed)),
    [ 'another path', '"k1", "GET", "/v/b"', 'GET /v/a', '401 signature' ],
    [ 'another query', '"k1", "GET", "/v/a?x=1"', 'GET /v/a?x=2', '401 signature' ],
    [ 'another authority', '"k1", "GET", "/v/a", "", authority => "example.com"', 'GET /v/a', '401 signature' ],
    [ 'SM2 does not serve it', '"sm2", "GET", "/v/a"', 'GET /v/a', '401 scheme' ],
    [ 'a key of payhub-v3 alone', '"v3only", "GET", "/v/a", "", raw => "x" x 32', 'GET /v/a', '401 scheme' ],
    [ 'an unknown key', '"nobody", "GET", "/v/a"', 'GET /v/a', '401 key' ],
    [ 'signed by a stranger', '"ed", "GET", "/v/a", "", by => "stranger"', 'GET /v/a', '401 signature' ],
    [ 'a key before its time', '"early", "GET", "/v/a"', 'GET /v/a', '401 key_time' ],
    [ 'a key after its time', '"late", "GET", "/v/a"', 'GET /v/a', '401 key_time' ],

    # the body
    [ 'sha-512', qq{"k1", "POST", "/v/a", "hello", digest => $sha512}, "POST /v/a\nhello", 'ok k1 app1' ],
    [ 'both, and one unknown', qq{"k1", "POST", "/v/a", "hello", digest => $sha256 . ", " . $sha512 . ", md5=:AAAA:"},
        "POST /v/a\nhello", 'ok k1 app1' ],
    [ 'both, and one is wrong',
        qq{"k1", "POST", "/v/a", "hello", digest => $sha256 . ", sha-512=:" . main::b64("x" x 64) . ":"},
        "POST /v/a\nhello", '401 digest' ],
    [ 'none that is known', '"k1", "POST", "/v/a", "hello", digest => "md5=:AAAA:"', "POST /v/a\nhello",
        '401 digest' ],
    [ 'no digest for a body', '"k1", "POST", "/v/a", "hello", no_digest => 1', "POST /v/a\nhello",
        '401 not_covered' ],
    [ 'a digest that is not covered', qq{"k1", "POST", "/v/a", "hello", components => [$At]},
        "POST /v/a\nhello", '401 not_covered' ],
    [ 'an empty body needs none', '"k1", "POST", "/v/a", ""', "POST /v/a\n", 'ok k1 app1' ],

    # components
    (map {
            my $left = $_;
            my @rest = grep { $_ ne $left } qw(@method @authority @path @query);
            [ "without $left", qq{"k1", "GET", "/v/a", "", components => [qw(@rest)]}, 'GET /v/a',
                '401 not_covered' ]
        } qw(@method @authority @path @query)),
    [ 'in another order', '"k1", "GET", "/v/a", "", components => [qw(@query @path @authority @method)]',
        'GET /v/a', 'ok k1 app1' ],
    [ 'a field besides', qq{"k1", "GET", "/v/a", "", components => [$At, "x-more"],}
            . ' fields => { "x-more" => "some  text" }, extra => "X-More:  some  text  "', 'GET /v/a', 'ok k1 app1' ],
    [ 'a field that was changed', qq{"k1", "GET", "/v/a", "", components => [$At, "x-more"],}
            . ' fields => { "x-more" => "some" }, extra => "X-More: other"', 'GET /v/a', '401 signature' ],
    [ 'a field that is not there', qq{"k1", "GET", "/v/a", "", components => [$At, "x-more"]}, 'GET /v/a',
        '401 component' ],

    # parameters
    [ 'created too early', '"k1", "GET", "/v/a", "", created => time - 4000', 'GET /v/a', '401 window' ],
    [ 'created too late', '"k1", "GET", "/v/a", "", created => time + 8000', 'GET /v/a', '401 window' ],
    [ 'expired', '"k1", "GET", "/v/a", "", created => time - 20, more => ["expires=" . (time - 10)]',
        'GET /v/a', '401 expired' ],
    [ 'not yet expired', '"k1", "GET", "/v/a", "", more => ["expires=" . (time + 900)]', 'GET /v/a',
        'ok k1 app1' ],
    [ 'alg of the key', '"ed", "GET", "/v/a", "", more => [q{alg="ed25519"}]', 'GET /v/a', 'ok ed ed-app' ],
    [ 'alg of another', '"ed", "GET", "/v/a", "", more => [q{alg="hmac-sha256"}]', 'GET /v/a', '401 alg' ],
    [ 'a tag', '"k1", "GET", "/v/a", "", more => [q{tag="any"}]', 'GET /v/a', 'ok k1 app1' ],
    [ 'no nonce', '"k1", "GET", "/v/a", "", params => ["created=" . time, q{keyid="k1"}]', 'GET /v/a',
        '401 parameter' ],
    [ 'a nonce too short', '"k1", "GET", "/v/a", "", nonce => "1234567"', 'GET /v/a', '401 parameter' ],
    [ 'no created', '"k1", "GET", "/v/a", "", params => [q{keyid="k1"}, q{nonce="12345678"}]', 'GET /v/a',
        '401 parameter' ],
    [ 'no keyid', '"k1", "GET", "/v/a", "", params => ["created=" . time, q{nonce="12345678"}]', 'GET /v/a',
        '401' ],

    # fields
    [ 'text that is no base64', '"k1", "GET", "/v/a", "", text => "AA=A"', 'GET /v/a', '401' ],
    [ 'unused bits that are set', '"k1", "GET", "/v/a", "", text => ("A" x 42) . "B="', 'GET /v/a', '401 signature' ],
    [ 'another label', '"k1", "GET", "/v/a", "", label => "my-label"', 'GET /v/a', 'ok k1 app1' ],
    [ 'Signature-Input twice', '"k1", "GET", "/v/a", "", extra => "Signature-Input: x=()"', 'GET /v/a',
        '400 twice' ],
    [ 'Signature twice', '"k1", "GET", "/v/a", "", extra => "Signature: x=:AAAA:"', 'GET /v/a', '400 twice' ],
    [ 'Content-Digest twice', '"k1", "POST", "/v/a", "hello", extra => "Content-Digest: md5=:AAAA:"',
        "POST /v/a\nhello", '400 twice' ],
    [ 'Content-Encoding', '"k1", "POST", "/v/a", "hello", extra => "Content-Encoding: gzip"',
        "POST /v/a\nhello", '415 encoding' ],
    [ 'a path that nginx would decode', '"k1", "GET", "/v/%61"', 'GET /v/%61', '404 path' ],
    [ 'dot segments', '"k1", "GET", "/v/b/../a"', 'GET /v/b/../a', '404 path' ],

    # which scheme
    [ 'where both are taken', '"k1", "GET", "/b/a"', 'GET /b/a', 'ok k1 app1' ],
    [ 'where the other is taken', '"k1", "GET", "/3/a"', 'GET /3/a', '401 absent' ],
    [ 'beside another Authorization', '"k1", "GET", "/b/a", "", extra => "Authorization: Bearer x"',
        'GET /b/a', 'ok k1 app1' ],
    [ 'two schemes in one request',
        '"k1", "GET", "/b/a", "", extra => main::signed("GET", "/b/a")', 'GET /b/a', '400 schemes' ],
    [ 'a scheme that is not looked at changes nothing',
        '"k1", "GET", "/v/a", "", extra => main::signed("GET", "/v/other")', 'GET /v/a', 'ok k1 app1' ],
    [ 'Idempotency-Key that is not signed', '"k1", "POST", "/v/a", "", extra => "Idempotency-Key: i-1"',
        "POST /v/a\n", '401 not_covered' ],
);

my $data = '';
my $n    = 0;

sub block {
    my ($name, $headers, $request, $rest) = @_;

    $data .= sprintf "=== TEST %d: %s\n--- more_headers eval\n%s\n--- request\n%s\n%s\n\n\n", ++$n, $name,
        $headers, $request, $rest;
    return;
}

for my $case (@cases) {
    my ($name, $arguments, $request, $expected) = @{$case};
    my ($code, $reason) = split / /, $expected, 2;

    block($name, "main::rfc($arguments)", $request,
        $code eq 'ok' ? "--- response_body\n$reason"
        : "--- error_code: $code\n--- error_log\npayhub verify refused: " . ($reason // ''));
}

block('payhub-v3 where both are taken', 'main::signed("GET", "/b/a")', 'GET /b/a', "--- response_body\nk1 app1");
block('payhub-v3 where it is not taken', 'main::signed("GET", "/v/a")', 'GET /v/a',
    "--- error_code: 401\n--- error_log\npayhub verify refused: absent");
block('nothing at all', '"X-None: 1"', 'GET /b/a', "--- error_code: 401\n--- error_log\npayhub verify refused: absent");
block('Signature without its input', '"Signature: sig1=:AAAA:"', 'GET /v/a', '--- error_code: 401');
block('Signature-Input without a signature', 'q{Signature-Input: sig1=("@method");keyid="k1"}', 'GET /v/a',
    '--- error_code: 401');

# two signatures
our $Two = q{sub {
    my ($first, $second) = @_;
    my %line;
    for my $lines ($first, $second) {
        for my $l (split /\n/, $lines) {
            my ($name, $value) = split /: /, $l, 2;
            $line{$name} = defined $line{$name} ? "$line{$name}, $value" : $value;
        }
    }
    CORE::join("\n", map {"$_: $line{$_}"} sort keys %line);
}};
block('a second signature by nobody',
    "($Two)->(main::rfc('k1', 'GET', '/v/a'), main::rfc('nobody', 'GET', '/v/a', '', label => 'sig2'))",
    'GET /v/a', "--- response_body\nk1 app1");
block('nobody\'s stands first',
    "($Two)->(main::rfc('nobody', 'GET', '/v/a', '', label => 'sig2'), main::rfc('k1', 'GET', '/v/a'))",
    'GET /v/a', "--- response_body\nk1 app1");
block('two by known keys',
    "($Two)->(main::rfc('k1', 'GET', '/v/a'), main::rfc('k2', 'GET', '/v/a', '', label => 'sig2'))",
    'GET /v/a', "--- error_code: 400\n--- error_log\npayhub verify refused: several\n"
    . '--- response_body_like: "code":"PH-A104"');
# which keys there are is told to nobody: of several signatures the answers are
# those of one by nobody, until one is proven
for my $other (qw(k2 nobody)) {
    block("two that nobody proved, $other",
        "($Two)->(main::rfc('k1', 'GET', '/v/other'), main::rfc('$other', 'GET', '/v/other', '', label => 'sig2'))",
        'GET /v/a', "--- error_code: 401\n--- response_body_like: \"code\":\"PH-A101\"");
    block("the same key twice, $other",
        "($Two)->(main::rfc('$other', 'GET', '/v/other'), main::rfc('$other', 'GET', '/v/other', '', label => 'sig2'))",
        'GET /v/a', "--- error_code: 401\n--- response_body_like: \"code\":\"PH-A101\"");
    block("parameters of a component behind one by nobody, $other",
        "($Two)->(main::rfc('absent', 'GET', '/v/a'), main::rfc('$other', 'GET', '/v/a', '', label => 'sig2')"
        . q{ =~ s/"\@path"/"\@path";req/r)}, 'GET /v/a',
        "--- error_code: 401\n--- response_body_like: \"code\":\"PH-A101\"");
    block("one out of time behind one by nobody, $other",
        "($Two)->(main::rfc('absent', 'GET', '/v/a'),"
        . " main::rfc('$other', 'GET', '/v/a', '', label => 'sig2', created => time - 9000))",
        'GET /v/a', "--- error_code: 401\n--- error_log\npayhub verify refused: "
        . ($other eq 'k2' ? 'window' : 'key'));
    $data .= sprintf "=== TEST %d: which is not told before the body has come, %s\n--- config\n"
        . "client_body_timeout 300ms;\nlocation /v/ { payhub_verify rfc9421; return 200; }\n"
        . "--- raw_request eval\n%s\n--- error_code:\n--- ignore_response\n--- wait: 0.5\n"
        . "--- no_error_log\npayhub verify refused\n\n\n", ++$n, $other,
        q{"POST /v/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 11\r\n" . }
        . "($Two)->(main::rfc('absent', 'POST', '/v/a', 'hello'),"
        . " main::rfc('$other', 'POST', '/v/a', 'hello', label => 'sig2', created => time - 9000))"
        . q{ =~ s/\n/\r\n/gr . "\r\n\r\nhello"};
}
block('a component with parameters',
    q{main::rfc('k1', 'GET', '/v/a') =~ s/"\@path"/"\@path";req/r}, 'GET /v/a',
    "--- error_code: 400\n--- error_log\npayhub verify refused: component_params\n"
    . '--- response_body_like: "detail":"a component with parameters","code":"PH-A104"');

# what a worker sees
block('the frame', q{main::rfc("ed", "POST", "/w/a", "hello")}, "POST /w/a\nhello",
    "--- response_body_like: app_id=ed-app\\n(?s:.*)key_id=ed\\n(?s:.*)scheme=rfc9421\\n(?s:.*)body=5");
block('a signed Idempotency-Key reaches it',
    qq{main::rfc("k1", "POST", "/w/a", "", components => [$At, "idempotency-key"],}
    . q{ fields => { "idempotency-key" => "i-1" }, extra => "Idempotency-Key: i-1")}, "POST /w/a\n",
    "--- response_body_like: (?s:.*)13=i-1\\n");
block('payhub-v3 has none', q{main::signed("POST", "/3w/a", "hello", extra => "Idempotency-Key: i-1")},
    "POST /3w/a\nhello",
    "--- config\n    location /3w/ { payhub_verify payhub-v3; payhub_pass payhub_workers; }\n"
    . "--- response_body_unlike: i-1");
block('an answer to an HMAC key is signed', q{main::rfc("k1", "POST", "/w/echo", "hello", nonce => "n-9421-0001")},
    "POST /w/echo\nhello", "--- response_body: hello\n--- response_headers\nPayhub-Key-Id: k1\nPayhub-Nonce: n-9421-0001");

open my $in, '<', \$data or die $!;
*main::DATA = $in;
run_tests();
