# Every mistake in a directive stops the start and says what was found and what
# was expected; secrets are never shown.
use Test::Nginx::Socket 'no_plan';
use Payhub;

edge_defaults();
run_tests();

__DATA__

=== TEST 1: key id with a bad character
--- http_config
    payhub_key k.1 hmac-sha256 secret=file:$TEST_NGINX_PAYHUB_DIR/k1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C102 payhub_key: found id "k.1", expected 1 to 32 of],
]



=== TEST 2: key id of 33 characters
--- http_config
    payhub_key kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk hmac-sha256 secret=file:$TEST_NGINX_PAYHUB_DIR/k1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C102 payhub_key: found id "kkk],
]



=== TEST 3: a secret for an algorithm with public keys
--- http_config
    payhub_key k1 rsa-v1_5-sha256 secret=file:$TEST_NGINX_PAYHUB_DIR/k1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C102 payhub_key: found secret=, expected pub=file:PATH],
]



=== TEST 4: no secret
--- http_config
    payhub_key k1 hmac-sha256 app=a;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C102 payhub_key: found no secret for "k1", expected secret=file:PATH],
]



=== TEST 5: secret in the line itself is not shown
--- http_config
    payhub_key k1 hmac-sha256 secret=abc;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C102 payhub_key: found secret= without "file:"],
]



=== TEST 6: public key for an HMAC
--- http_config
    payhub_key k1 hmac-sha256 pub=file:$TEST_NGINX_PAYHUB_DIR/k1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C102 payhub_key: found pub=, expected secret=file:PATH],
]



=== TEST 7: unknown parameter
--- http_config
    payhub_key k1 hmac-sha256 secret=file:$TEST_NGINX_PAYHUB_DIR/k1 apps=a;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C102 payhub_key: found "apps=a", expected secret=],
]



=== TEST 8: parameter twice
--- http_config
    payhub_key k1 hmac-sha256 secret=file:$TEST_NGINX_PAYHUB_DIR/k1 app=a app=b;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C102 payhub_key: found "app=" twice],
]



=== TEST 9: unknown scheme
--- http_config
    payhub_key k1 hmac-sha256 secret=file:$TEST_NGINX_PAYHUB_DIR/k1 schemes=payhub-v3,jeepay;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C102 payhub_key: found scheme "jeepay", expected payhub-v3 or rfc9421],
]



=== TEST 10: scheme twice
--- http_config
    payhub_key k1 hmac-sha256 secret=file:$TEST_NGINX_PAYHUB_DIR/k1 schemes=payhub-v3,payhub-v3;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[found scheme "payhub-v3" twice],
]



=== TEST 11: bad app
--- http_config
    payhub_key k1 hmac-sha256 secret=file:$TEST_NGINX_PAYHUB_DIR/k1 app=a/b;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C102 payhub_key: found app or mch "a/b"],
]



=== TEST 12: empty mch
--- http_config
    payhub_key k1 hmac-sha256 secret=file:$TEST_NGINX_PAYHUB_DIR/k1 mch=;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C102 payhub_key: found app or mch ""],
]



=== TEST 13: long role
--- http_config
    payhub_key k1 hmac-sha256 secret=file:$TEST_NGINX_PAYHUB_DIR/k1 role=rrrrrrrrrrrrrrrrr;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C102 payhub_key: found role "rrrrrrrrrrrrrrrrr", expected 1 to 16],
]



=== TEST 14: time that is none
--- http_config
    payhub_key k1 hmac-sha256 secret=file:$TEST_NGINX_PAYHUB_DIR/k1 not_before=-1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C102 payhub_key: found time "-1", expected unix seconds],
]



=== TEST 15: times in the wrong order
--- http_config
    payhub_key k1 hmac-sha256 secret=file:$TEST_NGINX_PAYHUB_DIR/k1 not_before=20 not_after=10;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C102 payhub_key: found not_before=20 and not_after=10],
]



=== TEST 16: id twice
--- http_config
    payhub_key k1 hmac-sha256 secret=file:$TEST_NGINX_PAYHUB_DIR/k1;
    payhub_key k1 hmac-sha256 secret=file:$TEST_NGINX_PAYHUB_DIR/k1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C102 payhub_key: found "k1" twice, expected each id once],
]



=== TEST 17: no such file
--- http_config
    payhub_key k1 hmac-sha256 secret=file:$TEST_NGINX_PAYHUB_DIR/nothing;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C103 payhub_key: found no readable file],
]



=== TEST 18: a folder
--- http_config
    payhub_key k1 hmac-sha256 secret=file:$TEST_NGINX_PAYHUB_DIR;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C103 payhub_key: found],
    q[expected an ordinary file],
]



=== TEST 19: readable by the group
--- http_config
    payhub_key k1 hmac-sha256 secret=file:$TEST_NGINX_PAYHUB_DIR/open;
--- config
    location = /t { return 204; }
--- request
GET /t
--- error_code: 204
--- error_log eval
[
    q[PH-C103 payhub_key: found mode 0640],
    q[chmod 600],
]



=== TEST 20: secret of 15 bytes
--- http_config
    payhub_key k1 hmac-sha256 secret=file:$TEST_NGINX_PAYHUB_DIR/short;
--- config
    location = /t { return 204; }
--- request
GET /t
--- error_code: 204
--- error_log eval
[
    q[PH-C103 payhub_key: found 15 bytes],
    q[expected 16 or more: a short secret can be guessed],
]



=== TEST 21: secret of 513 bytes
--- http_config
    payhub_key k1 hmac-sha256 secret=file:$TEST_NGINX_PAYHUB_DIR/long;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C103 payhub_key: found 513 or more bytes],
]



