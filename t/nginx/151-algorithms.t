# payhub-v3 with a key of every algorithm: what passes, and what does not.
use Test::Nginx::Socket 'no_plan';
use Payhub;
use PayhubKeys;

our $Refused = qr/"code":"PH-A101","request_id":"[0-9a-f]{32}","retryable":false\}\s*$/;

keys_start();
edge_defaults();
add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('http_config', main::http_config() . alg_key_lines());
    $block->set_value('config', '
    location /v/ { payhub_verify payhub-v3; return 200 "$payhub_key_id $payhub_app\n"; }
    location /w/ { payhub_verify payhub-v3; payhub_pass payhub_workers; }')
        if !defined $block->config;
    $block->set_value('response_body_like', $main::Refused)
        if ($block->error_code // '') eq '401';
});

# one set of blocks an algorithm
my @blocks;
my $n = 0;

sub block {
    my ($name, $headers, $request, $rest) = @_;

    push @blocks, sprintf "=== TEST %d: %s\n--- more_headers eval\n%s\n--- request\n%s\n%s\n\n\n",
        ++$n, $name, $headers, $request, $rest;
    return;
}

for my $id (qw(hm rsa rsa3 pss ec ed sm2)) {
    my $alg = $PayhubKeys::alg{$id};
    my $bad = "--- error_code: 401\n--- error_log\npayhub verify refused: signature, key \"$id\"";

    block("$alg: a signed request", qq{main::v3("$id", "GET", "/v/a?b=c")}, 'GET /v/a?b=c',
        "--- response_body\n$id $id-app");
    block("$alg: with a body", qq{main::v3("$id", "POST", "/v/a", "hello")}, "POST /v/a\nhello",
        "--- response_body\n$id $id-app");
    block("$alg: another body", qq{main::v3("$id", "POST", "/v/a", "hellp")}, "POST /v/a\nhello",
        $bad);
    block("$alg: another method", qq{main::v3("$id", "PUT", "/v/a", "hello")},
        "POST /v/a\nhello", $bad);
    block("$alg: another target", qq{main::v3("$id", "GET", "/v/b")}, 'GET /v/a', $bad);
    block("$alg: a bit of the signature turned",
        qq{main::v3("$id", "GET", "/v/a", "", spoil => sub { \$_[0] ^ ("\\0" x 20 . "\\1") })},
        'GET /v/a', $bad);
    block("$alg: a byte less",
        qq{main::v3("$id", "GET", "/v/a", "", spoil => sub { substr \$_[0], 0, -1 })},
        'GET /v/a', $bad);
    block("$alg: a byte more",
        qq{main::v3("$id", "GET", "/v/a", "", spoil => sub { "\$_[0]\\0" })}, 'GET /v/a', $bad);
    block("$alg: zeros", qq{main::v3("$id", "GET", "/v/a", "", spoil => sub { "\\0" x length \$_[0] })},
        'GET /v/a', $bad);
    block("$alg: an HMAC with the public key's text as its secret",
        qq{main::v3("$id", "GET", "/v/a", "", raw => main::hmac_of_pem("$id", "GET", "/v/a"))},
        'GET /v/a', $bad)
        if $alg ne 'hmac-sha256';
}

block('rsa-pss-sha512: signed as rsa-v1_5', q{main::v3("pss", "GET", "/v/a", "", alg => "rsa-v1_5-sha256")},
    'GET /v/a', '--- error_code: 401');
block('rsa-v1_5-sha256: signed as pss', q{main::v3("rsa", "GET", "/v/a", "", alg => "rsa-pss-sha512")},
    'GET /v/a', '--- error_code: 401');
block('a key of the same kind, and not the one that is named', q{main::v3("ed", "GET", "/v/a", "", by => "ed2")},
    'GET /v/a', "--- error_code: 401\n--- error_log\npayhub verify refused: signature, key \"ed\"");
block('two keys live beside each other', q{main::v3("ed2", "GET", "/v/a")}, 'GET /v/a',
    "--- response_body\ned2 ed2-app");
block('ecdsa: DER instead of r and s', q{main::v3("ec", "GET", "/v/a", "", text => main::b64("\x30\x06\x02\x01\x01\x02\x01\x01"))},
    'GET /v/a', '--- error_code: 401');

# an unknown id with signatures of every length that some key here makes
for my $length (1, 31, 32, 33, 63, 64, 65, 66, 70, 72, 73, 255, 256, 257, 384, 512, 1024) {
    block("an unknown key, a signature of $length bytes",
        qq{main::v3("nobody", "GET", "/v/a", "", raw => "x" x $length)}, 'GET /v/a',
        "--- error_code: 401\n--- error_log\npayhub verify refused: key, key \"nobody\"");
}

block('answers of other keys than HMAC are signed as the worker says', q{main::v3("ed", "GET", "/w/platform", "", nonce => "nonce-of-27")},
    'GET /w/platform', "--- response_body\nasks=1\n--- response_headers\nPayhub-Key-Id: platform-0123\n"
    . "Payhub-Timestamp: 1700000000\nPayhub-Nonce: nonce-of-27\nPayhub-Signature: c2ln");
block('what is no signature is no answer', q{main::v3("ed", "GET", "/w/badly")}, 'GET /w/badly',
    "--- error_code: 502\n--- response_headers\n! Payhub-Signature\n--- error_log\nanswer could not be signed\n--- no_error_log\n[crit]");
block('without one they have none', q{main::v3("ed", "POST", "/w/echo", "hello")},
    "POST /w/echo\nhello", "--- response_body: hello\n--- response_headers\n! Payhub-Signature\n! Payhub-Key-Id");
block('the frame names key and scheme', q{main::v3("rsa", "GET", "/w/a")}, 'GET /w/a',
    "--- response_body_like: app_id=rsa-app\\n(?s:.*)key_id=rsa\\n(?s:.*)scheme=payhub-v3\\n");

sub hmac_of_pem {
    my ($id, $method, $target) = @_;

    return Digest::SHA::hmac_sha256('x', key_pem($id));
}

my $data = join '', @blocks;
open my $in, '<', \$data or die $!;
*main::DATA = $in;
run_tests();
