# Limits by address come before the proof, limits by identity behind it: no
# token of an identity is taken for a claim that is not proven.
use Test::Nginx::Socket 'no_plan';
use Payhub;

sub zones {
    my (@lines) = @_;

    return http_config() . join '', map {"    payhub_limit_zone $_;\n"} @lines;
}

# Header lines for a signed request each; "" asks for one without a signature.
sub each_signed {
    my ($method, $target, $body, @keys) = @_;

    return [map { $_ ? signed($method, $target, $body, key_id => $_) : '' } @keys];
}

repeat_each(1);
edge_defaults();
run_tests();

__DATA__

=== TEST 1: the address is asked before the signature
--- http_config eval
main::zones('i1:64k key=address rate=1/h burst=1ms')
--- config
    location = /t { payhub_limit i1; payhub_verify payhub-v3; return 204; }
--- request eval
["GET /t", "GET /t"]
--- error_code eval: [401, 429]
--- response_headers eval
['RateLimit: "i1";r=0;t=3600', 'Retry-After: 3600']



=== TEST 2: a refusal by address wins over a good signature
--- http_config eval
main::zones('i2:64k key=address rate=1/h burst=1ms')
--- config
    location = /t { payhub_limit i2; payhub_verify payhub-v3; return 204; }
--- request eval
["GET /t", "GET /t"]
--- more_headers eval: main::each_signed("GET", "/t", "", "k1", "k1")
--- error_code eval: [204, 429]



=== TEST 3: an app's tokens, whatever strangers claim
--- http_config eval
main::zones('i3:64k key=app rate=1/h burst=1')
--- config
    location = /t { payhub_limit i3; payhub_verify payhub-v3; return 200 "$payhub_limit"; }
--- request eval
["GET /t", "GET /t", "GET /t", "GET /t", "GET /t", "GET /t"]
--- more_headers eval
[
    main::signed("GET", "/t", "", signature => "A" x 43 . "="), main::signed("GET", "/t"),
    main::signed("GET", "/t", "", signature => "A" x 43 . "="), main::signed("GET", "/t"),
    main::signed("GET", "/t"), main::signed("GET", "/t", "", key_id => "k2"),
]
--- error_code eval: [401, 200, 401, 200, 429, 200]
--- response_headers eval
['! RateLimit', 'RateLimit: "i3";r=1;t=3600', '! RateLimit', 'RateLimit: "i3";r=0;t=7200',
    'RateLimit: "i3";r=0;t=3600', 'RateLimit: "i3";r=1;t=3600']



=== TEST 4: by key, merchant and variables of them
--- http_config eval
main::zones('i4k:64k key=key rate=1/h burst=9', 'i4m:64k key=merchant rate=1/h burst=9',
    'i4v:64k key=$payhub_app-$uri rate=1/h burst=9')
--- config
    location = /t {
        payhub_limit i4v; payhub_limit i4m cost=2; payhub_limit i4k cost=3;
        payhub_verify payhub-v3; return 204;
    }
--- request eval
["GET /t", "GET /t", "GET /t"]
--- more_headers eval: main::each_signed("GET", "/t", "", "k1", "k2", "k1")
--- error_code eval: [204, 204, 204]
--- response_headers eval
[
    'RateLimit: "i4v";r=9;t=3600, "i4m";r=8;t=7200, "i4k";r=7;t=10800',
    'RateLimit: "i4v";r=9;t=3600, "i4m";r=8;t=7200, "i4k";r=7;t=10800',
    'RateLimit: "i4v";r=8;t=7200, "i4m";r=6;t=14400, "i4k";r=4;t=21600',
]



=== TEST 5: both stages are told of, the address first
--- http_config eval
main::zones('i5a:64k key=app rate=1/h burst=1ms', 'i5b:64k key=address rate=1/h burst=9')
--- config
    location = /t { payhub_limit i5a; payhub_limit i5b; payhub_verify payhub-v3; return 204; }
--- request eval
["GET /t", "GET /t"]
--- more_headers eval: main::each_signed("GET", "/t", "", "k1", "k1")
--- error_code eval: [204, 429]
--- response_headers_like eval
[
    'RateLimit: "i5b";r=9;t=3600, "i5a";r=0;t=3600',
    qq[RateLimit: "i5b";r=8;t=7200, "i5a";r=0;t=3600\nRetry-After: 3600],
]



