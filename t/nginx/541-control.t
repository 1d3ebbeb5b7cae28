# payhub_control: who may, what it takes, what it refuses, what holds after.
use Test::Nginx::Socket 'no_plan';
use Payhub;

# each block has a zone of its own, also under --hup
my $n = 0;

edge_defaults();
add_block_preprocessor(sub {
    my ($block) = @_;

    $n++;
    my $path = payhub_dir() . "/control-$$.sock";
    my $zone = defined $block->no_zone ? '' : "payhub_zone z541_$n:4m;";
    $block->set_value('http_config', key_lines() . <<"END") if !$block->own;
    $zone
    payhub_limit_zone l541_$n:1m key=address rate=100/s burst=100;
    server {
        listen unix:$path;
        location / { payhub_control; }
    }
END
    $block->set_value('config', <<"END");
    location = /control { proxy_pass http://unix:$path:/; }
    location = /tcp { payhub_control; }
    location = /signed { payhub_verify payhub-v3; payhub_control; }
    location = /sub { auth_request /tcp; proxy_pass http://unix:$path:/; }
    location = /k1 { payhub_verify payhub-v3; return 204; }
END
});
no_shuffle();
run_tests();

__DATA__

=== TEST 1: the unix socket
--- request
GET /control
--- error_code: 200
--- response_headers
Content-Type: application/json
Cache-Control: no-store
--- response_body_like: ^\{"generation":0,"born":\d+,"processes":\[\{"slot":\d+,"pid":\d+,"generation":0,"configuration":\d+\}.*"changes":\[\],"limits":\[.*"state":\{"changes":\{"start":"off"



=== TEST 2: TCP
--- request
GET /tcp
--- error_code: 403
--- response_headers
Content-Type: application/problem+json
--- response_body_like: "code":"PH-A103"



=== TEST 3: TCP, somebody else's key
--- more_headers eval: main::signed("GET", "/signed", "", key_id => "k1")
--- request
GET /signed
--- error_code: 403
--- response_body_like: "code":"PH-A103"



=== TEST 4: TCP, a key with the role admin
--- more_headers eval: main::signed("GET", "/signed", "", key_id => "k2")
--- request
GET /signed
--- error_code: 200
--- response_body_like: ^\{"generation":0,



=== TEST 5: TCP, no signature
--- request
GET /signed
--- error_code: 401



=== TEST 6: a subrequest
--- request
GET /sub
--- error_code: 403



=== TEST 7: a method that is none
--- request
PUT /control
{}
--- error_code: 405
--- response_headers
Allow: GET, HEAD, POST, DELETE
--- response_body_like: "code":"PH-A208"



=== TEST 8: HEAD
--- request
HEAD /control
--- error_code: 200
--- response_body:



=== TEST 9: a key is revoked, at once, and comes back
--- request eval
["POST /control\n" . '{"kind":"key","id":"k1","revoked":true}', "GET /control",
 "DELETE /control\n" . '{"kind":"key","id":"k1"}', "GET /control"]
--- response_body_like eval
[qr/^\{"generation":\d+\}$/, qr/"changes":\[\{"kind":"key","id":"k1","revoked":true,"base":"-","by":"unix:\d+","at":\d+,"gen":\d+\}\]/,
 qr/^\{"generation":\d+\}$/, qr/^\{"generation":\d+,.*"changes":\[\]/]



=== TEST 10: a later change takes the place of an earlier one; what is told is who
--- more_headers eval: main::signed("POST", "/signed", '[{"kind":"key","id":"kx","revoked":true},{"kind":"key","id":"kx","revoked":true}]', key_id => "k2")
--- request eval
["POST /signed\n" . '[{"kind":"key","id":"kx","revoked":true},{"kind":"key","id":"kx","revoked":true}]', "GET /control",
 "DELETE /control\n" . '{"kind":"key","id":"kx"}', "GET /control"]
--- response_body_like eval
[qr/^\{"generation":\d+\}$/, qr/"changes":\[\{"kind":"key","id":"kx","revoked":true,"base":"-","by":"key:k2","at":\d+,"gen":\d+\}\]/,
 qr/^\{"generation":\d+\}$/, qr/"changes":\[\]/]



=== TEST 11: all or none
--- request eval
["POST /control\n" . '[{"kind":"key","id":"ka","revoked":true},{"kind":"key","id":"k b","revoked":true}]', "GET /control"]
--- error_code eval: [422, 200]
--- response_body_like eval
[qr{"detail":"/1: found id \\"k b\\", expected 1 to \d+ of}, qr/^\{"generation":\d+,.*"changes":\[\]/]



=== TEST 12: what is refused, and where
--- request eval
[map {"POST /control\n$_"}
 '', '{', '{"kind":"key","kind":"key"}', '1', '[]', '[1]', '{}', '{"kind":5}', '{"kind":"keys"}',
 '{"kind":"key"}', '{"kind":"key","id":5,"revoked":true}', '{"kind":"key","id":"a","revoked":1}',
 '{"kind":"key","id":"a","revoked":false}', '{"kind":"key","id":"a"}', '{"kind":"key","id":"a","revoked":true,"rate":"1/s"}',
 '{"kind":"key","id":"a","revoked":true,"by":"me"}', '{"kind":"limit","name":"none","rate":"1/s"}',
 '{"kind":"limit","name":"","rate":"1/s"}', '{"kind":"limit","name":"x","key":5,"rate":"1/s"}',
 '{"kind":"limit","name":"x","until":5,"rate":"1/s"}', '{"kind":"limit","name":"x","times":0,"until":4102444800}',
 '{"kind":"account","id":"a","weight":-1}', '{"kind":"account","id":"a","weight":1.5}', '{"kind":"account","id":"a","drained":"no"}',
 '{"kind":"route","name":"r","rules":[]}', '{"kind":"route","name":"r","rules":"x"}', '{"kind":"key","id":"a","revoked":true,"gen":1}']
--- error_code eval: [(400) x 4, (422) x 23]
--- response_body_like eval
[qr/PH-A202/, qr/PH-A202/, qr/PH-A202.*/, qr/PH-A202/, qr/found \[\], expected 1 to/, qr{/0: found 1, expected an object},
 qr{/0/kind: found none, expected limit, account, route or key}, qr{/0/kind: found 5,}, qr{/0/kind: found \\"keys\\"},
 qr{/0/id: found none, expected which key}, qr{/0/id: found 5, expected a text}, qr{/0/revoked: found 1, expected true or false},
 qr{/0: found no \\"revoked\\":true}, qr{/0: found no}, qr{/0: found a member \\"rate\\"}, qr{/0: found a member \\"by\\"},
 qr{/0: found .*none}, qr{/0/name: found \\"\\", expected a text}, qr{/0/key: found 5, expected null or a text},
 qr{/0/until: found 5, expected unix seconds after now}, qr{/0/times: found 0, expected a number above 0},
 qr{/0/weight: found -1,}, qr{/0/weight: found 1.5,}, qr{/0/drained: found \\"no\\"}, qr{/0/rules: found \[\], expected 1 to 64},
 qr{/0/rules: found \\"x\\"}, qr{/0: found a member \\"gen\\"}]



=== TEST 13: taking away what is not there
--- request
DELETE /control
{"kind":"key","id":"k1"}
--- error_code: 422
--- response_body_like: /0: found no such change, expected one to take away



=== TEST 14: taking away by more than its name
--- request
DELETE /control
{"kind":"key","id":"k1","revoked":true}
--- error_code: 422
--- response_body_like: /0: found a member \\"revoked\\"



=== TEST 15: a long body
--- request eval: "POST /control\n[" . " " x 65536 . "]"
--- error_code: 413
--- response_body_like: PH-A209



=== TEST 16: a body of exactly 64 KiB, read from a file
--- request eval
["POST /control\n[" . " " x (65536 - 41) . '{"kind":"key","id":"k1","revoked":true}]',
 "DELETE /control\n" . '{"kind":"key","id":"k1"}']
--- response_body_like eval
[(qr/^\{"generation":\d+\}$/) x 2]



=== TEST 17: without payhub_zone nothing can be changed, and what is there is shown
--- no_zone
--- request eval
["POST /control\n" . '{"kind":"key","id":"k1","revoked":true}', "GET /control"]
--- error_code eval: [422, 200]
--- response_body_like eval
[qr/found no payhub_zone, expected one in http/, qr/^\{"generation":0,"born":0,"processes":\[\],"changes":\[\]/]



=== TEST 18: explain takes its own members only
--- request eval
["POST /control\n" . '{"explain":{"method":"x"},"rout":"a"}', "POST /control\n" . '{"explain":{"method":"x"}}']
--- error_code eval: [422, 200]
--- response_body_like eval
[qr/expected explain and the texts route, app, merchant/, qr/^\{/]
