# payhub_sync: its line, and nginx with nobody at the other end.
use Test::Nginx::Socket 'no_plan';
use Payhub;

edge_defaults();
add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', 'location = /t { return 200 "yes\n"; }')
        if !defined $block->config;
    $block->set_value('request', 'GET /t') if !defined $block->request;
});
run_tests();

__DATA__

=== TEST 1: nobody at the other end: requests are answered
--- http_config
    payhub_zone edge:8m;
    upstream sock { server unix:/tmp/payhub-nobody.sock; }
    payhub_sync sock interval=100ms;
--- response_body
yes
--- no_error_log
[alert]
[crit]



=== TEST 2: an upstream that stands behind the line is found
--- http_config
    payhub_sync late;
    upstream late { server unix:/tmp/payhub-nobody.sock; }
    payhub_zone edge:8m;
--- response_body
yes



=== TEST 3: no payhub_zone
--- http_config
    upstream sock { server unix:/tmp/payhub-nobody.sock; }
    payhub_sync sock;
--- must_die
--- error_log eval
[
    q[PH-C105 payhub_sync: found no payhub_zone, expected one beside it],
]



=== TEST 4: an upstream that is not there
--- http_config
    payhub_zone edge:8m;
    upstream sock { server unix:/tmp/payhub-nobody.sock; }
    payhub_sync none;
--- must_die
--- error_log eval
[
    q[no port in upstream "none"],
]



=== TEST 5: a path
--- http_config
    payhub_zone edge:8m;
    upstream sock { server unix:/tmp/payhub-nobody.sock; }
    payhub_sync unix:/tmp/x.sock;
--- must_die
--- error_log eval
[
    q[PH-C105 payhub_sync: found "unix:/tmp/x.sock", expected the name of an upstream],
]



=== TEST 6: a variable
--- http_config
    payhub_zone edge:8m;
    upstream sock { server unix:/tmp/payhub-nobody.sock; }
    payhub_sync $host;
--- must_die
--- error_log eval
[
    q[PH-C105 payhub_sync: found "$host", expected the name of an upstream],
]



=== TEST 7: a server over TCP
--- http_config
    payhub_zone edge:8m;
    upstream sock { server unix:/tmp/payhub-nobody.sock; }
    upstream tcp { server 127.0.0.1:9; }
    payhub_sync tcp;
--- must_die
--- error_log eval
[
    q[PH-C105 payhub_sync: found the server "127.0.0.1:9", expected unix: sockets only],
]



=== TEST 8: all servers down
--- http_config
    payhub_zone edge:8m;
    upstream sock { server unix:/tmp/payhub-nobody.sock; }
    upstream off { server unix:/tmp/x down; server unix:/tmp/y down; }
    payhub_sync off;
--- must_die
--- error_log eval
[
    q[PH-C105 payhub_sync: found no server of "off" in use, expected at least one],
]



=== TEST 9: twice
--- http_config
    payhub_zone edge:8m;
    upstream sock { server unix:/tmp/payhub-nobody.sock; }
    payhub_sync sock;
    payhub_sync sock;
--- must_die
--- error_log eval
[
    q[PH-C105 payhub_sync],
]



=== TEST 10: another parameter
--- http_config
    payhub_zone edge:8m;
    upstream sock { server unix:/tmp/payhub-nobody.sock; }
    payhub_sync sock every=1s;
--- must_die
--- error_log eval
[
    q[PH-C105 payhub_sync: found "every=1s", expected interval=, state= or seal=],
]



=== TEST 11: interval twice
--- http_config
    payhub_zone edge:8m;
    upstream sock { server unix:/tmp/payhub-nobody.sock; }
    payhub_sync sock interval=1s interval=2s;
--- must_die
--- error_log eval
[
    q[PH-C105 payhub_sync: found "interval=" twice, expected it once],
]



=== TEST 12: an interval below its least
--- http_config
    payhub_zone edge:8m;
    upstream sock { server unix:/tmp/payhub-nobody.sock; }
    payhub_sync sock interval=99ms;
--- must_die
--- error_log eval
[
    q[PH-C105 payhub_sync: found interval=99ms, expected 100ms to 30000ms],
]



=== TEST 13: an interval beyond its most
--- http_config
    payhub_zone edge:8m;
    upstream sock { server unix:/tmp/payhub-nobody.sock; }
    payhub_sync sock interval=31s;
--- must_die
--- error_log eval
[
    q[PH-C105 payhub_sync: found interval=31s, expected 100ms to 30000ms],
]



=== TEST 14: an interval that is no time
--- http_config
    payhub_zone edge:8m;
    upstream sock { server unix:/tmp/payhub-nobody.sock; }
    payhub_sync sock interval=soon;
--- must_die
--- error_log eval
[
    q[PH-C105 payhub_sync: found interval=soon, expected 100ms to 30000ms],
]



=== TEST 15: an empty interval
--- http_config
    payhub_zone edge:8m;
    upstream sock { server unix:/tmp/payhub-nobody.sock; }
    payhub_sync sock interval=;
--- must_die
--- error_log eval
[
    q[PH-C105 payhub_sync: found interval=, expected 100ms to 30000ms],
]



=== TEST 16: state without seal
--- http_config
    payhub_zone edge:8m;
    upstream sock { server unix:/tmp/payhub-nobody.sock; }
    payhub_sync sock state=/tmp/state;
--- must_die
--- error_log eval
[
    q[PH-C105 payhub_sync],
]



=== TEST 17: seal without state
--- http_config
    payhub_zone edge:8m;
    upstream sock { server unix:/tmp/payhub-nobody.sock; }
    payhub_sync sock seal=file:/tmp/seal;
--- must_die
--- error_log eval
[
    q[PH-C105 payhub_sync],
]



=== TEST 18: a seal that is not there
--- http_config
    payhub_zone edge:8m;
    upstream sock { server unix:/tmp/payhub-nobody.sock; }
    payhub_sync sock state=/tmp/state seal=file:/nonexistent;
--- must_die
--- error_log eval
[
    q[PH-C105 payhub_sync],
]
