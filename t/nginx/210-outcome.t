# What may have happened is never sent again: how every failure is told, and
# how often a call arrived.  "a=1" is one arrival at worker A.
use Test::Nginx::Socket 'no_plan';
use Payhub;

our %told = (
    'not executed' => [ 503, 'PH-A304', 'true' ],
    'unknown'      => [ 502, 'PH-A305', 'false' ],
);

# the body of the edge's own answer
sub problem {
    my ($status, $code) = @_;

    return qr/"status":$status,.*"code":"$code","request_id":"[0-9a-f]{32}"/;
}
our $NotExecuted = problem(503, 'PH-A304');
our $Unknown     = problem(502, 'PH-A305');

sub count { return qr/^$_[0]\n$/ }

edge_defaults();
add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', '
    location /w/    { payhub_pass payhub_workers; payhub_pass_timeout 300ms; }
    location /pair/ { payhub_pass payhub_pair; payhub_pass_timeout 300ms; }
    location /down/ { payhub_pass payhub_down; }
    location /next/ { payhub_pass payhub_down_then_a; }
    location /c/    { payhub_pass payhub_workers; }')
        if !defined $block->config;
});
run_tests();

__DATA__

=== TEST 1: no worker at all
--- request eval
["POST /down/x?tag=o1\nhello", "GET /c/count?tag=o1"]
--- error_code eval: [503, 200]
--- response_body_like eval
[$main::NotExecuted, main::count("")]



=== TEST 2: GET, no worker at all
--- request eval
["GET /down/x?tag=o2", "GET /c/count?tag=o2"]
--- error_code eval: [503, 200]
--- response_body_like eval
[$main::NotExecuted, main::count("")]



=== TEST 3: refused by the worker
--- request eval
["POST /pair/refused?tag=o3\nhello", "GET /c/count?tag=o3"]
--- error_code eval: [503, 200]
--- response_body_like eval
[$main::NotExecuted, main::count("a=1")]



=== TEST 4: busy, and no other worker
--- request eval
["POST /w/busy?tag=o4\nhello", "GET /c/count?tag=o4"]
--- error_code eval: [503, 200]
--- response_body_like eval
[$main::NotExecuted, main::count("a=1")]



=== TEST 5: busy everywhere: each is asked once
--- request eval
["POST /pair/busy?tag=o5\nhello", "GET /c/count?tag=o5"]
--- error_code eval: [503, 200]
--- response_body_like eval
[$main::NotExecuted, main::count("a=1 b=1")]



=== TEST 6: closed without an answer: POST
--- request eval
["POST /pair/close?tag=o6\nhello", "GET /c/count?tag=o6"]
--- error_code eval: [502, 200]
--- response_body_like eval
[$main::Unknown, main::count("a=1")]



=== TEST 7: closed without an answer: GET is not repeated either
--- request eval
["GET /pair/close?tag=o7", "GET /c/count?tag=o7"]
--- error_code eval: [502, 200]
--- response_body_like eval
[$main::Unknown, main::count("a=1")]



=== TEST 8: closed without an answer: PUT
--- request eval
["PUT /pair/close?tag=o8\nhello", "GET /c/count?tag=o8"]
--- error_code eval: [502, 200]
--- response_body_like eval
[$main::Unknown, main::count("a=1")]



=== TEST 9: closed without an answer: DELETE
--- request eval
["DELETE /pair/close?tag=o9", "GET /c/count?tag=o9"]
--- error_code eval: [502, 200]
--- response_body_like eval
[$main::Unknown, main::count("a=1")]



=== TEST 10: closed in the middle of the answer
--- request eval
["GET /pair/cut?tag=o10", "GET /c/count?tag=o10"]
--- error_code eval: [502, 200]
--- response_body_like eval
[$main::Unknown, main::count("a=1")]



=== TEST 11: an answer that comes too late
--- request eval
["GET /pair/late?tag=o11", "GET /c/count?tag=o11"]
--- error_code eval: [502, 200]
--- response_body_like eval
[$main::Unknown, main::count("a=1")]



