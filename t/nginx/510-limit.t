# payhub_limit in front of "return" and "proxy_pass": who is refused, what is
# taken, what callers and logs are told.  Rates are so low that nothing comes
# back while a block runs.  A bucket with a burst of N gives N + 1 at once: the
# last is paid by those who come after it.
use Test::Nginx::Socket 'no_plan';
use Payhub;

# A zone for a block, so that one nginx may serve all of them in turn.
sub zones {
    my (@lines) = @_;

    return http_config() . join '', map {"    payhub_limit_zone $_;\n"} @lines;
}

repeat_each(1);
edge_defaults();
run_tests();

__DATA__

=== TEST 1: a burst, then 429
--- http_config eval
main::zones('t1:64k key=address rate=1/h burst=2')
--- config
    location = /t { payhub_limit t1; return 200 "in $payhub_limit\n"; }
--- request eval
["GET /t", "GET /t", "GET /t", "GET /t", "GET /t"]
--- error_code eval: [200, 200, 200, 429, 429]
--- response_body_like eval
["^in granted\n", "^in granted\n", "^in granted\n", q["code":"PH-A303"], q["code":"PH-A303"]]
--- response_headers_like eval
[
    qq[RateLimit-Policy: "t1";q=2;w=7200\nRateLimit: "t1";r=2;t=3600],
    qq[RateLimit-Policy: "t1";q=2;w=7200\nRateLimit: "t1";r=1;t=7200],
    qq[RateLimit-Policy: "t1";q=2;w=7200\nRateLimit: "t1";r=0;t=10800],
    qq[RateLimit-Policy: "t1";q=2;w=7200\nRateLimit: "t1";r=0;t=3600\nRetry-After: 3600],
    qq[RateLimit-Policy: "t1";q=2;w=7200\nRateLimit: "t1";r=0;t=3600\nRetry-After: 3600],
]



=== TEST 2: a refusal is a problem document with its request id
--- http_config eval
main::zones('t2:64k key=address rate=1/h burst=1ms')
--- config
    location = /t { payhub_limit t2; return 204; }
--- request eval
["GET /t", "GET /t"]
--- error_code eval: [204, 429]
--- response_headers_like eval
[
    "X-Request-Id: [0-9a-f]{32}",
    "Content-Type: application/problem\\+json\nX-Request-Id: [0-9a-f]{32}",
]
--- response_body_like eval
["^\$", q["status":429,.*"code":"PH-A303","request_id":"[0-9a-f]{32}","retryable":true]]



=== TEST 3: no limit, no fields
--- config
    location = /t { return 200 "[$payhub_limit]\n"; }
--- request
GET /t
--- response_body
[]
--- response_headers
! RateLimit
! RateLimit-Policy
! X-Request-Id



=== TEST 4: each key has its own bucket
--- http_config eval
main::zones('t4:64k key=$arg_u rate=1/h burst=1ms')
--- config
    location = /t { payhub_limit t4; return 204; }
--- request eval
["GET /t?u=a", "GET /t?u=b", "GET /t?u=a", "GET /t?u=b", "GET /t?u=A"]
--- error_code eval: [204, 204, 429, 429, 204]



=== TEST 5: an empty key is not limited
--- http_config eval
main::zones('t5:64k key=$arg_u rate=1/h burst=1')
--- config
    location = /t { payhub_limit t5; return 200 "[$payhub_limit]"; }
--- request eval
["GET /t", "GET /t?u=", "GET /t"]
--- error_code eval: [200, 200, 200]
--- response_body eval
["[]", "[]", "[]"]



=== TEST 6: long keys differ in their last byte
--- http_config eval
main::zones('t6:64k key=$arg_u rate=1/h burst=1ms')
--- config
    location = /t { payhub_limit t6; return 204; }
--- request eval
["GET /t?u=" . "x" x 900 . "1", "GET /t?u=" . "x" x 900 . "2", "GET /t?u=" . "x" x 900 . "1"]
--- error_code eval: [204, 204, 429]



=== TEST 7: what a request costs
--- http_config eval
main::zones('t7:64k key=address rate=1/h burst=10')
--- config
    location = /t { payhub_limit t7 cost=4; return 204; }
--- request eval
["GET /t", "GET /t"]
--- error_code eval: [204, 204]
--- response_headers eval
['RateLimit: "t7";r=7;t=14400', 'RateLimit: "t7";r=3;t=28800']



