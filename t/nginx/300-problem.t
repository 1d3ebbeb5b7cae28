# nginx's own refusals as problem documents where payhub serves, its pages
# elsewhere; what others answer passes untouched.
use Test::Nginx::Socket 'no_plan';
use Payhub;

our $Doc = qr/^\{"type":"[^"]+","title":"[^"]+","status":(\d+),"detail":"[^"]*","code":"(PH-A\d+)",/
    . qr/"request_id":"[0-9a-f]{32}","retryable":(?:true|false)\}$/;

edge_defaults();
no_root_location();
run_tests();

__DATA__

=== TEST 1: 404 of a static location that verifies
--- config
    location /v/ { payhub_verify payhub-v3; root $TEST_NGINX_PAYHUB_DIR; }
--- more_headers eval: main::signed("GET", "/v/a")
--- request
GET /v/a
--- error_code: 404
--- response_headers
Content-Type: application/problem+json
--- response_headers_like
X-Request-Id: [0-9a-f]{32}
--- response_body_like eval: $main::Doc



=== TEST 2: a path without a location, in a server that uses payhub
--- config
    location /v/ { payhub_verify payhub-v3; return 204; }
--- request
GET /a.html
--- error_code: 404
--- response_body_like: "code":"PH-A207"



=== TEST 3: return with a status alone
--- config
    location /v/ { payhub_verify payhub-v3; return 409; }
--- more_headers eval: main::signed("GET", "/v/a")
--- request
GET /v/a
--- error_code: 409
--- response_body_like: "code":"PH-A302"



=== TEST 4: return with a text of the user
--- config
    location /v/ { payhub_verify payhub-v3; return 409 "mine\n"; }
--- more_headers eval: main::signed("GET", "/v/a")
--- request
GET /v/a
--- error_code: 409
--- response_body
mine



=== TEST 5: a backend's own error passes as it is
--- config
    location /v/ { payhub_verify payhub-v3; proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/back/; }
    location /back/ { return 404 "back\n"; }
--- more_headers eval: main::signed("GET", "/v/a")
--- request
GET /v/a
--- error_code: 404
--- response_body
back



=== TEST 6: a backend that is not there
--- config
    location /v/ { payhub_verify payhub-v3; proxy_pass http://unix:$TEST_NGINX_PAYHUB_DIR/none.sock:/; }
--- more_headers eval: main::signed("GET", "/v/a")
--- request
GET /v/a
--- error_code: 502
--- response_body_like: "code":"PH-A305"



=== TEST 7: an error page of the user, a file
--- config
    error_page 404 /page.html;
    location /v/ { payhub_verify payhub-v3; root $TEST_NGINX_PAYHUB_DIR; }
    location = /page.html { }
--- user_files
>>> page.html
the page of the user
--- more_headers eval: main::signed("GET", "/v/a")
--- request
GET /v/a
--- error_code: 404
--- response_body
the page of the user



=== TEST 8: an error page of the user in a location that serves payhub
--- config
    payhub_verify payhub-v3;
    error_page 404 /page;
    location /v/ { root $TEST_NGINX_PAYHUB_DIR; }
    location = /page { return 200 "the page of the user\n"; }
--- more_headers eval: main::signed("GET", "/v/a")
--- request
GET /v/a
--- error_code: 404
--- response_body
the page of the user



=== TEST 9: an error page that fails in another way
--- config
    payhub_verify payhub-v3;
    error_page 404 /page;
    location /v/ { root $TEST_NGINX_PAYHUB_DIR; }
    location = /page { deny all; }
--- more_headers eval: main::signed("GET", "/v/a")
--- request
GET /v/a
--- error_code: 403
--- response_body_like: "code":"PH-A103"



=== TEST 10: a named error page
--- config
    location /v/ { payhub_verify payhub-v3; root $TEST_NGINX_PAYHUB_DIR; error_page 404 = @page; }
    location @page { return 200 "named\n"; }
--- more_headers eval: main::signed("GET", "/v/a")
--- request
GET /v/a
--- error_code: 200
--- response_body
named



=== TEST 11: HEAD has the length of the document and no body
--- config
    location /v/ { payhub_verify payhub-v3; return 204; }
--- request
HEAD /v/a
--- error_code: 401
--- response_headers
Content-Type: application/problem+json
--- response_headers_like
Content-Length: 1\d\d
--- response_body:



=== TEST 12: a header that does not parse, in a server that uses payhub
--- config
    location /v/ { payhub_verify payhub-v3; return 204; }
--- raw_request eval
"GET /v/a HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n"
--- error_code: 400
--- response_body_like eval: $main::Doc



=== TEST 13: two Authorization headers, though only a location verifies
--- config
    location /v/ { payhub_verify payhub-v3; return 204; }
--- raw_request eval
Payhub::raw("GET", "/v/a", "", headers => "Authorization: a\nAuthorization: b")
--- error_code: 400
--- response_body_like: "code":"PH-A102"



=== TEST 14: a request line that does not parse
--- config
    location /v/ { payhub_verify payhub-v3; return 204; }
--- raw_request eval
"GET\r\n\r\n"
--- ignore_response
--- no_error_log
[alert]
[crit]



=== TEST 15: a server without payhub keeps nginx's pages
--- config
    location /v/ { return 404; }
--- request
GET /v/a
--- error_code: 404
--- response_body_like: <title>404 Not Found</title>
--- raw_response_headers_unlike: X-Request-Id



=== TEST 16: 405
--- config
    location /v/ { payhub_verify payhub-v3; root html; }
--- user_files
>>> v/a
hello
--- more_headers eval: main::signed("POST", "/v/a", "x")
--- request
POST /v/a
x
--- error_code: 405
--- response_body_like: "code":"PH-A208"



=== TEST 17: gzip and add_header see the document
--- config
    gzip on;
    gzip_min_length 1;
    gzip_types application/problem+json;
    location /v/ {
        payhub_verify payhub-v3;
        add_header X-Mine yes always;
        root $TEST_NGINX_PAYHUB_DIR;
    }
--- more_headers eval: main::signed("GET", "/v/a", "", extra => "Accept-Encoding: gzip")
--- request
GET /v/a
--- error_code: 404
--- response_headers
X-Mine: yes
Content-Type: application/problem+json
Content-Encoding: gzip



=== TEST 18: the request id of the document is the header's and the log's
--- config
    location /v/ {
        payhub_verify payhub-v3;
        add_header X-Mine $payhub_request_id always;
        return 204;
    }
--- request
GET /v/a
--- error_code: 401
--- raw_response_headers_like: X-Request-Id: ([0-9a-f]{32})\r\n(?s:.*)X-Mine: \1
--- error_log eval: qr/refused: absent, key "", request [0-9a-f]{32}/



=== TEST 19: redirects stay as they are
--- config
    location /v/ { payhub_verify payhub-v3; return 302 /elsewhere; }
--- more_headers eval: main::signed("GET", "/v/a")
--- request
GET /v/a
--- error_code: 302
--- response_body_like: <title>302 Found</title>
