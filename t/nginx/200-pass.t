# payhub_pass: what a worker gets, and what the client sees of its answers.
use Test::Nginx::Socket 'no_plan';
use Payhub;

# header lines whose sum is more than one field, or than all fields
sub many { my ($lines) = @_; return join '', map { "X-Long-$_: " . 'x' x 3000 . "\n" } 1 .. $lines }

edge_defaults();
add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', '
    location /s/ { payhub_verify payhub-v3; payhub_pass payhub_workers; }
    location /w/ { payhub_pass payhub_workers; payhub_pass_timeout 300ms;
                   log_not_found off; }
    location = /vars { payhub_pass payhub_workers; }')
        if !defined $block->config;
});
run_tests();

__DATA__

=== TEST 1: status, type and fields of an answer
--- request
GET /w/created
--- error_code: 201
--- response_headers
Content-Type: application/json
Content-Length: 18
Idempotent-Replayed: true
--- response_body
{"status":"paid"}



=== TEST 2: Retry-After
--- request
GET /w/limited
--- error_code: 429
--- response_headers
Retry-After: 7
Content-Type: application/problem+json
--- response_body
{}



=== TEST 3: Allow
--- request
GET /w/method
--- error_code: 405
--- response_headers
Allow: GET, POST
--- response_body
{}



=== TEST 4: an answer of 503 or 404 is the worker's, not nginx's
--- config
    error_page 404 503 /other;
    location /w/ { payhub_pass payhub_pair; }
    location = /other { return 200 "other\n"; }
    location = /c/count { payhub_pass payhub_workers; }
--- request eval
["GET /w/failed?tag=s503", "GET /w/missing?tag=s404", "GET /c/count?tag=s503", "GET /c/count?tag=s404"]
--- error_code eval: [503, 404, 200, 200]
--- response_body eval
["worker says 503\n", "worker says 404\n", "a=1\n", "a=1\n"]



=== TEST 5: HEAD
--- request
HEAD /w/created
--- error_code: 201
--- response_headers
Content-Length: 18
--- response_body:



=== TEST 6: no body
--- request
GET /w/empty
--- response_headers
Content-Length: 0
--- response_body:



=== TEST 7: 204 has no body whatever the worker sends
--- request
GET /w/none
--- error_code: 204
--- response_body:



=== TEST 8: a large answer
--- config
    location /w/ { payhub_pass payhub_workers; }
--- request
GET /w/big
--- response_headers
Content-Length: 900000
--- response_body eval: "b" x 900_000
--- timeout: 10



=== TEST 9: headers of an unverified call, less credentials and hop-by-hop
--- request
GET /w/call
--- more_headers
X-Signature: a=b, c
Authorization: Basic dTpw
Cookie: a=b
TE: trailers
Keep-Alive: 5
Proxy-Authorization: x
Upgrade: h2c
--- response_body_like
^worker=a conn=\d+
attempt=1
client_addr=127.0.0.1
method=GET
target=/w/call
header host=.*
header x-signature=a=b, c
ms_left=some
body=0$



=== TEST 10: an unverified caller cannot claim an identity
--- more_headers eval
main::signed("GET", "/w/call", "", key_id => "k2")
--- request
GET /w/call
--- response_body_unlike: (?:key_id|app_id|role)=



=== TEST 11: a header that no field takes
--- more_headers eval
"X-Long: " . "x" x 5000
--- request
GET /w/call
--- error_code: 400
--- response_body_like: "code":"PH-A290"



=== TEST 12: more headers than a frame's meta takes
--- more_headers eval
main::many(6)
--- request
GET /w/call
--- error_code: 400
--- response_body_like: "detail":"request headers are larger than a worker takes"



=== TEST 13: the raw target, not the decoded one
--- raw_request eval
Payhub::raw("GET", "/w/%63all?a=%20", "", headers => "X-A: b")
--- response_body_like: target=/w/%63all\?a=%20\n



=== TEST 14: a target in absolute form goes to no worker
--- raw_request eval
Payhub::raw("GET", "http://localhost/w/call", "", headers => "X-A: b")
--- error_code: 400
--- response_body_like: "code":"PH-A201"



=== TEST 15: a target longer than a frame takes
--- raw_request eval
Payhub::raw("GET", "/w/" . "a" x 8190, "", headers => "X-A: b")
--- http_config eval
main::http_config() . "large_client_header_buffers 4 16k;"
--- error_code: 414
--- response_body_like: "code":"PH-A291"



=== TEST 16: a method longer than a frame takes
--- raw_request eval
Payhub::raw("ABCDEFGHIJKLMNOPQ", "/w/call", "", headers => "X-A: b")
--- error_code: 405
--- response_body_like: "code":"PH-A208"



=== TEST 17: an answer byte by byte
--- request
GET /w/split
--- config
    location /w/ { payhub_pass payhub_workers; }
--- response_body_like: ^worker=a conn=\d+\n
--- timeout: 10



=== TEST 18: a connection is kept
--- pipelined_requests eval
["GET /w/keep1", "GET /w/keep2"]
--- response_body_like eval
[qr/^worker=a conn=(\d+)\n/, qr/^worker=a conn=(?:[2-9]|\d\d)\n/]



=== TEST 19: a second answer to one call belongs to nobody: dropped, the link stays
--- pipelined_requests eval
["GET /w/glued", "GET /w/call"]
--- response_body_like eval
[qr/^first\n$/, qr/^worker=a conn=2\n/]



=== TEST 20: GOAWAY before the answer: taken, not kept
--- request eval
["GET /w/goaway", "GET /w/call"]
--- response_body_like eval
[qr/^after goaway\n$/, qr/^worker=a conn=1\n/]



=== TEST 21: what the worker told, as variables
--- config
    location /w/ {
        payhub_pass payhub_workers;
        add_header X-Vars "$payhub_order_id $payhub_channel $payhub_outcome" always;
        add_header X-Us "$payhub_upstream_us" always;
    }
--- request
GET /w/created
--- error_code: 201
--- response_headers_like
X-Vars: P0{26} sandbox paid
X-Us: \d+



=== TEST 22: a verified answer is signed, an unverified one is not
--- request eval
["GET /s/empty", "GET /w/empty"]
--- more_headers eval
[main::signed("GET", "/s/empty", "", nonce => "nonce-of-22"), "X-A: b"]
--- response_headers_like eval
["Payhub-Key-Id: k1\nPayhub-Timestamp: \\d+\nPayhub-Nonce: nonce-of-22\nPayhub-Signature: [A-Za-z0-9+/]{43}=", "X-Request-Id: [0-9a-f]{32}"]



=== TEST 23: no signature on an unverified answer
--- request
GET /w/empty
--- raw_response_headers_unlike: Payhub-



=== TEST 24: no signature on the edge's own refusal of a verified request
--- raw_request eval
Payhub::raw("GET", "/s//a")
--- error_code: 404
--- raw_response_headers_unlike: Payhub-



=== TEST 25: the status of a worker's answer, as nginx's variable
--- config
    location /w/ { payhub_pass payhub_workers; add_header X-Up "$upstream_status" always; }
--- request eval
["GET /w/created", "GET /w/refused"]
--- error_code eval: [201, 503]
--- response_headers eval
["X-Up: 201", "X-Up: 503"]
