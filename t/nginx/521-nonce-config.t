# Every mistake in payhub_nonce stops the start and says what was found and
# what was expected.
use Test::Nginx::Socket 'no_plan';
use Payhub;

edge_defaults();
run_tests();

__DATA__

=== TEST 1: nothing but a word
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce on; return 200; }
--- must_die
--- error_log
PH-C203 payhub_nonce: found "on", expected zone=name:size, cold=accept and ahead=time, each once, or off alone in



=== TEST 2: no zone
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce cold=accept; return 200; }
--- must_die
--- error_log
PH-C203 payhub_nonce: found no zone=name:size, expected one, or off alone in



=== TEST 3: a zone without a size
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=n; return 200; }
--- must_die
--- error_log
PH-C203 payhub_nonce: found "n", expected name:size in



=== TEST 4: a zone without a name
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=:1m; return 200; }
--- must_die
--- error_log
PH-C203 payhub_nonce: found name "", expected 1 to 32 of [A-Za-z0-9_-], not off in



=== TEST 5: a name that is none
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=a.b:1m; return 200; }
--- must_die
--- error_log
PH-C203 payhub_nonce: found name "a.b", expected 1 to 32 of [A-Za-z0-9_-], not off in



=== TEST 6: a name too long
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn:1m; return 200; }
--- must_die
--- error_log
PH-C203 payhub_nonce: found name "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn", expected 1 to 32



=== TEST 7: a size that is none
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=n:much; return 200; }
--- must_die
--- error_log
PH-C203 payhub_nonce: found size "much", expected at least 32k in



=== TEST 8: no size behind the colon
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=n:; return 200; }
--- must_die
--- error_log
PH-C203 payhub_nonce: found size "", expected at least 32k in



=== TEST 9: a size too small
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=n:31k; return 200; }
--- must_die
--- error_log
PH-C203 payhub_nonce: found size "31k", expected at least 32k in



=== TEST 10: the smallest size
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=n:32k; return 200; }
--- more_headers eval: main::signed("GET", "/v/a", "", age => 200)
--- request
GET /v/a
--- error_code: 200



=== TEST 11: two sizes of one zone
--- config
    payhub_verify payhub-v3;
    location /a/ { payhub_nonce zone=n:1m; return 200; }
    location /b/ { payhub_nonce zone=n:2m; return 200; }
--- must_die
--- error_log
PH-C203 payhub_nonce: zone "n": found the size 2097152, expected 1048576 as before in



=== TEST 12: the name of another module's zone
--- http_config eval
main::http_config() . "limit_req_zone \$server_name zone=n:1m rate=1r/s;"
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=n:1m; return 200; }
--- must_die
--- error_log
PH-C203 payhub_nonce: found zone "n" in use by another directive, expected a name of its own in



=== TEST 13: twice in a block
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=n:1m; payhub_nonce off; return 200; }
--- must_die
--- error_log
PH-C203 payhub_nonce: found it twice, expected it once in a block in



=== TEST 14: two zones in a line
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=n:1m zone=m:1m; return 200; }
--- must_die
--- error_log
PH-C203 payhub_nonce: found "zone=m:1m", expected zone=name:size, cold=accept and ahead=time, each once



=== TEST 15: cold= anything else
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=n:1m cold=refuse; return 200; }
--- must_die
--- error_log
PH-C203 payhub_nonce: found "cold=refuse", expected zone=name:size, cold=accept



=== TEST 16: ahead= too much
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=n:1m ahead=3601s; return 200; }
--- must_die
--- error_log
PH-C203 payhub_nonce: found "ahead=3601s", expected ahead= a time of 0s to 3600s in



=== TEST 17: ahead= no time
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce zone=n:1m ahead=; return 200; }
--- must_die
--- error_log
PH-C203 payhub_nonce: found "ahead=", expected ahead= a time of 0s to 3600s in



=== TEST 18: off, and more
--- config
    location /v/ { payhub_verify payhub-v3; payhub_nonce off zone=n:1m; return 200; }
--- must_die
--- error_log
PH-C203 payhub_nonce: found "off", expected zone=name:size



=== TEST 19: a location without verification
--- config
    location /v/ { payhub_nonce zone=n:1m; return 200; }
--- must_die
--- error_log
PH-C203 payhub_nonce: found no payhub_verify for location "/v/", expected one: a nonce that nobody signed says nothing in



=== TEST 20: a location that turns it off
--- config
    payhub_verify payhub-v3;
    location /v/ { payhub_verify off; payhub_nonce zone=n:1m; return 200; }
--- must_die
--- error_log
PH-C203 payhub_nonce: found no payhub_verify for location "/v/", expected one



=== TEST 21: a server that verifies nowhere
--- config
    payhub_nonce zone=n:1m;
    location /v/ { return 200; }
--- must_die
--- error_log
PH-C203 payhub_nonce: found no payhub_verify where zone "n" is used, expected one



=== TEST 22: a server that verifies in one location
--- http_config eval
main::http_config() . "payhub_nonce zone=n22:1m;"
--- config
    location /v/ { payhub_verify payhub-v3; return 200; }
    location /w/ { return 200; }
--- more_headers eval: main::signed("GET", "/v/a", "", age => 200)
--- request eval
["GET /v/a", "GET /v/a", "GET /w/a", "GET /w/a"]
--- error_code eval: [200, 401, 200, 200]



=== TEST 23: seventeen zones
--- config eval
"payhub_verify payhub-v3;"
    . CORE::join '', map { "location /$_/ { payhub_nonce zone=z$_:32k; return 200; }" } 1 .. 17
--- must_die
--- error_log
PH-C203 payhub_nonce: found one zone more, expected at most 16 in