=== TEST 22: key outside http
--- config
    payhub_key k1 hmac-sha256 secret=file:$TEST_NGINX_PAYHUB_DIR/k1;
--- must_die
--- error_log eval
[
    q["payhub_key" directive is not allowed here],
]



=== TEST 23: verify with an unknown scheme
--- config
    location = /t { payhub_verify jeepay; }
--- must_die
--- error_log eval
[
    q[PH-C201 payhub_verify: found "jeepay", expected payhub-v3, rfc9421, or off alone],
]



=== TEST 24: verify off beside a scheme
--- config
    location = /t { payhub_verify payhub-v3 off; }
--- must_die
--- error_log eval
[
    q[PH-C201 payhub_verify: found "off"],
]



=== TEST 25: verify scheme twice
--- config
    location = /t { payhub_verify payhub-v3 payhub-v3; }
--- must_die
--- error_log eval
[
    q[PH-C201 payhub_verify: found "payhub-v3" twice],
]



=== TEST 26: verify twice
--- config
    location = /t { payhub_verify payhub-v3; payhub_verify off; }
--- must_die
--- error_log eval
[
    q[PH-C201 payhub_verify: found it twice, expected it once in a block],
]



=== TEST 27: window that is no time
--- config
    payhub_verify_window soon;
--- must_die
--- error_log eval
[
    q[PH-C201 payhub_verify_window: found "soon", expected a time of 1s to 3600s],
]



=== TEST 28: window of nothing
--- config
    payhub_verify_window 0;
--- must_die
--- error_log eval
[
    q[PH-C201 payhub_verify_window: found "0"],
]



=== TEST 29: window over an hour
--- config
    payhub_verify_window 3601s;
--- must_die
--- error_log eval
[
    q[PH-C201 payhub_verify_window: found "3601s"],
]



=== TEST 30: window twice
--- config
    payhub_verify_window 1s; payhub_verify_window 2s;
--- must_die
--- error_log eval
[
    q[PH-C201 payhub_verify_window: found it twice, expected it once in a block],
]



=== TEST 31: pass to a URL
--- config
    location = /t { payhub_pass http://payhub_workers; }
--- must_die
--- error_log eval
[
    q[PH-C401 payhub_pass: found "http://payhub_workers", expected the name of an upstream or unix:/PATH],
]



=== TEST 32: pass to a variable
--- config
    location = /t { payhub_pass $host; }
--- must_die
--- error_log eval
[
    q[PH-C401 payhub_pass: found "$host"],
]



=== TEST 33: pass to nothing that exists
--- config
    location = /t { payhub_pass nobody; }
--- must_die
--- error_log eval
[
    q[in upstream "nobody"],
]



=== TEST 34: pass twice
--- config
    location = /t { payhub_pass payhub_workers; payhub_pass payhub_workers; }
--- must_die
--- error_log eval
[
    q[PH-C401 payhub_pass: found it twice, expected it once in a block],
]



=== TEST 35: pass outside a location
--- config
    payhub_pass payhub_workers;
--- must_die
--- error_log eval
[
    q["payhub_pass" directive is not allowed here],
]



=== TEST 36: timeout that is no time
--- config
    location = /t { payhub_pass_timeout x; }
--- must_die
--- error_log eval
[
    q[PH-C401 payhub_pass_timeout: found "x", expected a time of 100ms to 600000ms],
]



=== TEST 37: timeout too short
--- config
    location = /t { payhub_pass_timeout 99ms; }
--- must_die
--- error_log eval
[
    q[PH-C401 payhub_pass_timeout: found "99ms"],
]



=== TEST 38: timeout too long
--- config
    location = /t { payhub_pass_timeout 11m; }
--- must_die
--- error_log eval
[
    q[PH-C401 payhub_pass_timeout: found "11m"],
]



=== TEST 39: timeout twice
--- config
    location = /t { payhub_pass_timeout 1s; payhub_pass_timeout 1s; }
--- must_die
--- error_log eval
[
    q[PH-C401 payhub_pass_timeout: found it twice, expected it once in a block],
]



=== TEST 40: what the mistakes above are near to is taken
--- http_config
    payhub_key k1 hmac-sha256 secret=file:$TEST_NGINX_PAYHUB_DIR/k1 schemes=payhub-v3 app=a mch=m role=admin not_before=1 not_after=4102444800;
    payhub_key no-lf hmac-sha256 secret=file:$TEST_NGINX_PAYHUB_DIR/no-lf;
    upstream payhub_workers { server unix:$TEST_NGINX_PAYHUB_DIR/a.sock; }
    payhub_verify off;
    payhub_verify_window 1h;
--- config
    payhub_verify payhub-v3;
    payhub_verify_window 1;
    location = /t { payhub_verify off; return 200 "up\n"; }
    location = /p { payhub_pass payhub_workers; payhub_pass_timeout 10m; }
    location = /u { payhub_pass unix:$TEST_NGINX_PAYHUB_DIR/a.sock; }
--- request
GET /t
--- response_body
up



=== TEST 41: pass to a socket whose path depends on where nginx was started
--- config
    location = /t { payhub_pass unix:a.sock; }
--- must_die
--- error_log eval
[
    q[PH-C401 payhub_pass: found "unix:a.sock", expected the name of an upstream or unix:/PATH],
]



=== TEST 42: one key too many
--- http_config eval
CORE::join '', map {"payhub_key k$_ hmac-sha256 secret=file:\$TEST_NGINX_PAYHUB_DIR/k1;\n"} 0 .. 65536;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C101 payhub_key: found more than 65536 keys],
]
