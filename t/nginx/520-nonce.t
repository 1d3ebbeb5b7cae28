# A signed request is served once: what spends a nonce, what does not, and what
# internal redirects and subrequests make of it.  Timestamps lie ahead, since
# what was signed before a zone began is another matter (522-nonce-cold.t).
use Test::Nginx::Socket 'no_plan';
use Payhub;

edge_defaults();

sub ahead {
    my ($method, $target, $body, %with) = @_;
    return signed($method, $target, $body, age => 200, %with);
}

run_tests();

__DATA__

=== TEST 1: sent twice, served once
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=n1:64k; return 200 "in\n"; }
--- more_headers eval: main::ahead("GET", "/v/a")
--- request eval
["GET /v/a", "GET /v/a", "GET /v/a"]
--- error_code eval: [200, 401, 401]
--- response_body_like eval
["in", q["code":"PH-A101"], q["code":"PH-A101"]]



=== TEST 2: the refusal is that of every 401
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=n2:64k; return 200 "in\n"; }
--- more_headers eval: main::ahead("GET", "/v/a")
--- request eval
["GET /v/a", "GET /v/a"]
--- error_code eval: [200, 401]
--- raw_response_headers_like eval
["200 OK", 'WWW-Authenticate: PAYHUB-V3 realm="payhub"']
--- response_body_like eval
["in", '\A\{"type":"urn:payhub:problem:PH-A101","title":"Authentication failed","status":401,"detail":"","code":"PH-A101","request_id":"[0-9a-f]{32}","retryable":false\}\Z']



=== TEST 3: without payhub_nonce a request can be repeated
--- config
    location /v/ { payhub_verify payhub-v3; return 200 "in\n"; }
--- more_headers eval: main::ahead("GET", "/v/a")
--- request eval
["GET /v/a", "GET /v/a"]
--- error_code eval: [200, 200]



=== TEST 4: each key has nonces of its own, and another nonce is another request
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=n5:64k; return 200 "in\n"; }
--- more_headers eval
[
    main::ahead("GET", "/v/a", "", nonce => "nonce-of-five"),
    main::ahead("GET", "/v/a", "", nonce => "nonce-of-five", key_id => "k2"),
    main::ahead("GET", "/v/a", "", nonce => "nonce-of-Five"),
    main::ahead("GET", "/v/a", "", nonce => "nonce-of-five"),
]
--- request eval
["GET /v/a", "GET /v/a", "GET /v/a", "GET /v/a"]
--- error_code eval: [200, 200, 200, 401]



=== TEST 5: one nonce for two different requests is one too many
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=n6:64k; return 200 "in\n"; }
--- more_headers eval
[
    main::ahead("GET", "/v/a", "", nonce => "nonce-of-six"),
    main::ahead("POST", "/v/b", "hello", nonce => "nonce-of-six"),
]
--- request eval
["GET /v/a", "POST /v/b
hello"]
--- error_code eval: [200, 401]



=== TEST 6: a claim without proof spends nothing
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=n7:64k; return 200 "in\n"; }
--- more_headers eval
[
    main::ahead("GET", "/v/a", "", nonce => "nonce-of-seven", signature => "A" x 43 . "="),
    main::ahead("GET", "/v/a", "", nonce => "nonce-of-seven", secret => "another secret 0123456"),
    main::ahead("GET", "/v/b", "", nonce => "nonce-of-seven"),
    main::ahead("GET", "/v/a", "", nonce => "nonce-of-seven", age => -1000),
    main::ahead("GET", "/v/a", "", nonce => "nonce-of-seven"),
    main::ahead("GET", "/v/a", "", nonce => "nonce-of-seven"),
]
--- request eval
["GET /v/a", "GET /v/a", "GET /v/a", "GET /v/a", "GET /v/a", "GET /v/a"]
--- error_code eval: [401, 401, 401, 401, 200, 401]



=== TEST 7: nor does a key outside of its times, or one that nobody knows
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=n8:64k; return 200 "in\n"; }
--- more_headers eval
[
    main::ahead("GET", "/v/a", "", nonce => "nonce-of-eight", key_id => "early"),
    main::ahead("GET", "/v/a", "", nonce => "nonce-of-eight", key_id => "nobody"),
]
--- request eval
["GET /v/a", "GET /v/a"]
--- error_code eval: [401, 401]



=== TEST 8: a proven request whose path is not served has spent nothing either
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=n9:64k; return 200 "in\n"; }
--- more_headers eval: main::ahead("GET", "/v/a/../b")
--- request eval
["GET /v/a/../b", "GET /v/a/../b"]
--- error_code eval: [404, 404]



