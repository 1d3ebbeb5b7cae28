# The verdict belongs to the main request: it outlives internal redirects,
# serves subrequests, and is bound to the request as received.
use Test::Nginx::Socket 'no_plan';
use Payhub;

edge_defaults();
run_tests();

__DATA__

=== TEST 1: satisfy any opens no way around
--- config
    location /v/ { satisfy any; allow all; payhub_verify payhub-v3; payhub_pass payhub_workers; }
--- request
GET /v/a
--- error_code: 401



=== TEST 2: an error page with a URI: the verdict holds, the body is still there
--- config
    payhub_verify payhub-v3;
    error_page 404 = /w/page;
    location /v/ { root $TEST_NGINX_PAYHUB_DIR; }
    location /w/ { payhub_pass payhub_workers; }
--- more_headers eval: main::signed("POST", "/v/nothing", "hello")
--- request
POST /v/nothing
hello
--- error_code: 200
--- response_body_like: key_id=k1\n(?s:.*)method=POST\n(?s:.*)target=/v/nothing\n(?s:.*)body=5



=== TEST 3: the same with GET
--- config
    payhub_verify payhub-v3;
    error_page 404 = /w/page;
    location /v/ { root $TEST_NGINX_PAYHUB_DIR; }
    location /w/ { payhub_pass payhub_workers; }
--- more_headers eval: main::signed("GET", "/v/nothing")
--- request
GET /v/nothing
--- error_code: 200
--- response_body_like: key_id=k1\n(?s:.*)method=GET\n(?s:.*)target=/v/nothing\n



=== TEST 4: error_page turns POST into GET; what was signed stays POST
--- config
    payhub_verify payhub-v3;
    error_page 418 = /w/page;
    location /v/ { if ($request_method = POST) { return 418; } }
    location /w/ { payhub_pass payhub_workers; }
--- more_headers eval: main::signed("POST", "/v/a", "hello")
--- request
POST /v/a
hello
--- error_code: 200
--- response_body_like: key_id=k1\n(?s:.*)method=POST\n(?s:.*)target=/v/a\n(?s:.*)body=5



=== TEST 5: a named location
--- config
    payhub_verify payhub-v3;
    error_page 418 = @worker;
    location /v/ { if ($request_method = POST) { return 418; } }
    location @worker { payhub_pass payhub_workers; }
--- more_headers eval: main::signed("POST", "/v/a", "hello")
--- request
POST /v/a
hello
--- error_code: 200
--- response_body_like: key_id=k1\n(?s:.*)method=POST\n(?s:.*)target=/v/a\n(?s:.*)body=5



=== TEST 6: try_files to a named location
--- config
    location /v/ { payhub_verify payhub-v3; try_files /nothing @worker; }
    location @worker { payhub_verify payhub-v3; payhub_pass payhub_workers; }
--- more_headers eval: main::signed("POST", "/v/a", "hello")
--- request
POST /v/a
hello
--- response_body_like: key_id=k1\n(?s:.*)target=/v/a\n(?s:.*)body=5



=== TEST 7: unverified first, verified behind try_files
--- config
    location /v/ { try_files /nothing @worker; }
    location @worker { payhub_verify payhub-v3; payhub_pass payhub_workers; }
--- request
GET /v/a
--- error_code: 401



=== TEST 8: X-Accel-Redirect, the body read by proxy_pass already
--- config
    location /v/ { proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/accel; }
    location /accel { add_header X-Accel-Redirect /w/inner; return 200; }
    location /w/ { internal; payhub_verify payhub-v3; payhub_pass payhub_workers; }
--- more_headers eval: main::signed("POST", "/v/a", "hello")
--- request
POST /v/a
hello
--- response_body_like: key_id=k1\n(?s:.*)method=POST\n(?s:.*)target=/v/a\n(?s:.*)body=5



=== TEST 9: X-Accel-Redirect from a verified location
--- config
    location /v/ { payhub_verify payhub-v3; proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/accel; }
    location /accel { add_header X-Accel-Redirect /w/inner; return 200; }
    location /w/ { internal; payhub_verify payhub-v3; payhub_pass payhub_workers; }
--- more_headers eval: main::signed("POST", "/v/a", "hello")
--- request
POST /v/a
hello
--- response_body_like: key_id=k1\n(?s:.*)body=5



=== TEST 10: a signature that fails does so behind X-Accel-Redirect as well
--- config
    location /v/ { proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/accel; }
    location /accel { add_header X-Accel-Redirect /w/inner; return 200; }
    location /w/ { internal; payhub_verify payhub-v3; payhub_pass payhub_workers; }
--- more_headers eval: main::signed("POST", "/v/a", "other")
--- request
POST /v/a
hello
--- error_code: 401



=== TEST 11: auth_request verifies for a request without a body
--- config
    location /v/ { auth_request /check; proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/back/; }
    location = /check { payhub_verify payhub-v3; return 204; }
    location /back/ { return 200 "in\n"; }
--- more_headers eval: main::signed("GET", "/v/a")
--- request
GET /v/a
--- response_body
in



=== TEST 12: auth_request refuses an unsigned one
--- config
    location /v/ { auth_request /check; proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/back/; }
    location = /check { payhub_verify payhub-v3; return 204; }
    location /back/ { return 200 "in\n"; }
--- request
GET /v/a
--- error_code: 401
--- response_headers
WWW-Authenticate: PAYHUB-V3 realm="payhub"



