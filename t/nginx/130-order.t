# Who refuses first: verification runs before "return", limit_req, access rules
# and after realip.
use Test::Nginx::Socket 'no_plan';
use Payhub;

edge_defaults();
run_tests();

__DATA__

=== TEST 1: before return
--- config
    location /v/ { payhub_verify payhub-v3; return 200 "in\n"; }
--- request
GET /v/a
--- error_code: 401



=== TEST 2: before limit_req
--- http_config eval
main::http_config() . "limit_req_zone \$server_name zone=z:64k rate=1r/m;"
--- config
    location /v/ { payhub_verify payhub-v3; limit_req zone=z; root $TEST_NGINX_PAYHUB_DIR; }
--- request eval
["GET /v/a", "GET /v/a"]
--- error_code eval: [401, 401]



=== TEST 3: before deny
--- config
    location /v/ { payhub_verify payhub-v3; deny all; root $TEST_NGINX_PAYHUB_DIR; }
--- request
GET /v/a
--- error_code: 401



=== TEST 4: deny still holds for who is verified
--- config
    location /v/ { payhub_verify payhub-v3; deny all; root $TEST_NGINX_PAYHUB_DIR; }
--- more_headers eval: main::signed("GET", "/v/a")
--- request
GET /v/a
--- error_code: 403
--- response_body_like: "code":"PH-A103"



=== TEST 5: after realip, whose address the worker is told
--- config
    set_real_ip_from 127.0.0.1;
    real_ip_header X-Real-IP;
    location /w/ { payhub_pass payhub_workers; }
--- more_headers
X-Real-IP: 203.0.113.7
--- request
GET /w/call
--- response_body_like: client_addr=203\.0\.113\.7\n