=== TEST 9: an internal redirect is not refused as a replay of itself
--- config
    payhub_verify payhub-v3;
    payhub_nonce zone=n10:64k;
    error_page 404 = /w/page;
    location /v/ { root $TEST_NGINX_PAYHUB_DIR; }
    location /w/ { return 200 "page\n"; }
--- more_headers eval: main::ahead("GET", "/v/nothing")
--- request eval
["GET /v/nothing", "GET /v/nothing"]
--- error_code eval: [200, 401]



=== TEST 10: a named location, try_files and rewrite
--- config
    payhub_verify payhub-v3;
    payhub_nonce zone=n11:64k;
    location /t/ { root $TEST_NGINX_PAYHUB_DIR; try_files $uri @named; }
    location /r/ { rewrite ^/r/(.*)$ /end/$1; }
    location @named { return 200 "named\n"; }
    location /end/ { return 200 "end\n"; }
--- more_headers eval
[
    main::ahead("GET", "/t/a", "", nonce => "nonce-of-11-t"),
    main::ahead("GET", "/t/a", "", nonce => "nonce-of-11-t"),
    main::ahead("GET", "/r/a", "", nonce => "nonce-of-11-r"),
    main::ahead("GET", "/r/a", "", nonce => "nonce-of-11-r"),
]
--- request eval
["GET /t/a", "GET /t/a", "GET /r/a", "GET /r/a"]
--- error_code eval: [200, 401, 200, 401]



=== TEST 11: X-Accel-Redirect
--- config
    location /v/ {
        payhub_verify payhub-v3; payhub_nonce zone=n12:64k;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/back/;
    }
    location /back/ { add_header X-Accel-Redirect /in/; return 200; }
    location /in/ { internal; payhub_verify payhub-v3; payhub_nonce zone=n12:64k; return 200 "in\n"; }
--- more_headers eval: main::ahead("GET", "/v/a")
--- request eval
["GET /v/a", "GET /v/a"]
--- error_code eval: [200, 401]



=== TEST 12: subrequests share the main request's nonce
--- config
    location /v/ {
        payhub_verify payhub-v3; payhub_nonce zone=n13:64k;
        auth_request /check; mirror /copy;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/back/;
    }
    location = /check { internal; payhub_verify payhub-v3; payhub_nonce zone=n13:64k; return 204; }
    location = /copy { internal; payhub_verify payhub-v3; payhub_nonce zone=n13:64k; return 204; }
    location /back/ { return 200 "back\n"; }
--- more_headers eval: main::ahead("GET", "/v/a")
--- request eval
["GET /v/a", "GET /v/a"]
--- error_code eval: [200, 401]



=== TEST 13: a guard in the location of auth_request guards
--- config
    location /v/ { auth_request /check; proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/back/; }
    location = /check { internal; payhub_verify payhub-v3; payhub_nonce zone=n14:64k; return 204; }
    location /back/ { return 200 "back\n"; }
--- more_headers eval: main::ahead("GET", "/v/a")
--- request eval
["GET /v/a", "GET /v/a"]
--- error_code eval: [200, 401]



=== TEST 14: the refusal stands on an error page, too
--- config
    payhub_verify payhub-v3;
    payhub_nonce zone=n15:64k;
    error_page 401 = /w/page;
    location /v/ { return 200 "in\n"; }
    location /w/ { return 200 "page\n"; }
--- more_headers eval: main::ahead("GET", "/v/a")
--- request eval
["GET /v/a", "GET /v/a"]
--- error_code eval: [200, 401]



=== TEST 15: a nonce is spent whatever becomes of the request
--- config
    location /v/ {
        payhub_verify payhub-v3; payhub_nonce zone=n16:64k;
        payhub_pass payhub_down;
    }
--- more_headers eval: main::ahead("GET", "/v/a")
--- request eval
["GET /v/a", "GET /v/a"]
--- error_code eval: [503, 401]
--- no_error_log
[alert]



=== TEST 16: the variables of a replay name nobody
--- config
    error_page 401 = /page;
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=n17:64k; return 200 "$payhub_verify $payhub_app\n"; }
    location = /page { return 200 "$payhub_verify [$payhub_app]\n"; }
--- more_headers eval: main::ahead("GET", "/v/a")
--- request eval
["GET /v/a", "GET /v/a"]
--- response_body eval
["ok app1\n", "refused:replay []\n"]



=== TEST 17: a body, whole or in pieces, in memory or in a file
--- config
    location /v/ {
        payhub_verify payhub-v3; payhub_nonce zone=n18:64k;
        client_body_buffer_size 1k;
        return 200 "in\n";
    }
--- more_headers eval: main::ahead("POST", "/v/a", "x" x 5000)
--- request eval
["POST /v/a\n" . "x" x 5000, "POST /v/a\n" . "x" x 5000]
--- error_code eval: [200, 401]



