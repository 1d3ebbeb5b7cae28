# What was signed before a zone's memory began may have been served by the
# memory before it: a worker's Redis has to know, or the caller signs again.
use Test::Nginx::Socket 'no_plan';
use Payhub;

edge_defaults();
run_tests();

__DATA__

=== TEST 1: older than the zone, and nobody else to ask
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=c1:64k; return 200 "in\n"; }
--- more_headers eval: main::signed("GET", "/v/a", "", age => -20)
--- request
GET /v/a
--- error_code: 503
--- response_headers
Retry-After: 1
Content-Type: application/problem+json
--- response_body_like: "detail":"signed before the replay guard of this server began; sign again","code":"PH-A304"



=== TEST 2: and it stays refused
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=c2:64k; return 200 "in\n"; }
--- more_headers eval: main::signed("GET", "/v/a", "", age => -20)
--- request eval
["GET /v/a", "GET /v/a"]
--- error_code eval: [503, 401]



=== TEST 3: a later one is served at once
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=c3:64k; return 200 "in\n"; }
--- more_headers eval: main::signed("GET", "/v/a", "", age => 200)
--- request eval
["GET /v/a", "GET /v/a"]
--- error_code eval: [200, 401]



=== TEST 4: cold=accept serves it, once
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=c4:64k cold=accept; return 200 "in\n"; }
--- more_headers eval: main::signed("GET", "/v/a", "", age => -20)
--- request eval
["GET /v/a", "GET /v/a"]
--- error_code eval: [200, 401]



=== TEST 5: with payhub_pass the worker is told to ask
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=c5:64k; payhub_pass payhub_workers; }
--- more_headers eval: main::signed("GET", "/v/call", "", age => -20)
--- request eval
["GET /v/call", "GET /v/call"]
--- error_code eval: [200, 401]
--- response_body_like eval
['\nnonce_cold=1\n', 'PH-A101']



=== TEST 6: unless it is accepted
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce cold=accept zone=c6:64k; payhub_pass payhub_workers; }
--- more_headers eval: main::signed("GET", "/v/call", "", age => -20)
--- request
GET /v/call
--- response_body_like: \nnonce=
--- response_body_unlike: nonce_cold



=== TEST 7: ahead= makes cold what callers' clocks may have signed too early
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=c7:64k ahead=290s; return 200 "in\n"; }
--- more_headers eval: main::signed("GET", "/v/a", "", age => 200)
--- request
GET /v/a
--- error_code: 503



=== TEST 8: an error page of a location without a worker does not open a way
--- config
    error_page 503 = /w/page;
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=c8:64k; return 200 "in\n"; }
    location /w/ { payhub_verify payhub-v3; payhub_nonce zone=c8:64k; return 200 "page\n"; }
--- more_headers eval: main::signed("GET", "/v/a", "", age => -20)
--- request
GET /v/a
--- error_code: 503
--- response_body_like: PH-A304



=== TEST 9: one of a location with a worker hands it on, and says so
--- config
    error_page 503 = /w/page;
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=c9:64k; return 200 "in\n"; }
    location /w/ { payhub_verify payhub-v3; payhub_nonce zone=c9:64k; payhub_pass payhub_workers; }
--- more_headers eval: main::signed("GET", "/v/a", "", age => -20)
--- request
GET /v/a
--- error_code: 200
--- response_body_like: \nnonce_cold=1\n



=== TEST 10: cold=accept holds where it stands, and not where the request goes on
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=c10:64k cold=accept; rewrite ^/v/(.*)$ /w/$1; }
    location /w/ { payhub_verify payhub-v3; payhub_nonce zone=c10:64k; return 200 "in\n"; }
--- more_headers eval: main::signed("GET", "/v/a", "", age => -20)
--- request
GET /v/a
--- error_code: 503
--- response_body_like: PH-A304



=== TEST 11: nor is a worker told less by it
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=c11:64k cold=accept; rewrite ^/v/(.*)$ /w/$1; }
    location /w/ { payhub_verify payhub-v3; payhub_nonce zone=c11:64k; payhub_pass payhub_workers; }
--- more_headers eval: main::signed("GET", "/v/call", "", age => -20)
--- request
GET /v/call
--- response_body_like: \nnonce_cold=1\n
