# payhub_status: the same tree in every form, over any method but GET and HEAD
# refused, and a page that may run nothing but its own script.
use Test::Nginx::Socket 'no_plan';
use Payhub;

edge_defaults();
repeat_each(1);
run_tests();

__DATA__

=== TEST 1: JSON without a zone: what nginx.conf alone gives
--- config
    location = /s { payhub_status; }
--- request
GET /s
--- response_headers
Content-Type: application/json
Cache-Control: no-store
--- response_body_like: (?s)"payhub": "\d[^"]*".*"counters": \{.*"requests": \d+.*"limits": \[\]



=== TEST 2: HEAD has the headers and no body
--- config
    location = /s { payhub_status json; }
--- request
HEAD /s
--- response_headers_like
Content-Length: \d{3,}
--- response_body



=== TEST 3: no other method
--- config
    location = /s { payhub_status; }
--- request
POST /s
x
--- error_code: 405



=== TEST 4: sums of verification
--- http_config eval
main::http_config() . "payhub_zone ph:8m;"
--- config
    location = /s { payhub_status prometheus; }
    location /v/ { payhub_verify payhub-v3; return 204; }
--- request eval
["GET /v/a", "GET /v/a", "GET /s"]
--- more_headers eval
["", main::signed("GET", "/v/a"), ""]
--- error_code eval: [401, 204, 200]
--- response_body_like eval
["PH-A101", "^\$", qr/(?s)payhub_edge_verify_total\{result="ok"\} 1\n.*payhub_edge_verify_total\{result="refused"\} 1\n/]



=== TEST 5: each metric has one HELP and one TYPE
--- http_config eval
main::http_config() . "payhub_zone ph:8m; payhub_limit_zone a:64k key=address rate=10/s burst=5;"
--- config
    location = /s { payhub_status prometheus; }
--- request
GET /s
--- response_headers
Content-Type: text/plain; version=0.0.4; charset=utf-8
--- response_body_like: (?s)\A(?!.*# TYPE (\S+) .*# TYPE \1 ).*payhub_edge_limit_cells\{limit="a"\} [1-9]



=== TEST 6: Open-Falcon's push form
--- http_config eval
main::http_config() . "payhub_zone ph:8m;"
--- config
    location = /s { payhub_status falcon; }
--- request
GET /s
--- response_headers
Content-Type: application/json
--- response_body_like: (?s)\A\[\{"endpoint":"[^"]+","metric":"payhub\.edge\.requests","timestamp":\d+,"step":10,"value":\d+,"counterType":"COUNTER","tags":""\},.*"tags":"result=ok"



=== TEST 7: a page whose policy names its own script and style
--- config
    location = /s { payhub_status html; }
--- request
GET /s
--- response_headers_like
Content-Type: text/html; charset=utf-8
Content-Security-Policy: default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; script-src 'sha256-[A-Za-z0-9+/]{43}='
--- response_body_like: (?s)\A<!doctype html>.*EventSource.*</html>\n\z



=== TEST 8: another form by ?as=
--- config
    location = /s { payhub_status html; }
--- request eval
["GET /s?as=json", "GET /s?as=nothing", "GET /s?as=history&step=60&last=5"]
--- error_code eval: [200, 400, 200]
--- response_body_like eval
['"counters"', '', '\A\{"step":60,"to":0,"series":\{\}\}']



=== TEST 9: one line more than a block takes
--- config
    location = /s { payhub_status; payhub_status html; }
--- must_die
--- error_log eval
[
    q[PH-C107 payhub_status: found it twice],
]



=== TEST 10: an unknown form
--- config
    location = /s { payhub_status xml; }
--- must_die
--- error_log eval
[
    q[PH-C107 payhub_status: found "xml", expected json, prometheus, falcon, events or html],
]



=== TEST 11: a life out of bounds
--- config
    location = /s { payhub_status events life=2d; }
--- must_die
--- error_log eval
[
    q[PH-C107 payhub_status: found "life=2d", expected life= once, 1s to 1d],
]



=== TEST 12: beside another handler, whichever comes first
--- config
    location = /s { empty_gif; payhub_status; }
--- must_die
--- error_log: PH-C107 payhub_status: found another content handler in this location, expected it alone



=== TEST 13: a stream is no subrequest's, which would never end
--- config
    location = /s { payhub_status events; }
    location = /sub { auth_request /s; empty_gif; }
--- request
GET /sub
--- error_code: 403



=== TEST 14: a limit as payhub_control shows it, its key in whatever encoding, and its last second
--- http_config eval
main::http_config() . "payhub_zone ph:8m; payhub_limit_zone a:64k key=\xff\$arg_a rate=90/m burst=2s;"
--- config
    location = /s { payhub_status; }
--- request
GET /s
--- response_body_like: (?s)"limits": \[\s*\{\s*"name": "a",\s*"key": "\?",.*"base": \{\s*"rate": "90/m",\s*"burst": "2s".*"live": false,\s*"per_second": 1\.5,.*"denied_1s": 0