=== TEST 18: locations of one zone share it, whatever their windows
--- config
    payhub_verify payhub-v3;
    location /a/ { payhub_nonce zone=n19:64k; return 200; }
    location /b/ { payhub_nonce zone=n19:64k; payhub_verify_window 600s; return 200; }
    location /c/ { payhub_nonce zone=n19c:64k; return 200; }
--- more_headers eval
[
    main::ahead("GET", "/a/", "", nonce => "nonce-of-19"),
    main::ahead("GET", "/b/", "", nonce => "nonce-of-19"),
    main::ahead("GET", "/c/", "", nonce => "nonce-of-19"),
]
--- request eval
["GET /a/", "GET /b/", "GET /c/"]
--- error_code eval: [200, 401, 200]



=== TEST 19: payhub_nonce off inside, payhub_verify off inside
--- config
    payhub_verify payhub-v3;
    payhub_nonce zone=n20:64k;
    location /v/ { return 200; }
    location /off/ { payhub_nonce off; return 200; }
    location /open/ { payhub_verify off; return 200; }
--- more_headers eval
[
    main::ahead("GET", "/off/", "", nonce => "nonce-of-20"),
    main::ahead("GET", "/off/", "", nonce => "nonce-of-20"),
    main::ahead("GET", "/v/", "", nonce => "nonce-of-20"),
    main::ahead("GET", "/v/", "", nonce => "nonce-of-20"),
    main::ahead("GET", "/open/", "", nonce => "nonce-of-20"),
]
--- request eval
["GET /off/", "GET /off/", "GET /v/", "GET /v/", "GET /open/"]
--- error_code eval: [200, 200, 200, 401, 200]



=== TEST 20: the worker is told nonce and timestamp of a proven call
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=n21:64k; payhub_pass payhub_workers; }
--- more_headers eval: main::ahead("GET", "/v/call", "", nonce => "nonce-of-21")
--- request
GET /v/call
--- response_body_like: \nnonce=nonce-of-21\n(?s:.*)timestamp=\d{10}\n
--- response_body_unlike: nonce_cold



=== TEST 21: with payhub_verify alone as well, and of an unproven one nothing
--- config
    location /v/ { payhub_verify payhub-v3; payhub_pass payhub_workers; }
    location /w/ { payhub_pass payhub_workers; }
--- more_headers eval
[
    main::ahead("GET", "/v/call", "", nonce => "nonce-of-22"),
    main::ahead("GET", "/w/call", "", nonce => "nonce-of-22"),
]
--- request eval
["GET /v/call", "GET /w/call"]
--- response_body_like eval
['\nnonce=nonce-of-22\n', '\A((?!nonce=).)*\Z']



=== TEST 22: what its limit refuses is not spent, and may come again
--- http_config eval
main::http_config() . "payhub_limit_zone l22:64k key=app rate=1/s burst=1ms;
    payhub_limit_zone w22:64k key=address rate=1/s burst=1ms;\n"
--- config
    location /v/ {
        payhub_verify payhub-v3; payhub_nonce zone=n22:64k; payhub_limit l22;
        return 200 "in\n";
    }
    location /later { payhub_limit w22 wait=5s; return 204; }
--- more_headers eval
my $first = main::ahead("GET", "/v/a", "", nonce => "nonce-of-22-a");
my $next = main::ahead("GET", "/v/a", "", nonce => "nonce-of-22-b");
[$first, $next, '', '', '', $next, '', '', $next]
--- request eval
["GET /v/a", "GET /v/a", ("GET /later") x 3, "GET /v/a", ("GET /later") x 2, "GET /v/a"]
--- error_code eval: [200, 429, 204, 204, 204, 200, 204, 204, 401]
--- timeout: 10s



=== TEST 23: the look before the nonce takes no tokens
--- http_config eval
main::http_config() . "payhub_limit_zone l23:64k key=app rate=1/h burst=1;
    payhub_limit_zone m23:64k key=merchant rate=1/h burst=9;\n"
--- config
    location /v/ {
        payhub_verify payhub-v3; payhub_nonce zone=n23:64k;
        payhub_limit l23; payhub_limit m23 cost=2; return 204;
    }
--- more_headers eval
[map { main::ahead("GET", "/v/a", "", nonce => "nonce-of-23-$_") } 1 .. 3]
--- request eval
["GET /v/a", "GET /v/a", "GET /v/a"]
--- error_code eval: [204, 204, 429]
--- response_headers eval
[
    'RateLimit: "l23";r=1;t=3600, "m23";r=8;t=7200',
    'RateLimit: "l23";r=0;t=7200, "m23";r=6;t=14400',
    'RateLimit: "l23";r=0;t=3600',
]
