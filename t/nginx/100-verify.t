# payhub_verify: what passes, and that every cause of 401 looks the same.
use Test::Nginx::Socket 'no_plan';
use Payhub;

# the one answer to every authentication failure
our $Refused = qr/^\{"type":"[^"]*","title":"Authentication failed","status":401,/
    . qr/.*"code":"PH-A101","request_id":"[0-9a-f]{32}","retryable":false\}\s*$/;

edge_defaults();
add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', '
    location /v/ { payhub_verify payhub-v3; return 200 "app=$payhub_app\n"; }')
        if !defined $block->config;
    if (($block->error_code // '') eq '401') {
        $block->set_value('response_body_like', $main::Refused);
        $block->set_value('response_headers', "Content-Type: application/problem+json\n"
            . "WWW-Authenticate: PAYHUB-V3 realm=\"payhub\"");
    }
});
run_tests();

__DATA__

=== TEST 1: signed
--- more_headers eval: main::signed("GET", "/v/a?b=c&d")
--- request
GET /v/a?b=c&d
--- response_body
app=app1



=== TEST 2: another key
--- more_headers eval: main::signed("GET", "/v/a", "", key_id => "k2")
--- request
GET /v/a
--- response_body
app=app2



=== TEST 3: fields in another order
--- more_headers eval
main::signed("GET", "/v/a", "", order => [qw(signature nonce timestamp key_id)])
--- request
GET /v/a
--- response_body
app=app1



=== TEST 4: no header
--- request
GET /v/a
--- error_code: 401
--- error_log
payhub verify refused: absent



=== TEST 5: another scheme
--- more_headers
Authorization: Basic dTpw
--- request
GET /v/a
--- error_code: 401
--- error_log
payhub verify refused: header



=== TEST 6: a blank after a comma
--- more_headers eval
my $line = main::signed("GET", "/v/a"); $line =~ s/,/, /; $line
--- request
GET /v/a
--- error_code: 401
--- error_log
payhub verify refused: header



=== TEST 7: a field twice
--- more_headers eval
main::signed("GET", "/v/a") . ',nonce="12345678"'
--- request
GET /v/a
--- error_code: 401
--- error_log
payhub verify refused: header



=== TEST 8: a field missing
--- more_headers eval
main::signed("GET", "/v/a", "", order => [qw(key_id timestamp signature)])
--- request
GET /v/a
--- error_code: 401
--- error_log
payhub verify refused: header



=== TEST 9: an unknown field
--- more_headers eval
main::signed("GET", "/v/a") . ',alg="none"'
--- request
GET /v/a
--- error_code: 401
--- error_log
payhub verify refused: header



=== TEST 10: a timestamp with a leading zero
--- more_headers eval
main::signed("GET", "/v/a", "", time => "0" . time)
--- request
GET /v/a
--- error_code: 401
--- error_log
payhub verify refused: header



=== TEST 11: a nonce too short
--- more_headers eval
main::signed("GET", "/v/a", "", nonce => "1234567")
--- request
GET /v/a
--- error_code: 401
--- error_log
payhub verify refused: header



=== TEST 12: an unknown key
--- more_headers eval: main::signed("GET", "/v/a", "", key_id => "nobody")
--- request
GET /v/a
--- error_code: 401
--- error_log
payhub verify refused: key, key "nobody"



=== TEST 13: an unknown key, signed with the secret that stands in for it
--- more_headers eval
main::signed("GET", "/v/a", "", key_id => "nobody", secret => "\0" x 16)
--- request
GET /v/a
--- error_code: 401
--- error_log
payhub verify refused: key, key "nobody"



=== TEST 14: another key's secret
--- more_headers eval
main::signed("GET", "/v/a", "", key_id => "k1", secret => main::secret("k2"))
--- request
GET /v/a
--- error_code: 401
--- error_log
payhub verify refused: signature, key "k1"



=== TEST 15: a key that is not valid yet
--- more_headers eval: main::signed("GET", "/v/a", "", key_id => "early")
--- request
GET /v/a
--- error_code: 401
--- error_log
payhub verify refused: key_time, key "early"



=== TEST 16: a key that is valid no more
--- more_headers eval: main::signed("GET", "/v/a", "", key_id => "late")
--- request
GET /v/a
--- error_code: 401
--- error_log
payhub verify refused: key_time, key "late"



=== TEST 17: another method
--- more_headers eval: main::signed("POST", "/v/a")
--- request
GET /v/a
--- error_code: 401
--- error_log
payhub verify refused: signature