=== TEST 13: auth_request cannot judge a body that nobody has read
--- config
    location /v/ { auth_request /check; proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/back/; }
    location = /check { payhub_verify payhub-v3; return 204; }
    location /back/ { return 200 "in\n"; }
--- more_headers eval: main::signed("POST", "/v/a")
--- request
POST /v/a
hello
--- error_code: 401
--- error_log
before the body of its request has been read



=== TEST 14: the main request verified: its subrequests are
--- config
    location /v/ { payhub_verify payhub-v3; auth_request /check; proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/back/; }
    location = /check { payhub_verify payhub-v3; proxy_pass_request_body off; proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/ok; }
    location = /ok { return 204; }
    location /back/ { return 200 "in\n"; }
--- more_headers eval: main::signed("POST", "/v/a", "hello")
--- request
POST /v/a
hello
--- response_body
in



=== TEST 15: mirror of a verified request
--- config
    location /v/ { payhub_verify payhub-v3; mirror /copy; payhub_pass payhub_workers; }
    location = /copy { internal; payhub_verify payhub-v3; proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/ok; }
    location = /ok { return 204; }
--- more_headers eval: main::signed("POST", "/v/echo", "hello")
--- request
POST /v/echo
hello
--- response_body: hello



=== TEST 16: mirror never calls a worker: that would be a second payment
--- config
    location /v/ { payhub_verify payhub-v3; mirror /copy; payhub_pass payhub_workers; }
    location = /copy { internal; payhub_verify payhub-v3; payhub_pass payhub_workers; }
    location = /c/count { payhub_pass payhub_workers; }
--- request eval
["POST /v/echo?tag=mirror\nhello", "GET /c/count?tag=mirror"]
--- more_headers eval
[main::signed("POST", "/v/echo?tag=mirror", "hello"), "X-None: 1"]
--- response_body eval
["hello", "a=1\n"]



=== TEST 17: a refusal stays one behind an error page that verifies again
--- config
    payhub_verify payhub-v3;
    error_page 401 /denied;
    location /v/ { return 200 "in\n"; }
    location = /denied { return 200 "never\n"; }
--- request
GET /v/a
--- error_code: 401
--- response_body_like: "code":"PH-A101"



=== TEST 18: rewrite to a location that verifies, signed is what was received
--- config
    location /v/ { rewrite ^/v/(.*)$ /w/$1 last; }
    location /w/ { payhub_verify payhub-v3; payhub_pass payhub_workers; }
--- more_headers eval: main::signed("GET", "/v/a")
--- request
GET /v/a
--- response_body_like: key_id=k1\n(?s:.*)target=/v/a\n



=== TEST 19: a verified request in a location that does not verify has no identity
--- config
    location /v/ { payhub_verify payhub-v3; error_page 418 = @open; if ($request_method = GET) { return 418; } }
    location @open { payhub_pass payhub_workers; }
--- more_headers eval: main::signed("GET", "/v/a")
--- request
GET /v/a
--- error_code: 200
--- response_body_unlike: key_id=



=== TEST 20: a variable read before the verdict is read again after it
--- config
    set $early "[$payhub_app]";
    location /v/ { payhub_verify payhub-v3; return 200 "$early $payhub_app\n"; }
--- more_headers eval: main::signed("GET", "/v/a")
--- request
GET /v/a
--- response_body
[] app1



=== TEST 21: limit_except and if keep payhub_pass
--- config
    location /w/ {
        payhub_pass payhub_workers;
        if ($arg_x) { set $y 1; }
        limit_except GET { deny all; }
    }
--- request eval
["GET /w/empty?x=1", "POST /w/empty"]
--- error_code eval: [200, 403]



=== TEST 22: and the access log has the later value
--- http_config eval
main::http_config() . "log_format who 'who=\$payhub_app/\$payhub_verify';"
--- config
    set $early "[$payhub_app]";
    location /v/ { payhub_verify payhub-v3; access_log logs/error.log who; return 204; }
--- more_headers eval: main::signed("GET", "/v/a")
--- request
GET /v/a
--- error_code: 204
--- error_log
who=app1/ok



=== TEST 23: a worker in a subrequest is refused before anything else looks at it
--- config
    location /a/ { auth_request /check; root $TEST_NGINX_PAYHUB_DIR; }
    location = /check { payhub_pass payhub_workers; }
--- request
GET /a/b
--- error_code: 500
--- error_log
a worker is called once, by the request itself



=== TEST 24: auth_request judges the body that has been read, not the empty one of its subrequest
--- config
    location /u/ { proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/back/; }
    location /back/ { add_header X-Accel-Redirect /w/echo; return 200; }
    location /w/ { auth_request /check; payhub_pass payhub_workers; }
    location = /check { payhub_verify payhub-v3; return 204; }
--- more_headers eval: main::signed("POST", "/u/echo", "hello")
--- request
POST /u/echo
hello
--- response_body: hello



=== TEST 25: so a signature over no body opens nothing for one
--- config
    location /u/ { proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/back/; }
    location /back/ { add_header X-Accel-Redirect /w/echo; return 200; }
    location /w/ { auth_request /check; payhub_pass payhub_workers; }
    location = /check { payhub_verify payhub-v3; return 204; }
--- more_headers eval: main::signed("POST", "/u/echo")
--- request
POST /u/echo
hello
--- error_code: 401
