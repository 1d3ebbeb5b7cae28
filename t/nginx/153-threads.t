# sm2-sm3 in a thread pool: the pool that is named, a full one, callers that go
# away, bodies of every form, redirects and subrequests.
use Test::Nginx::Socket 'no_plan';
use Payhub;
use PayhubKeys;

keys_start();
edge_defaults();
add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('http_config', main::http_config() . alg_key_lines());
    $block->set_value('main_config', 'thread_pool one threads=1 max_queue=16;
thread_pool few threads=1 max_queue=1;
thread_pool none threads=1 max_queue=0;')
        if !defined $block->main_config;
});
run_tests();

__DATA__

=== TEST 1: nginx's own pool without a line
--- config
    location /v/ { payhub_verify payhub-v3; return 200 "$payhub_app\n"; }
--- more_headers eval: main::v3("sm2", "GET", "/v/a")
--- request
GET /v/a
--- response_body
sm2-app



=== TEST 2: a pool by name, inherited
--- config
    payhub_verify_threads pool=one;
    payhub_verify payhub-v3;
    location /v/ { return 200 "$payhub_app\n"; }
--- more_headers eval: main::v3("sm2", "GET", "/v/a")
--- request
GET /v/a
--- response_body
sm2-app



=== TEST 3: a pool with room for one
--- config
    payhub_verify_threads pool=few;
    location /v/ { payhub_verify payhub-v3; return 200 "$payhub_app\n"; }
--- more_headers eval: main::v3("sm2", "GET", "/v/a")
--- request
GET /v/a
--- response_body
sm2-app



=== TEST 4: a full pool does not hold up other algorithms
--- config
    payhub_verify_threads pool=none;
    location /v/ { payhub_verify payhub-v3; return 200 "$payhub_app\n"; }
--- more_headers eval: main::v3("ed", "GET", "/v/a")
--- request
GET /v/a
--- response_body
ed-app



=== TEST 5: a body in a file
--- config
    location /v/ { payhub_verify payhub-v3; client_body_in_file_only clean; payhub_pass payhub_workers; }
--- more_headers eval: main::v3("sm2", "POST", "/v/md5", "a" x 30000)
--- request eval: "POST /v/md5\n" . "a" x 30000
--- response_body eval
"30000 " . Digest::SHA::sha256_hex("a" x 30000) . "\n"



=== TEST 6: half of it in memory, half in a file
--- config
    location /v/ { payhub_verify payhub-v3; client_body_buffer_size 8k; payhub_pass payhub_workers; }
--- more_headers eval: main::v3("sm2", "POST", "/v/md5", "b" x 30000)
--- request eval: "POST /v/md5\n" . "b" x 30000
--- response_body eval
"30000 " . Digest::SHA::sha256_hex("b" x 30000) . "\n"



=== TEST 7: chunked
--- config
    location /v/ { payhub_verify payhub-v3; payhub_pass payhub_workers; }
--- raw_request eval
"POST /v/echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
. main::v3("sm2", "POST", "/v/echo", "hello") . "\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
--- response_body: hello



=== TEST 8: a body that comes slowly
--- config
    location /v/ { payhub_verify payhub-v3; payhub_pass payhub_workers; }
--- raw_request eval
["POST /v/echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 5\r\n"
. main::v3("sm2", "POST", "/v/echo", "hello") . "\r\n\r\nhe", "llo"]
--- raw_request_middle_delay: 0.2
--- response_body: hello



=== TEST 9: two requests of one connection
--- config
    location /v/ { payhub_verify payhub-v3; return 200 "$payhub_app$request_uri\n"; }
--- pipelined_requests eval
["GET /v/a", "GET /v/b"]
--- more_headers eval
[main::v3("sm2", "GET", "/v/a"), main::v3("sm2", "GET", "/v/b")]
--- response_body eval
["sm2-app/v/a\n", "sm2-app/v/b\n"]



=== TEST 10: behind an error page that goes to a worker
--- config
    payhub_verify payhub-v3;
    error_page 404 = /w/page;
    location /v/ { root $TEST_NGINX_PAYHUB_DIR; }
    location /w/ { payhub_pass payhub_workers; }
--- more_headers eval: main::v3("sm2", "POST", "/v/nothing", "hello")
--- request
POST /v/nothing
hello
--- error_code: 200
--- response_body_like: key_id=sm2\n(?s:.*)target=/v/nothing\n(?s:.*)body=5



=== TEST 11: in the subrequest of auth_request
--- config
    location /v/ { auth_request /check; proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/back/; }
    location = /check { payhub_verify payhub-v3; return 204; }
    location /back/ { return 200 "in\n"; }
--- more_headers eval: main::v3("sm2", "GET", "/v/a")
--- request
GET /v/a
--- response_body
in



=== TEST 12: and refused there
--- config
    location /v/ { auth_request /check; proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/back/; }
    location = /check { payhub_verify payhub-v3; return 204; }
    location /back/ { return 200 "in\n"; }
--- more_headers eval: main::v3("sm2", "GET", "/v/b")
--- request
GET /v/a
--- error_code: 401



=== TEST 13: in a mirror subrequest of an unverified location
--- config
    location /v/ { mirror /copy; proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/back/; }
    location = /copy { internal; payhub_verify payhub-v3; return 204; }
    location /back/ { return 200 "in\n"; }
--- more_headers eval: main::v3("sm2", "GET", "/v/a")
--- request
GET /v/a
--- response_body
in



=== TEST 14: a wrong signature
--- config
    location /v/ { payhub_verify payhub-v3; return 200 "$payhub_app\n"; }
--- more_headers eval: main::v3("sm2", "GET", "/v/b")
--- request
GET /v/a
--- error_code: 401
--- response_body_like: "code":"PH-A101"
--- error_log
payhub verify refused: signature, key "sm2"



=== TEST 15: an unknown key takes the same way
--- config
    location /v/ { payhub_verify payhub-v3; return 200 "$payhub_app\n"; }
--- more_headers eval: main::v3("nobody", "GET", "/v/a", "", by => "sm2", alg => "sm2-sm3")
--- request
GET /v/a
--- error_code: 401
--- error_log
payhub verify refused: key, key "nobody"



=== TEST 16: the caller goes away while a thread works
--- config
    location /v/ { payhub_verify payhub-v3; return 200 "$payhub_app\n"; }
--- raw_request eval
"GET /v/a HTTP/1.1\r\nHost: localhost\r\n" . main::v3("sm2", "GET", "/v/a") . "\r\n\r\n"
--- abort
--- timeout: 0.001
--- ignore_response
--- wait: 0.3
--- no_error_log
[alert]



=== TEST 17: an RSA key whose pool does not matter
--- config
    location /v/ { payhub_verify payhub-v3; return 200 "$payhub_app\n"; }
--- more_headers eval: main::v3("rsa", "GET", "/v/a")
--- request
GET /v/a
--- response_body
rsa-app
