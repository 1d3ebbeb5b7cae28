# Every block here tells one lie, so every block must report a failure.
use Test::Nginx::Socket 'no_plan';

log_level('info');
timeout(1);
no_long_string();
no_shuffle();
run_tests();

__DATA__

=== TEST 1: another body
--- config
    location = /t { return 200 "hello\n"; }
--- request
GET /t
--- response_body
hallo



=== TEST 2: another code
--- config
    location = /t { return 201 "hello\n"; }
--- request
GET /t



=== TEST 3: a body that does not match
--- config
    location = /t { return 200 "hello\n"; }
--- request
GET /t
--- response_body_like: ^ello



=== TEST 4: a body that matches
--- config
    location = /t { return 200 "hello\n"; }
--- request
GET /t
--- response_body_unlike: ello



=== TEST 5: a header with another value
--- config
    location = /t { return 204; }
--- request
GET /t
--- error_code: 204
--- response_headers
Server: apache



=== TEST 6: a header that is there
--- config
    location = /t { return 204; }
--- request
GET /t
--- error_code: 204
--- response_headers
!Server



=== TEST 7: a header pattern matches the whole value
--- config
    location = /t { return 204; }
--- request
GET /t
--- error_code: 204
--- response_headers_like
Server: ngin



=== TEST 8: a line that the log lacks
--- config
    location = /t { deny all; }
--- request
GET /t
--- error_code: 403
--- error_log
access forbidden by ruler



=== TEST 9: a line that the log has
--- config
    location = /t { deny all; }
--- request
GET /t
--- error_code: 403
--- no_error_log
access forbidden by rule



=== TEST 10: the second of a pipeline
--- config
    location = /t { return 200 "hello\n"; }
--- pipelined_requests eval
["GET /t", "GET /t"]
--- error_code eval
[200, 404]



=== TEST 11: a configuration that does not die
--- config
    location = /t { return 204; }
--- must_die



=== TEST 12: dies with another code
--- config
    no_such_directive on;
--- must_die: 2



=== TEST 13: the peer was asked something else
--- config
    location = /t { proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1; }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply eval
"HTTP/1.0 200 OK\r\n\r\n"
--- tcp_query eval
qr/^POST/
--- request
GET /t



=== TEST 14: the peer was asked at another length
--- config
    location = /t { proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1; }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply eval
"HTTP/1.0 200 OK\r\n\r\n"
--- tcp_query_len: 3
--- request
GET /t



=== TEST 15: no answer in time
--- config
    location = /t { proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1; }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply:
--- tcp_no_close
--- request
GET /t
--- timeout: 200ms



=== TEST 16: grep finds something else
--- config
    location = /t { deny all; }
--- request
GET /t
--- error_code: 403
--- grep_error_log eval: qr/access \w+/
--- grep_error_log_out
access granted



=== TEST 17: raw headers
--- config
    location = /t { return 204; }
--- request
GET /t
--- error_code: 204
--- raw_response_headers_unlike: Server



=== TEST 18: chunks that end early
--- config
    location = /t {
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        proxy_http_version 1.1;
        proxy_buffering off;
    }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply eval
"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"
--- request
GET /t



=== TEST 19: no answer in time, and nothing else to complain of
--- config
    location = /t { proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1; }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply:
--- tcp_no_close
--- request
GET /t
--- timeout: 200ms
--- ignore_response