=== TEST 18: another path
--- more_headers eval: main::signed("GET", "/v/b")
--- request
GET /v/a
--- error_code: 401
--- error_log
payhub verify refused: signature



=== TEST 19: another query
--- more_headers eval: main::signed("GET", "/v/a?b=1")
--- request
GET /v/a?b=2
--- error_code: 401
--- error_log
payhub verify refused: signature



=== TEST 20: another body
--- more_headers eval: main::signed("POST", "/v/a", "one")
--- request
POST /v/a
two
--- error_code: 401
--- error_log
payhub verify refused: signature



=== TEST 21: a body where none was signed
--- more_headers eval: main::signed("POST", "/v/a")
--- request
POST /v/a
two
--- error_code: 401
--- error_log
payhub verify refused: signature



=== TEST 22: base64 with an unused bit set is another text
--- more_headers eval
my $line = main::signed("GET", "/v/a");
$line =~ s/(.)=(?="$)/chr(ord($1) + 1) . "="/e or die;
$line
--- request
GET /v/a
--- error_code: 401
--- error_log
payhub verify refused: signature



=== TEST 23: base64 without padding
--- more_headers eval
my $line = main::signed("GET", "/v/a"); $line =~ s/="$/"/; $line
--- request
GET /v/a
--- error_code: 401
--- error_log
payhub verify refused: header



=== TEST 24: an old timestamp inside the window
--- more_headers eval: main::signed("GET", "/v/a", "", age => -240)
--- request
GET /v/a
--- response_body
app=app1



=== TEST 25: too old
--- more_headers eval: main::signed("GET", "/v/a", "", age => -302)
--- request
GET /v/a
--- error_code: 401
--- error_log
payhub verify refused: window



=== TEST 26: a clock that is ahead, inside the window
--- more_headers eval: main::signed("GET", "/v/a", "", age => 290)
--- request
GET /v/a
--- response_body
app=app1



=== TEST 27: from the future
--- more_headers eval: main::signed("GET", "/v/a", "", age => 600)
--- request
GET /v/a
--- error_code: 401
--- error_log
payhub verify refused: window



=== TEST 28: a window of its own, inherited
--- config
    payhub_verify_window 10s;
    location /v/ { payhub_verify payhub-v3; return 200 "in\n"; }
--- more_headers eval: main::signed("GET", "/v/a", "", age => -13)
--- request
GET /v/a
--- error_code: 401
--- error_log
payhub verify refused: window



=== TEST 29: two Authorization headers
--- config
    payhub_verify payhub-v3;
    location /v/ { return 200 "in\n"; }
--- more_headers eval
main::signed("GET", "/v/a", "", extra => main::signed("GET", "/v/a"))
--- request
GET /v/a
--- error_code: 400
--- response_body_like: "code":"PH-A102"



=== TEST 30: Content-Encoding, any
--- more_headers eval
main::signed("POST", "/v/a", "x", extra => "Content-Encoding: identity")
--- request
POST /v/a
x
--- error_code: 415
--- response_body_like: "code":"PH-A210"



=== TEST 31: a target in absolute form
--- raw_request eval
Payhub::raw("GET", "http://localhost/v/a")
--- error_code: 400
--- response_body_like: "code":"PH-A201"



=== TEST 32: a fragment in the target
--- raw_request eval
Payhub::raw("GET", "/v/a#b")
--- error_code: 400
--- response_body_like: "code":"PH-A201"



=== TEST 33: a fragment behind the query
--- raw_request eval
Payhub::raw("GET", "/v/a?b#c")
--- error_code: 400
--- response_body_like: "code":"PH-A201"



=== TEST 34: payhub_verify off inside a server that verifies
--- config
    payhub_verify payhub-v3;
    location /v/ { payhub_verify off; return 200 "$payhub_verify\n"; }
--- request
GET /v/a
--- response_body
off



=== TEST 35: the verdict as a variable
--- config
    location /v/ { payhub_verify payhub-v3; return 200 "$payhub_verify $payhub_key_id $payhub_merchant\n"; }
--- more_headers eval: main::signed("GET", "/v/a")
--- request
GET /v/a
--- response_body
ok k1 mch1



=== TEST 36: a refusal's reason as a variable, and no identity of an unproven claim
--- config
    location /v/ {
        payhub_verify payhub-v3;
        error_page 401 = @no;
        return 200 "in\n";
    }
    location @no { return 200 "[$payhub_verify] [$payhub_app] [$payhub_key_id]\n"; }
--- more_headers eval: main::signed("GET", "/v/b")
--- request
GET /v/a
--- error_code: 200
--- response_body
[refused:signature] [] []
