# The fake upstream, time limits and clients that give up.
use Test::Nginx::Socket 'no_plan';

no_shuffle();
run_tests();

__DATA__

=== TEST 1: a peer on a port; its reply and what it read
--- config
    location = /t {
        proxy_set_header Connection close;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1/up;
    }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply eval
"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
--- tcp_query eval
qr{^GET /up HTTP/1\.0\r\n}
--- request
GET /t
--- response_body chomp
abc



=== TEST 2: a peer on a unix socket, a late reply in two parts
--- config
    location = /t { proxy_pass http://unix:$TEST_NGINX_HTML_DIR/peer.sock:/up; }
--- tcp_listen: $TEST_NGINX_HTML_DIR/peer.sock
--- tcp_reply_delay: 100ms
--- tcp_reply eval
["HTTP/1.0 201 Made\r\nX-A: b\r\n\r\n", "abc"]
--- tcp_query eval
qr{^GET /up HTTP/1\.0\r\n}
--- request
GET /t
--- error_code: 201
--- response_headers
X-A: b
--- response_body chomp
abc



=== TEST 3: the query's length
--- config
    location = /t {
        proxy_pass_request_headers off;
        proxy_set_header Host x;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1/up;
    }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_query eval
"GET /up HTTP/1.0\r\nHost: x\r\nConnection: close\r\n\r\n"
--- tcp_query_len: 48
--- tcp_reply eval
sub { my $query = shift; return "HTTP/1.0 200 OK\r\n\r\n" . length $query }
--- request
GET /t
--- response_body chomp
48



=== TEST 4: a peer that never answers, and a limit of nginx
--- config
    location = /t {
        proxy_read_timeout 200ms;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1/up;
    }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply:
--- tcp_no_close
--- request
GET /t
--- error_code: 504
--- response_body_like: Gateway Time-out
--- error_log
timed out



=== TEST 5: a client that gives up
--- config
    location = /t {
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1/up;
    }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply_delay: 500ms
--- tcp_reply eval
"HTTP/1.0 200 OK\r\n\r\n"
--- request
GET /t
--- timeout: 100ms
--- abort
--- ignore_response
--- wait: 0.1
--- error_log
client prematurely closed connection



=== TEST 6: no answer at all
--- config
    location = /t { return 444; }
--- request
GET /t
--- error_code:



=== TEST 7: the client shuts down its side
--- config
    location = /t { return 200 "ok\n"; }
--- request
GET /t
--- shutdown: 1
--- response_body
ok



=== TEST 8: a query that arrives in pieces is read to its length
--- config
    location = /t {
        proxy_request_buffering off;
        proxy_pass_request_headers off;
        proxy_set_header Host x;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1/up;
    }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_query eval
qr/\r\n\r\nabcdefg$/
--- tcp_query_len: 75
--- tcp_reply eval
"HTTP/1.0 200 OK\r\n\r\n"
--- request eval
[["POST /t\nabc", { value => "defg", delay_before => 0.2 }]]



=== TEST 9: the log is read after --- wait
--- config
    location = /t {
        proxy_ignore_client_abort on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1/up;
    }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply_delay: 400ms
--- tcp_reply:
--- request
GET /t
--- timeout: 100ms
--- abort
--- ignore_response
--- wait: 0.6
--- error_log
upstream prematurely closed connection
