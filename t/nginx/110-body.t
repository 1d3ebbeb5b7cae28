# The signature covers the body however it arrives: in memory, in a file, in
# chunks, late, empty.  The worker gets the same bytes.
use Test::Nginx::Socket 'no_plan';
use Digest::SHA qw(sha256_hex);
use Payhub;

our $Kilo = join '', map { sprintf "%07d.", $_ } 1 .. 128;    # 1024 bytes

sub told { my ($body) = @_; return length($body) . ' ' . sha256_hex($body) . "\n" }

sub chunked {
    my ($target, @chunks) = @_;

    my $body = join '', @chunks;
    return "POST $target HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        . signed('POST', $target, $body) . "\r\nTransfer-Encoding: chunked\r\n\r\n"
        . join('', map { sprintf "%x\r\n%s\r\n", length, $_ } @chunks) . "0\r\n\r\n";
}

# signed when its block runs: the window is short
sub slow {
    my ($target) = @_;

    return [ "POST $target HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 11\r\n"
            . signed('POST', $target, 'hello world') . "\r\n\r\nhello", ' world' ];
}

edge_defaults();
add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', '
    location /w/ { payhub_verify payhub-v3; payhub_pass payhub_workers; }')
        if !defined $block->config;
    $block->set_value('raw_request', slow($block->slow)) if defined $block->slow;
});
run_tests();

__DATA__

=== TEST 1: a small body
--- more_headers eval: main::signed("POST", "/w/md5", "hello")
--- request
POST /w/md5
hello
--- response_body eval: main::told("hello")



=== TEST 2: an empty body with a length
--- raw_request eval
"POST /w/md5 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n"
    . main::signed("POST", "/w/md5") . "\r\n\r\n"
--- response_body eval: main::told("")



=== TEST 3: no body, no length
--- more_headers eval: main::signed("DELETE", "/w/md5")
--- request
DELETE /w/md5
--- response_body eval: main::told("")



=== TEST 4: chunks
--- raw_request eval: main::chunked("/w/md5", "abc", "defgh", $main::Kilo)
--- response_body eval: main::told("abcdefgh$main::Kilo")



=== TEST 5: no chunk but the last
--- raw_request eval: main::chunked("/w/md5")
--- response_body eval: main::told("")



=== TEST 6: a body larger than the buffer lies in a file
--- config
    location /w/ { client_body_buffer_size 1k; payhub_verify payhub-v3; payhub_pass payhub_workers; }
--- more_headers eval: main::signed("POST", "/w/md5", $main::Kilo x 60)
--- request eval: "POST /w/md5\n" . $main::Kilo x 60
--- response_body eval: main::told($main::Kilo x 60)
--- error_log
a client request body is buffered to a temporary file



=== TEST 7: chunks that end in a file
--- config
    location /w/ { client_body_buffer_size 1k; payhub_verify payhub-v3; payhub_pass payhub_workers; }
--- raw_request eval: main::chunked("/w/md5", ($main::Kilo) x 40)
--- response_body eval: main::told($main::Kilo x 40)
--- error_log
a client request body is buffered to a temporary file



=== TEST 8: always a file
--- config
    location /w/ { client_body_in_file_only clean; payhub_verify payhub-v3; payhub_pass payhub_workers; }
--- more_headers eval: main::signed("POST", "/w/md5", "hello")
--- request
POST /w/md5
hello
--- response_body eval: main::told("hello")



=== TEST 9: one changed byte at the end of a file
--- config
    location /w/ { client_body_buffer_size 1k; payhub_verify payhub-v3; payhub_pass payhub_workers; }
--- more_headers eval: main::signed("POST", "/w/md5", $main::Kilo x 60)
--- request eval: "POST /w/md5\n" . $main::Kilo x 59 . substr($main::Kilo, 0, 1023) . "x"
--- error_code: 401
--- error_log
payhub verify refused: signature



=== TEST 10: a body in three late pieces
--- raw_request eval
["POST /w/md5 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 11\r\n"
    . main::signed("POST", "/w/md5", "hello world") . "\r\n\r\nhel", "lo wor", "ld"]
--- raw_request_middle_delay: 0.1
--- response_body eval: main::told("hello world")