=== TEST 8: a cost from a variable; none, 0 and no number are 1
--- http_config eval
main::zones('t8:64k key=address rate=1/h burst=10')
--- config
    location = /t { payhub_limit t8 cost=$arg_n; return 204; }
--- request eval
["GET /t?n=3", "GET /t", "GET /t?n=0", "GET /t?n=x", "GET /t?n=-2"]
--- error_code eval: [204, 204, 204, 204, 204]
--- response_headers eval
[map { qq[RateLimit: "t8";r=$_;t=] . (11 - $_) * 3600 } 8, 7, 6, 5, 4]



=== TEST 9: what a request costs too much is paid by the next
--- http_config eval
main::zones('t9:64k key=address rate=1/h burst=2')
--- config
    location = /t { payhub_limit t9 cost=$arg_n; return 204; }
--- request eval
["GET /t?n=5", "GET /t"]
--- error_code eval: [204, 429]
--- response_headers eval
["! Retry-After", "Retry-After: 10800"]



=== TEST 10: of several limits all are taken or none
--- http_config eval
main::zones('t10a:64k key=$arg_a rate=1/h burst=3', 't10b:64k key=$arg_b rate=1/h burst=1ms')
--- config
    location = /t { payhub_limit t10a; payhub_limit t10b; return 200 "$payhub_limit"; }
    error_page 429 /no;
    location = /no { internal; return 200 "$payhub_limit"; }
--- request eval
["GET /t?a=1&b=1", "GET /t?a=1&b=1", "GET /t?a=1&b=1", "GET /t?a=1&b=1", "GET /t?a=1&b=2"]
--- error_code eval: [200, 429, 429, 429, 200]
--- response_body eval
["granted", "denied:t10b", "denied:t10b", "denied:t10b", "granted"]
--- response_headers eval
[
    'RateLimit: "t10a";r=3;t=3600, "t10b";r=0;t=3600',
    'RateLimit: "t10b";r=0;t=3600',
    'RateLimit: "t10b";r=0;t=3600',
    'RateLimit: "t10b";r=0;t=3600',
    'RateLimit: "t10a";r=2;t=7200, "t10b";r=0;t=3600',
]



=== TEST 11: told is the longer wait of two refusals
--- http_config eval
main::zones('t11a:64k key=address rate=1/m burst=1ms', 't11b:64k key=address rate=1/h burst=1ms')
--- config
    location = /t { payhub_limit t11a; payhub_limit t11b; return 204; }
--- request eval
["GET /t", "GET /t"]
--- error_code eval: [204, 429]
--- response_headers_like eval
[
    'RateLimit-Policy: "t11a";q=1;w=60, "t11b";q=1;w=3600',
    qq[RateLimit: "t11a";r=0;t=60, "t11b";r=0;t=3600\nRetry-After: 3600],
]



=== TEST 12: a shadow refuses nobody and is not told to callers
--- http_config eval
main::zones('t12:64k key=address rate=1/h burst=1ms')
--- config
    location = /t { payhub_limit t12 shadow; return 200 "$payhub_limit"; }
--- request eval
["GET /t", "GET /t", "GET /t"]
--- error_code eval: [200, 200, 200]
--- response_body eval
["granted", "shadow:t12", "shadow:t12"]
--- response_headers eval
["! RateLimit", "! RateLimit", "! RateLimit-Policy"]



=== TEST 13: what another limit refuses takes nothing of a shadow
--- http_config eval
main::zones('t13a:64k key=$arg_a rate=1/h burst=1ms', 't13s:64k key=address rate=1/h burst=2')
--- config
    location = /t { payhub_limit t13s shadow; payhub_limit t13a; return 200 "$payhub_limit"; }
--- request eval
["GET /t?a=1", "GET /t?a=1", "GET /t?a=2", "GET /t?a=3", "GET /t?a=4"]
--- error_code eval: [200, 429, 200, 200, 200]
--- response_body_like eval
["^granted\$", "PH-A303", "^granted\$", "^granted\$", "^shadow:t13s\$"]



=== TEST 14: waiting instead of refusing
--- http_config eval
main::zones('t14:64k key=address rate=1/s burst=1ms')
--- config
    location = /t { payhub_limit t14 wait=2s; return 200 "$payhub_limit"; }