=== TEST 12: the worker does not know
--- request eval
["POST /pair/unknown?tag=o12\nhello", "GET /c/count?tag=o12"]
--- error_code eval: [502, 200]
--- response_body_like eval
[$main::Unknown, main::count("a=1")]



=== TEST 13: a wrong checksum
--- request eval
["GET /pair/crc?tag=o13", "GET /c/count?tag=o13"]
--- error_code eval: [502, 200]
--- response_body_like eval
[$main::Unknown, main::count("a=1")]



=== TEST 14: another protocol
--- request eval
["GET /pair/magic?tag=o14", "GET /c/count?tag=o14"]
--- error_code eval: [502, 200]
--- response_body_like eval
[$main::Unknown, main::count("a=1")]



=== TEST 15: a meta length over the maximum
--- request eval
["GET /pair/metalong?tag=o15", "GET /c/count?tag=o15"]
--- error_code eval: [502, 200]
--- response_body_like eval
[$main::Unknown, main::count("a=1")]



=== TEST 16: a body length over the maximum
--- request eval
["GET /pair/bodylong?tag=o16", "GET /c/count?tag=o16"]
--- error_code eval: [502, 200]
--- response_body_like eval
[$main::Unknown, main::count("a=1")]



=== TEST 17: the answer to another call
--- request eval
["GET /pair/other?tag=o17", "GET /c/count?tag=o17"]
--- error_code eval: [502, 200]
--- response_body_like eval
[$main::Unknown, main::count("a=1")]



=== TEST 18: a status that is none
--- request eval
["GET /pair/status?tag=o18", "GET /c/count?tag=o18"]
--- error_code eval: [502, 200]
--- response_body_like eval
[$main::Unknown, main::count("a=1")]



=== TEST 19: a control character where a header would be
--- request eval
["GET /pair/control?tag=o19", "GET /c/count?tag=o19"]
--- error_code eval: [502, 200]
--- response_body_like eval
[$main::Unknown, main::count("a=1")]



=== TEST 20: a field that must be known
--- request eval
["GET /pair/field?tag=o20", "GET /c/count?tag=o20"]
--- error_code eval: [502, 200]
--- response_body_like eval
[$main::Unknown, main::count("a=1")]



=== TEST 21: a frame that answers nothing
--- request eval
["GET /pair/pong?tag=o21", "GET /c/count?tag=o21"]
--- error_code eval: [502, 200]
--- response_body_like eval
[$main::Unknown, main::count("a=1")]



=== TEST 22: busy here, taken there: two arrivals, one execution, the second says so
--- request eval
["POST /pair/busya?tag=o22\nhello", "GET /c/count?tag=o22"]
--- response_body_like eval
[qr/^worker=b conn=\d+\nattempt=2\n(?s:.*)ms_left=some\nbody=5\n$/, main::count("a=1 b=1")]



=== TEST 23: busy does not cost the connection, nor the worker its turn
--- pipelined_requests eval
["GET /pair/keep", "GET /pair/busya", "GET /pair/keep"]
--- response_body_like eval
[qr/^worker=a conn=1\n/, qr/^worker=b conn=1\n/, qr/^worker=a conn=3\n/]



=== TEST 24: a worker that is not there: the next one, nothing had been sent
--- request eval
["POST /next/x?tag=o24\nhello", "GET /c/count?tag=o24"]
--- response_body_like eval
[qr/^worker=a conn=\d+\nattempt=1\n/, main::count("a=1")]



=== TEST 25: a kept connection that dies under its second call: one arrival
--- pipelined_requests eval
["GET /w/second?tag=o25", "GET /w/second?tag=o25", "GET /c/count?tag=o25"]
--- error_code eval: [200, 502, 200]
--- response_body_like eval
[qr/^worker=a conn=1\n/, $main::Unknown, main::count("a=2")]



