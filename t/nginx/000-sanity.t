# The module loads, serves without any worker, and leaves other locations be.
use Test::Nginx::Socket 'no_plan';
use Payhub;

edge_defaults();
run_tests();

__DATA__

=== TEST 1: a location without payhub is as it was
--- config
    location = /t { return 200 "plain\n"; }
--- request
GET /t
--- response_body
plain
--- raw_response_headers_unlike: X-Request-Id



=== TEST 2: payhub_verify in front of return, a good signature
--- config
    location = /t { payhub_verify payhub-v3; return 200 "ok $payhub_app\n"; }
--- more_headers eval
main::signed("GET", "/t")
--- request
GET /t
--- response_body
ok app1
--- response_headers_like
X-Request-Id: [0-9a-f]{32}



=== TEST 3: payhub_pass, unverified
--- config
    location /w/ { payhub_pass payhub_workers; }
--- request
GET /w/call?x=1
--- response_body_like
^worker=a conn=\d+
attempt=1
client_addr=127.0.0.1
method=GET
target=/w/call\?x=1
(?:header [a-z-]+=.*
)*ms_left=some
body=0$
--- response_headers_like
Content-Type: text/plain
X-Request-Id: [0-9a-f]{32}



=== TEST 4: payhub_pass, verified: identity from the key, no headers
--- config
    location /w/ { payhub_verify payhub-v3; payhub_pass payhub_workers; }
--- more_headers eval
main::signed("POST", "/w/call?x=1", "hello", key_id => "k2",
    extra => "Content-Type: application/json\ntraceparent: 00-1-2-3\nX-Other: 1")
--- request
POST /w/call?x=1
hello
--- response_body_like
^worker=a conn=\d+
app_id=app2
attempt=1
client_addr=127.0.0.1
content_type=application/json
key_id=k2
merchant_id=mch2
method=POST
nonce=n-\d+-\d+
role=admin
scheme=payhub-v3
target=/w/call\?x=1
timestamp=\d+
traceparent=00-1-2-3
ms_left=some
body=5$



=== TEST 5: request ids differ
--- config
    location = /t { return 200 "$payhub_request_id $payhub_request_id\n"; }
--- request
GET /t
--- response_body_like
^([0-9a-f]{32}) \1$