=== TEST 11: Expect
--- raw_request eval
"POST /w/md5 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n"
    . "Expect: 100-continue\r\n" . main::signed("POST", "/w/md5", "hello") . "\r\n\r\nhello"
--- error_code: 100
--- response_body_like eval: "HTTP/1.1 200 OK(?s:.*)" . main::told("hello")



=== TEST 12: over client_max_body_size by its length: refused unread
--- config
    location /w/ { client_max_body_size 1k; payhub_verify payhub-v3; payhub_pass payhub_workers; }
--- more_headers eval: main::signed("POST", "/w/md5", $main::Kilo . "x")
--- request eval: "POST /w/md5\n" . $main::Kilo . "x"
--- error_code: 413
--- response_body_like: "code":"PH-A209"



=== TEST 13: over client_max_body_size in chunks
--- config
    location /w/ { client_max_body_size 1k; payhub_verify payhub-v3; payhub_pass payhub_workers; }
--- raw_request eval: main::chunked("/w/md5", $main::Kilo, "x")
--- error_code: 413
--- response_body_like: "code":"PH-A209"



=== TEST 14: the largest body of a frame
--- config
    location /w/ { client_max_body_size 2m; client_body_buffer_size 2m; payhub_pass payhub_workers; }
--- request eval: "POST /w/md5\n" . $main::Kilo x 1024
--- response_body eval: main::told($main::Kilo x 1024)
--- timeout: 20



=== TEST 15: a byte more than a frame takes
--- config
    location /w/ { client_max_body_size 2m; client_body_buffer_size 2m; payhub_pass payhub_workers; }
--- request eval: "POST /w/md5\n" . $main::Kilo x 1024 . "x"
--- error_code: 413
--- response_body_like: "code":"PH-A209"



=== TEST 16: the same in chunks, without a length to go by
--- config
    location /w/ { client_max_body_size 2m; client_body_buffer_size 2m; payhub_pass payhub_workers; }
--- raw_request eval: main::chunked("/w/md5", ($main::Kilo) x 1024, "x")
--- error_code: 413
--- response_body_like: "code":"PH-A209"



=== TEST 17: a body that is refused leaves the connection usable
--- pipelined_requests eval
["POST /w/md5\nhello", "GET /w/empty"]
--- error_code eval: [401, 401]



=== TEST 18: pipelined bodies are not mixed up
--- config
    location /w/ { payhub_pass payhub_workers; }
--- pipelined_requests eval
["POST /w/echo\none", "POST /w/echo\ntwo and more", "GET /w/empty"]
--- response_body eval
["one", "two and more", ""]



=== TEST 19: a client that sends half a body and waits
--- config
    client_body_timeout 300ms;
    location /w/ { payhub_verify payhub-v3; payhub_pass payhub_workers; }
--- raw_request eval
"POST /w/md5 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 11\r\n"
    . main::signed("POST", "/w/md5", "hello world") . "\r\n\r\nhello"
--- error_code:
--- ignore_response
--- wait: 0.5
--- no_error_log
[alert]
payhub pass



=== TEST 20: payhub_verify in front of proxy_pass: the backend gets the body
--- config
    location /v/ { payhub_verify payhub-v3; proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/back/; }
    location /back/ { payhub_pass payhub_workers; }
--- raw_request eval: main::chunked("/v/a", "abc", "def")
--- response_body_like: ^worker=(?s:.*)target=/back/a\n(?s:.*)body=6



=== TEST 21: a body that outlasts the window: the signature is old when it is judged
--- config
    payhub_verify_window 1s;
    location /w/ { payhub_verify payhub-v3; payhub_pass payhub_workers; }
--- slow: /w/md5?tag=outlasts
--- raw_request_middle_delay: 2.5
--- timeout: 10
--- error_code: 401
--- response_body_like: "code":"PH-A101"
--- error_log
payhub verify refused: window



=== TEST 22: and one that does not
--- config
    payhub_verify_window 10s;
    location /w/ { payhub_verify payhub-v3; payhub_pass payhub_workers; }
--- slow: /w/md5
--- raw_request_middle_delay: 1.1
--- timeout: 10
--- response_body eval: main::told("hello world")