--- request eval
["GET /t", "GET /t"]
--- error_code eval: [200, 200]
--- response_body_like eval
["^granted\$", '^delayed:t14:(?:[1-9]\d{1,2}|1000)$']



=== TEST 15: a wait that would be too long is a refusal
--- http_config eval
main::zones('t15:64k key=address rate=1/m burst=1ms')
--- config
    location = /t { payhub_limit t15 wait=1s; return 204; }
--- request eval
["GET /t", "GET /t"]
--- error_code eval: [204, 429]
--- response_headers eval
["! Retry-After", "Retry-After: 60"]



=== TEST 16: a delayed request goes on to a backend, with its body
--- http_config eval
main::zones('t16:64k key=address rate=5/s burst=1ms')
--- config
    location = /back { return 200 "back\n"; }
    location = /t {
        payhub_limit t16 wait=2s;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/back;
    }
--- request eval
["POST /t\nhello", "POST /t\nhello"]
--- error_code eval: [200, 200]
--- response_body eval
["back\n", "back\n"]



=== TEST 17: answers of a backend carry our fields, not its own
--- http_config eval
main::zones('t17:64k key=address rate=1/h burst=5')
--- config
    location = /back {
        add_header RateLimit '"back";r=10;t=9' always;
        add_header RateLimit-Policy '"back";q=9;w=9' always;
        return 404 "back\n";
    }
    location = /t {
        payhub_limit t17;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/back;
    }
--- request
GET /t
--- error_code: 404
--- response_body
back
--- raw_response_headers_unlike: "back"
--- response_headers
RateLimit: "t17";r=5;t=3600
RateLimit-Policy: "t17";q=5;w=18000



=== TEST 18: a refusal does not reach the backend
--- http_config eval
main::zones('t18:64k key=address rate=1/h burst=1ms', 't18b:64k key=address rate=1/h burst=9')
--- config
    location = /back { payhub_limit t18b; return 200 "back\n"; }
    location = /t {
        payhub_limit t18;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/back;
    }
--- request eval
["GET /t", "GET /t", "GET /back"]
--- error_code eval: [200, 429, 200]
--- response_headers eval
['RateLimit: "t18";r=0;t=3600', 'RateLimit: "t18";r=0;t=3600', 'RateLimit: "t18b";r=8;t=7200']



=== TEST 19: error pages, redirects and later phases take nothing again
--- http_config eval
main::zones('t19:64k key=address rate=1/h burst=10')
--- config
    payhub_limit t19;
    location = /a { rewrite ^ /b; }
    location = /b { try_files /none /c; }
    location = /c { error_page 404 = /d; root $TEST_NGINX_PAYHUB_DIR; }
    location = /d { return 200 "$payhub_limit"; }
--- request
GET /a
--- response_body: granted
--- response_headers
RateLimit: "t19";r=10;t=3600



=== TEST 20: a redirect meets the limits that are new there
--- http_config eval
main::zones('t20a:64k key=address rate=1/h burst=10', 't20b:64k key=address rate=1/h burst=5')
--- config
    location = /a { payhub_limit t20a; rewrite ^ /b; }
    location = /b { payhub_limit t20a cost=3; payhub_limit t20b cost=2; return 204; }
--- request
GET /a
--- error_code: 204
--- response_headers
RateLimit: "t20a";r=10;t=3600, "t20b";r=4;t=7200



=== TEST 21: subrequests take nothing
--- http_config eval
main::zones('t21:64k key=address rate=1/h burst=10')
--- config
    payhub_limit t21;
    location = /t { auth_request /sub; mirror /sub; root html; }
    location = /sub { internal; proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/free; }
    location = /free { payhub_limit off; return 204; }
--- user_files
>>> t
file
--- request
GET /t
--- response_body
file
--- response_headers
RateLimit: "t21";r=10;t=3600



=== TEST 22: an error page of a refusal is shown, with the fields
--- http_config eval
main::zones('t22:64k key=address rate=1/h burst=1ms')
--- config
    payhub_limit t22;
    error_page 429 /slow;
    location = /t { return 204; }
    location = /slow { internal; return 200 "slow down\n"; }