=== TEST 26: an error page never sends it again
--- config
    location /pair/ { payhub_pass payhub_pair; error_page 502 504 = @again; }
    location @again { payhub_pass payhub_workers; }
    location /c/ { payhub_pass payhub_workers; }
--- request eval
["GET /pair/close?tag=o26", "GET /c/count?tag=o26"]
--- error_code eval: [502, 200]
--- response_body_like eval
[$main::Unknown, main::count("a=1")]



=== TEST 27: an error page may send what was never sent
--- config
    location /down/ { payhub_pass payhub_down; error_page 502 = @other; }
    location @other { payhub_pass payhub_workers; }
    location /c/ { payhub_pass payhub_workers; }
--- request eval
["POST /down/x?tag=o27\nhello", "GET /c/count?tag=o27"]
--- error_code eval: [200, 200]
--- response_body_like eval
[qr/^worker=a (?s:.*)body=5\n$/, main::count("a=1")]



=== TEST 28: Retry-After and what happened, when no worker is there
--- request
GET /down/readyz
--- error_code: 503
--- response_headers
Retry-After: 1
Content-Type: application/problem+json
--- response_body_like: "detail":"no worker took the call, nothing was executed"



=== TEST 29: Retry-After when all are busy
--- request
GET /w/busy
--- error_code: 503
--- response_headers
Retry-After: 1
Content-Type: application/problem+json
--- response_body_like: "detail":"every worker is busy



=== TEST 30: an error page of the user gets the true status
--- config
    location /down/ { payhub_pass payhub_down; error_page 502 /page; }
    location = /page { return 200 "sorry\n"; }
--- request
GET /down/x
--- error_code: 503
--- response_body
sorry



=== TEST 31: the access log has the true status
--- http_config eval
main::http_config() . "log_format st '\$uri=\$status \$payhub_verify';"
--- config
    location /down/ { payhub_pass payhub_down; access_log logs/error.log st; }
--- request
GET /down/x
--- error_code: 503
--- error_log
/down/x=503 off



=== TEST 32: and the log says so
--- config
    location /pair/ { payhub_pass payhub_pair; error_page 502 504 = @again; }
    location @again { payhub_pass payhub_workers; }
--- request
GET /pair/close
--- error_code: 502
--- error_log
what may have happened is not sent again



=== TEST 33: no header of an answer that is not taken
--- request
GET /pair/control
--- error_code: 502
--- response_body_like eval: $main::Unknown
--- raw_response_headers_unlike: Retry-After|Allow|X-Evil



=== TEST 34: an error page that is not there does not turn unknown into 404
--- config
    location /pair/ { payhub_pass payhub_pair; error_page 502 504 /50x.html; }
    location = /50x.html { root $TEST_NGINX_PAYHUB_DIR; }
--- request
POST /pair/close
hello
--- error_code: 502
--- response_body_like: "status":502,(?s:.*)"code":"PH-A305"



=== TEST 35: nor does one that asks for a signature turn it into 401
--- config
    location /pair/ { payhub_pass payhub_pair; error_page 502 504 = /v/page; }
    location /v/ { payhub_verify payhub-v3; return 200 "page\n"; }
--- request
GET /pair/close
--- error_code: 502
--- response_body_like: "status":502,(?s:.*)"code":"PH-A305"



=== TEST 36: busy, and then nobody there: something was sent, nothing executed
--- http_config eval
main::http_config() . <<'END'
    upstream payhub_a_then_none {
        server unix:$TEST_NGINX_PAYHUB_DIR/a.sock max_fails=0;
        server unix:$TEST_NGINX_PAYHUB_DIR/none.sock max_fails=0 backup;
    }
END
--- config
    location /w/ { payhub_pass payhub_a_then_none; }
--- request
POST /w/busy
hello
--- error_code: 503
--- response_headers
Retry-After: 1
--- response_body_like: "detail":"no worker took the call, nothing was executed"
