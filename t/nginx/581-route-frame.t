# Routing on the way to a worker: candidates in the frame, health out of its
# answers, breakers and caps.
use Test::Nginx::Socket 'no_plan';
use Payhub;

our $nonce = 0;

sub pay {
    my (%set) = @_;
    my %member = (method => '"card"', currency => '"CNY"', amount => 1000, %set);
    return '{' . join(',', map {"\"$_\":$member{$_}"} sort keys %member) . '}';
}

# payments whose answer carries this HEALTH, one a subject
sub told { return map { "POST /v/health\n" . pay(subject => "\"$_\"") } @_ }
sub told_headers { return map { signed('POST', '/v/health', pay(subject => "\"$_\"")) } @_ }

edge_defaults();
add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('http_config', http_config() . 'payhub_zone gate:4m;' . "\n" . ($block->channels
            // 'payhub_channel a channel=x; payhub_channel b channel=y; payhub_channel c channel=z;')
        . "\n" . ($block->route // 'payhub_route default { rule all -> a b c by=priority; }'));
    $block->set_value('config', '
    location /v/ { payhub_verify payhub-v3; payhub_pass payhub_workers;
                   add_header X-Reason $payhub_route_reason always; }
    location /u/ { payhub_pass payhub_workers; }
    location = /r { payhub_route_by default; return 200 "$payhub_route_reason\n"; }')
        if !defined $block->config;
});
run_tests();

__DATA__

=== TEST 1: candidates in order, reason and view
--- request eval
"POST /v/call\n" . main::pay()
--- more_headers eval
main::signed("POST", "/v/call", main::pay())
--- response_headers
X-Reason: rule=all by=priority a at=10
--- response_body_like: (?s)\ncandidate=a b c\n.*\nroute_reason=rule=all by=priority a at=10\nroute_view=chosen card CNY 1000\n



=== TEST 2: at most eight candidates
--- channels eval
CORE::join '', map {"payhub_channel a$_ channel=x;"} 1 .. 12
--- route: payhub_route default { rule all -> any by=priority; }
--- request eval
"POST /v/call\n" . main::pay()
--- more_headers eval
main::signed("POST", "/v/call", main::pay())
--- response_body_like: \ncandidate=a1 a2 a3 a4 a5 a6 a7 a8\n



=== TEST 3: nothing of it without a rule for it, without a method, with an unclear body
--- route: payhub_route default { rule bars method=bar -> a; }
--- request eval
["POST /v/call\n" . main::pay(), "POST /v/call\n" . '{"a":1}', "POST /v/call\n" . '{"method":"b\u0061r"}',
 "POST /v/call\n" . main::pay(account => '"z"', method => '"bar"')]
--- more_headers eval
[map { main::signed("POST", "/v/call", $_) } main::pay(), '{"a":1}', '{"method":"b\u0061r"}',
 main::pay(account => '"z"', method => '"bar"')]
--- response_body_like eval
['(?s)\A(?!.*candidate).*\nroute_view=free card CNY 1000\n', '(?s)\A(?!.*(?:candidate|route_))',
 '(?s)\A(?!.*candidate).*\nroute_view=unclear - - -\n', '(?s)\ncandidate=z\n.*\nroute_view=forced bar CNY 1000\n']



=== TEST 4: no route at all: the frame is as it was
--- route: payhub_route other { rule all -> a; }
--- request eval
"POST /v/call\n" . main::pay()
--- more_headers eval
main::signed("POST", "/v/call", main::pay())
--- response_body_like: (?s)\A(?!.*(?:candidate|route_))



=== TEST 5: no account known: the worker chooses, nothing is refused
--- channels:
--- config
    location /v/ { payhub_verify payhub-v3; payhub_pass payhub_workers; }
    location = /r { payhub_route_by default; return 200 "reason=$payhub_route_reason\n"; }
--- route: payhub_route default { rule all -> any; }
--- request eval
["POST /v/call\n" . main::pay(), "POST /r\n" . main::pay()]
--- more_headers eval
[main::signed("POST", "/v/call", main::pay()), ""]
--- response_body_like eval
['(?s)\A(?!.*(?:candidate|route_))', '^reason=$']



=== TEST 6: an unverified call is not routed
--- request eval
"POST /u/call\n" . main::pay()
--- response_body_like: (?s)\A(?!.*(?:candidate|route_))



=== TEST 7: every account out: the worker is told, and looks first
--- channels: payhub_channel a channel=x drained;
--- route: payhub_route default { rule all -> a; }
--- request eval
"POST /v/call\n" . main::pay()
--- more_headers eval
main::signed("POST", "/v/call", main::pay())
--- response_body_like: (?s)\A(?!.*candidate).*\nroute_reason=rule=all drained=a\nroute_view=out card CNY 1000\n



=== TEST 8: bad calls open the breaker; it closes after good probes
--- channels: payhub_channel a8 channel=x breaker=50%/4/1s/2; payhub_channel b8 channel=y;
--- route: payhub_route default { rule all -> a8 b8 by=priority; }
--- config
    location /v/ { payhub_verify payhub-v3; payhub_pass payhub_workers; }
    location = /r { payhub_route_by default; return 200 "$payhub_route_reason\n"; }
--- request eval
[main::told("a8:failed:1 a8:unknown:2 a8:not_sent:3", "a8:channel_error:1"), "POST /r\n" . main::pay(),
 main::told("b8:succeeded:1")]
--- more_headers eval
[main::told_headers("a8:failed:1 a8:unknown:2 a8:not_sent:3", "a8:channel_error:1"), "",
 main::told_headers("b8:succeeded:1")]
--- response_body eval
["a8 b8\n", "a8 b8\n", "rule=all by=priority b8 at=10 breaker_open=a8\n", "b8\n"]



=== TEST 9: breaker=off
--- channels: payhub_channel a9 channel=x breaker=off;
--- route: payhub_route default { rule all -> a9; }
--- request eval
[main::told(("a9:unknown:1 a9:unknown:1 a9:unknown:1 a9:unknown:1") x 8)]
--- more_headers eval
[main::told_headers(("a9:unknown:1 a9:unknown:1 a9:unknown:1 a9:unknown:1") x 8)]
--- response_body eval
[("a9\n") x 8]



=== TEST 10: fewer calls than count, and good ones, open nothing
--- channels: payhub_channel a10 channel=x;
--- route: payhub_route default { rule all -> a10; }
--- request eval
[main::told("a10:unknown:1", ("a10:unknown:1 a10:unknown:1 a10:unknown:1") x 6)]
--- more_headers eval
[main::told_headers("a10:unknown:1", ("a10:unknown:1 a10:unknown:1 a10:unknown:1") x 6)]
--- response_body eval
[("a10\n") x 7]



=== TEST 11: refused payments open nothing
--- channels: payhub_channel a14 channel=x;
--- route: payhub_route default { rule all -> a14; }
--- request eval
[main::told(("a14:failed:1 a14:failed:1 a14:failed:1 a14:failed:1") x 8)]
--- more_headers eval
[main::told_headers(("a14:failed:1 a14:failed:1 a14:failed:1 a14:failed:1") x 8)]
--- response_body eval
[("a14\n") x 8]



=== TEST 12: malformed health is passed over
--- channels: payhub_channel a11 channel=x breaker=1%/1/59m/1;
--- route: payhub_route default { rule all -> a11; }
--- request eval
[main::told("a11", "a11:unknown", "a11:late:1", "a11:unknown:x", "a11:unknown:-1", "zed:unknown:1", ":unknown:1",
            "  ", "a11:unknown:1:1", "a11:unknown:99999999999999999999"), main::told("a11:unknown:1"), "POST /r\n" . main::pay()]
--- more_headers eval
[main::told_headers("a11", "a11:unknown", "a11:late:1", "a11:unknown:x", "a11:unknown:-1", "zed:unknown:1", ":unknown:1",
            "  ", "a11:unknown:1:1", "a11:unknown:99999999999999999999"), main::told_headers("a11:unknown:1"), ""]
--- error_code eval: [(200) x 11, 503]
--- response_body_like eval
[('^a11$') x 11, '"code":"PH-A304"']



=== TEST 13: success preference follows what workers tell
--- channels: payhub_channel a12 channel=x breaker=off; payhub_channel b12 channel=y breaker=off;
--- route: payhub_route default { rule all -> a12 b12 by=success; }
--- request eval
[main::told("a12:failed:1 a12:failed:1"), main::told("b12:succeeded:1 b12:succeeded:1"), "POST /r\n" . main::pay()]
--- more_headers eval
[main::told_headers("a12:failed:1 a12:failed:1"), main::told_headers("b12:succeeded:1 b12:succeeded:1"), ""]
--- response_body eval
["a12 b12\n", "b12 a12\n", "rule=all by=success b12 91.6666% of 2\n"]



=== TEST 14: a cap holds while a call is out, and frees with its end
--- channels: payhub_channel a13 channel=x inflight=1; payhub_channel b13 channel=y;
--- route: payhub_route default { rule all -> a13 b13 by=priority; }
--- config
    location = /outer { payhub_route_by default; proxy_set_header Connection close;
                        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/r; }
    location = /r { payhub_route_by default; return 200 "$payhub_route_reason\n"; }
--- request eval
["POST /outer\n" . main::pay(), "POST /r\n" . main::pay(), "POST /outer\n" . main::pay()]
--- response_body eval
["rule=all by=priority b13 at=10 full=a13\n", "rule=all by=priority a13 at=10\n",
 "rule=all by=priority b13 at=10 full=a13\n"]