--- request eval
["GET /t", "GET /t"]
--- error_code eval: [204, 429]
--- response_body eval
["", "slow down\n"]
--- response_headers_like eval
["", qq[RateLimit: "t22";r=0;t=3600\nRetry-After: 3600]]



=== TEST 23: blocks inherit, add to nothing, and off ends it
--- http_config eval
main::zones('t23a:64k key=address rate=1/h burst=9', 't23b:64k key=address rate=1/h burst=9')
--- config
    payhub_limit t23a;
    location /t/ { return 204; }
    location /t/own/ { payhub_limit t23b; return 204; }
    location /t/off/ { payhub_limit off; return 204; }
--- request eval
["GET /t/", "GET /t/own/", "GET /t/off/"]
--- error_code eval: [204, 204, 204]
--- response_headers eval
['RateLimit: "t23a";r=9;t=3600', 'RateLimit: "t23b";r=9;t=3600', '! RateLimit']



=== TEST 24: a zone may be written behind its use
--- http_config eval
"    payhub_limit t24;\n" . main::zones('t24:64k key=$arg_u rate=1/h burst=9')
--- config
    location = /t { return 204; }
--- request
GET /t?u=a
--- error_code: 204
--- response_headers
RateLimit: "t24";r=9;t=3600



=== TEST 25: policies: the window is the time to fill, at least a second
--- http_config eval
main::zones('t25a:64k key=address rate=1000/s burst=200', 't25b:64k key=address rate=100/s burst=2s',
    't25c:64k key=address rate=7/m burst=1', 't25d:64k key=address rate=1/d burst=500ms')
--- config
    location = /t { payhub_limit t25a; payhub_limit t25b; payhub_limit t25c; payhub_limit t25d; return 204; }
--- request
GET /t
--- error_code: 204
--- response_headers
RateLimit-Policy: "t25a";q=1000;w=1, "t25b";q=200;w=2, "t25c";q=1;w=9, "t25d";q=1;w=86400



=== TEST 26: a warm-up: a cold bucket gives slowly
--- http_config eval
main::zones('t26:64k key=address rate=2/s algorithm=warmup warmup=10s')
--- config
    location = /t { payhub_limit t26; return 204; }
--- request eval
["GET /t", "GET /t"]
--- error_code eval: [204, 429]
--- response_headers eval
['RateLimit-Policy: "t26";q=20;w=10', 'Retry-After: 2']



=== TEST 27: a server's own "return" comes before any location, as ever
--- http_config eval
main::zones('t27:64k key=address rate=1/h burst=1ms')
--- config
    payhub_limit t27;
    return 204;
--- request eval
["GET /t", "GET /t"]
--- error_code eval: [204, 204]



=== TEST 28: 404 of a location that is limited is a problem document, too
--- http_config eval
main::zones('t28:64k key=address rate=1/h burst=9')
--- config
    location = /t { payhub_limit t28; root $TEST_NGINX_PAYHUB_DIR; }
--- request
GET /t
--- error_code: 404
--- response_body_like: "code":"PH-A207"
--- response_headers
RateLimit: "t28";r=9;t=3600



=== TEST 29: a cluster's zone limits by itself while nobody shares it out
--- http_config eval
main::zones('t29:256k key=$arg_u rate=1/h burst=1ms cluster')
--- config
    location = /t { payhub_limit t29; return 204; }
--- request eval
["GET /t?u=a", "GET /t?u=a", "GET /t?u=" . "x" x 300, "GET /t?u=" . "x" x 300]
--- error_code eval: [204, 429, 204, 429]



=== TEST 30: two limits, the first of them refuses: the second keeps its token
--- http_config eval
main::zones('t30a:64k key=$arg_a rate=1/h burst=1ms', 't30b:64k key=address rate=1/h burst=9')
--- config
    location = /t { payhub_limit t30a; payhub_limit t30b; return 204; }
--- request eval
["GET /t?a=1", "GET /t?a=1", "GET /t?a=1", "GET /t?a=2"]
--- error_code eval: [204, 429, 429, 204]
--- response_headers eval
[
    'RateLimit: "t30a";r=0;t=3600, "t30b";r=9;t=3600', 'RateLimit: "t30a";r=0;t=3600',
    'RateLimit: "t30a";r=0;t=3600', 'RateLimit: "t30a";r=0;t=3600, "t30b";r=8;t=7200',
]
