# Routing and signing see the same bytes: raw paths that nginx would decode or
# merge are 404, but only after the signature is proven.
use Test::Nginx::Socket 'no_plan';
use Payhub;

edge_defaults();
add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', '
    location / { payhub_verify payhub-v3; return 200 "in $request_uri\n"; }');
});
no_root_location();
run_tests();

__DATA__

=== TEST 1: a plain path
--- raw_request eval
Payhub::raw("GET", q(/v/a))
--- error_code: 200
--- response_body
in /v/a



=== TEST 2: the root
--- raw_request eval
Payhub::raw("GET", q(/))
--- error_code: 200
--- response_body
in /



=== TEST 3: a slash at the end
--- raw_request eval
Payhub::raw("GET", q(/v/))
--- error_code: 200
--- response_body
in /v/



=== TEST 4: dots that are no segment
--- raw_request eval
Payhub::raw("GET", q(/v/a..b/.c/d./...))
--- error_code: 200
--- response_body
in /v/a..b/.c/d./...



=== TEST 5: anything in the query
--- raw_request eval
Payhub::raw("GET", q(/v/a?x=%2F//;../\\))
--- error_code: 200
--- response_body
in /v/a?x=%2F//;../\



=== TEST 6: percent
--- raw_request eval
Payhub::raw("GET", q(/v/%61))
--- error_code: 404
--- response_body_like: "code":"PH-A207"



=== TEST 7: percent at the end
--- raw_request eval
Payhub::raw("GET", q(/v/a%20))
--- error_code: 404
--- response_body_like: "code":"PH-A207"



=== TEST 8: semicolon
--- raw_request eval
Payhub::raw("GET", q(/v/a;b=1))
--- error_code: 404
--- response_body_like: "code":"PH-A207"



=== TEST 9: backslash
--- raw_request eval
Payhub::raw("GET", q(/v/a\\b))
--- error_code: 404
--- response_body_like: "code":"PH-A207"



=== TEST 10: two slashes
--- raw_request eval
Payhub::raw("GET", q(/v//a))
--- error_code: 404
--- response_body_like: "code":"PH-A207"



=== TEST 11: two slashes at the start
--- raw_request eval
Payhub::raw("GET", q(//v/a))
--- error_code: 404
--- response_body_like: "code":"PH-A207"



=== TEST 12: a dot segment
--- raw_request eval
Payhub::raw("GET", q(/v/./a))
--- error_code: 404
--- response_body_like: "code":"PH-A207"



=== TEST 13: a dot segment at the end
--- raw_request eval
Payhub::raw("GET", q(/v/.))
--- error_code: 404
--- response_body_like: "code":"PH-A207"



=== TEST 14: two dots
--- raw_request eval
Payhub::raw("GET", q(/v/x/../a))
--- error_code: 404
--- response_body_like: "code":"PH-A207"



=== TEST 15: two dots at the end
--- raw_request eval
Payhub::raw("GET", q(/v/x/..))
--- error_code: 404
--- response_body_like: "code":"PH-A207"



=== TEST 16: a dot segment before the query
--- raw_request eval
Payhub::raw("GET", q(/v/.?a))
--- error_code: 404
--- response_body_like: "code":"PH-A207"



=== TEST 17: the same without a signature is 401: nothing is told about paths
--- raw_request eval
Payhub::raw("GET", "/v//a", "", headers => "X-A: b")
--- error_code: 401
--- response_body_like: "code":"PH-A101"
