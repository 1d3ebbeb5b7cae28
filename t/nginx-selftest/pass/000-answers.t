# Responses: codes, headers, bodies, bodies of requests, pipelines, packets.
use Test::Nginx::Socket 'no_plan';

repeat_each(2);
no_long_string();
no_shuffle();
run_tests();

__DATA__

=== TEST 1: the code defaults to 200, the body is compared whole
--- config
    location = /t { return 200 "hello\n"; }
--- request
GET /t
--- response_body
hello



=== TEST 2: code, present, absent and matching headers
--- config
    location = /t {
        add_header X-One "first" always;
        add_header X-One "second" always;
        return 403 "no";
    }
--- request
GET /t
--- error_code: 403
--- response_headers
X-One: first, second
!X-Two
Content-Type: text/plain
--- response_body chomp
no



=== TEST 3: header patterns, code pattern, unlike
--- config
    location = /t { return 204; }
--- request
GET /t
--- error_code_like: ^20[34]$
--- response_headers_like
Server: nginx/[\d.]+
--- raw_response_headers_like: ^HTTP/1\.1 204 No Content
--- raw_response_headers_unlike: X-Two
--- response_body_unlike: no



=== TEST 4: POST with more headers; the body's length is added
--- config
    location = /t {
        client_body_buffer_size 8k;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/echo;
    }
    location = /echo { return 200 "$http_x_a|$http_content_length|$http_host"; }
--- more_headers
X-A: b
Host: example.org
# X-A: not sent
--- request
POST /t
12345
--- response_body_like chomp
^b\|5\|127\.0\.0\.1:\d+$



=== TEST 5: a pipeline takes lists
--- config
    location = /a { return 200 "A\n"; }
    location = /b { return 404 "B\n"; }
--- pipelined_requests eval
["GET /a", "GET /b", "GET /a"]
--- error_code eval
[200, 404, 200]
--- response_body eval
["A\n", "B\n", "A\n"]
--- response_headers eval
["Content-Length: 2", "Content-Length: 2", "Connection: close"]



=== TEST 6: several requests, each on its own connection
--- config
    location ~ ^/.$ { return 200 "$http_x_n $connection_requests\n"; }
--- request eval
["GET /a", "GET /b"]
--- more_headers eval
["X-N: one", "X-N: two"]
--- response_body eval
["one 1\n", qr/^two 1$/]



=== TEST 7: raw request in pieces with a delay between them
--- config
    location = /t { return 200 "$request_method $args\n"; }
--- raw_request eval
["GET /t?x=", "1 HTTP/1.1\r\nHost: a\r\nConn", "ection: close\r\n\r\n"]
--- raw_request_middle_delay
0.05
--- response_body
GET x=1



=== TEST 8: packets of one request, one of them late
--- config
    location = /t { proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/echo; }
    location = /echo { return 200 "$http_content_length\n"; }
--- request eval
[["POST /t\nabc", { value => "defg", delay_before => 0.1 }]]
--- response_body eval
"7\n"



=== TEST 9: a chunked response is joined
--- config
    location = /t {
        chunked_transfer_encoding on;
        sub_filter b c;
        sub_filter_once off;
        sub_filter_types *;
        alias $TEST_NGINX_HTML_DIR/big.txt;
    }
--- user_files
>>> big.txt
ababab
>>> other.txt
not this
--- request
GET /t
--- response_headers
Transfer-Encoding: chunked
!Content-Length
--- response_body
acacac



=== TEST 10: HEAD has no body and is not called truncated
--- config
    location = /t { return 200 "hello"; }
--- request
HEAD /t
--- response_headers
Content-Length: 5
--- response_body:



=== TEST 11: the root location serves the html folder
--- config
--- request
GET /
--- response_body_like: It works!



=== TEST 12: a version of HTTP of the file's own
--- config
    location = /t { return 200 "$server_protocol\n"; }
--- request
GET /t HTTP/1.0
--- response_body
HTTP/1.0



=== TEST 13: a request by eval, with bytes that are no text
--- config
    location = /t { return 200 "$http_x_b"; }
--- raw_request eval
"GET /t HTTP/1.0\r\nX-B: \xff\x80\r\n\r\n"
--- response_body eval
"\xff\x80"



=== TEST 14: $ServerPort in expectations
--- config
    location = /t { add_header X-Port $server_port; return 200 "$server_port\n"; }
--- request
GET /t
--- response_headers
X-Port: $ServerPort
--- response_body
$ServerPort
