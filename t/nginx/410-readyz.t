# /readyz of the shipped locations when no worker answers: 503 and why, never
# the 502 of a call whose outcome matters.
use Test::Nginx::Socket 'no_plan';
use Payhub;

edge_defaults();
add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', 'include $TEST_NGINX_PAYHUB_ROOT/lua-free-config/payhub-locations.conf;');
    $block->set_value('http_config', ($block->http_config // http_config())
            . CORE::join '', map {"payhub_limit_zone payhub_$_:1m key=address rate=1000/s burst=1s;\n"}
            qw(address app notice));
});
run_tests();

__DATA__

=== TEST 1: a worker answers
--- request
GET /readyz
--- response_body_like: target=/readyz\n



=== TEST 2: nobody listens
--- http_config eval
main::key_lines() . 'upstream payhub_workers { server unix:$TEST_NGINX_PAYHUB_DIR/none.sock; }'
--- request
GET /readyz
--- error_code: 503
--- response_headers
Content-Type: application/problem+json
Retry-After: 1
--- response_headers_like
X-Request-Id: [0-9a-f]{32}
--- response_body_like: "status":503,"detail":"no worker answered","code":"PH-A306","request_id":"[0-9a-f]{32}"



=== TEST 3: a worker that is too slow
--- request
GET /readyz?late
--- error_code: 503
--- response_body_like: "code":"PH-A306"
--- timeout: 10



=== TEST 4: nobody listens: healthz does not mind, a call is not executed
--- http_config eval
main::key_lines() . 'upstream payhub_workers { server unix:$TEST_NGINX_PAYHUB_DIR/none.sock; }'
--- request eval
["GET /healthz", "POST /notify/sandbox/a\nx"]
--- error_code eval: [200, 503]
--- response_body_like eval
[qr/^ok$/, qr/"code":"PH-A304"/]