=== TEST 6: by payment method, read from the body
--- http_config eval
main::zones('i6:64k key=method rate=1/h burst=1ms')
--- config
    location = /t { payhub_limit i6; payhub_verify payhub-v3; return 200 "$payhub_limit"; }
--- request eval
[
    qq[POST /t\n{"method":"alipay_qr","amount":1}], qq[POST /t\n{"amount":2,"method":"alipay_qr"}],
    qq[POST /t\n{"method":"wechat_native"}], qq[POST /t\n{"amount":1}],
]
--- more_headers eval
[
    main::signed("POST", "/t", '{"method":"alipay_qr","amount":1}'),
    main::signed("POST", "/t", '{"amount":2,"method":"alipay_qr"}'),
    main::signed("POST", "/t", '{"method":"wechat_native"}'),
    main::signed("POST", "/t", '{"amount":1}'),
]
--- error_code eval: [200, 429, 200, 200]
--- response_body_like eval
["^granted\$", "PH-A303", "^granted\$", "^\$"]



=== TEST 7: a method in two spellings, or none that can be read, escapes no limit
--- http_config eval
main::zones('i7:64k key=method rate=1/h burst=1ms')
--- config
    location = /t { payhub_limit i7; payhub_verify payhub-v3; return 204; }
--- request eval
[
    qq[POST /t\n{"method":"alipay\\u005fqr"}], qq[POST /t\n{"method":"a","method":"b"}],
    qq[POST /t\n{"method":7}], qq[POST /t\nnot json],
]
--- more_headers eval
[
    main::signed("POST", "/t", '{"method":"alipay\u005fqr"}'),
    main::signed("POST", "/t", '{"method":"a","method":"b"}'),
    main::signed("POST", "/t", '{"method":7}'), main::signed("POST", "/t", 'not json'),
]
--- error_code eval: [204, 429, 429, 429]



=== TEST 8: an identity limit waits behind the body, and the worker is called
--- http_config eval
main::zones('i8:64k key=app rate=5/s burst=1ms')
--- config
    location /w/ { payhub_limit i8 wait=2s; payhub_verify payhub-v3; payhub_pass payhub_workers; }
--- request eval
["POST /w/md5\nhello", "POST /w/md5\nhello"]
--- more_headers eval: main::each_signed("POST", "/w/md5", "hello", "k1", "k1")
--- error_code eval: [200, 200]
--- response_body_like eval: ["^5 2cf24dba", "^5 2cf24dba"]
--- response_headers_like eval
['RateLimit: "i8";r=0;t=1', 'RateLimit: "i8";r=0;t=1']



=== TEST 9: a refusal does not reach the worker
--- http_config eval
main::zones('i9:64k key=app rate=1/h burst=1ms')
--- config
    location /w/ { payhub_limit i9; payhub_verify payhub-v3; payhub_pass payhub_workers; }
--- request eval
["GET /w/call", "GET /w/call"]
--- more_headers eval: main::each_signed("GET", "/w/call", "", "k1", "k1")
--- error_code eval: [200, 429]
--- response_body_like eval
["key_id=k1", "PH-A303"]



=== TEST 10: limits and proof once, whatever pages and redirects follow
--- http_config eval
main::zones('i10a:64k key=app rate=1/h burst=9', 'i10b:64k key=address rate=1/h burst=9')
--- config
    payhub_verify payhub-v3;
    payhub_limit i10a;
    payhub_limit i10b;
    error_page 404 = /w/page;
    location /v/ { root $TEST_NGINX_PAYHUB_DIR; }
    location /w/ { payhub_pass payhub_workers; }
--- request
GET /v/nothing
--- more_headers eval: main::signed("GET", "/v/nothing")
--- error_code: 200
--- response_headers
RateLimit: "i10b";r=9;t=3600, "i10a";r=9;t=3600



=== TEST 11: a limit by channel is asked behind routing; without a channel it is no limit
--- http_config eval
main::zones('i11:64k key=channel rate=1/h burst=1ms')
--- config
    location = /t { payhub_limit i11; return 200 "[$payhub_limit]"; }
--- request eval
["GET /t", "GET /t"]
--- error_code eval: [200, 200]
--- response_body eval
["[]", "[]"]
