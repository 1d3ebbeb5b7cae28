# The error log: lines wanted, lines unwanted, what grep finds.
use Test::Nginx::Socket 'no_plan';

add_block_preprocessor(sub {
    my ($block) = @_;

    if (!defined $block->no_error_log) {
        $block->set_value(no_error_log => "[alert]\n[emerg]");
    }
});
log_level('info');
no_long_string();
no_shuffle();
run_tests();

__DATA__

=== TEST 1: patterns, one assertion a line
--- config
    location = /t { deny all; }
--- request
GET /t
--- error_code: 403
--- error_log
access forbidden by rule
client: 127.0.0.1
--- no_error_log
[crit]



=== TEST 2: patterns by eval
--- config
    location = /t { deny all; }
--- request
GET /t
--- error_code: 403
--- error_log eval
qr/access forbidden by rule, client: [\d.]+/
--- no_error_log eval
[qr/never\s+said/, "nor this"]



=== TEST 3: the log starts anew with each block
--- config
    location = /t { return 204; }
--- request
GET /t
--- error_code: 204
--- no_error_log
access forbidden by rule



=== TEST 4: grep
--- config
    location = /t { deny all; }
--- request
GET /t
--- error_code: 403
--- grep_error_log eval: qr/access \w+ by \w+/
--- grep_error_log_out
access forbidden by rule



=== TEST 5: the level can be a block's own
--- config
    location = /t { deny all; }
--- log_level: crit
--- request
GET /t
--- error_code: 403
--- no_error_log
[error]



=== TEST 6: debug
--- config
    location = /t { return 204; }
--- log_level: debug
--- request
GET /t
--- error_code: 204
--- error_log
[debug]



=== TEST 7: after each of several requests, the lines since the one before
--- config
    location = /t { deny all; }
--- request eval
["GET /t", "GET /t"]
--- error_code eval
[403, 403]
--- grep_error_log eval: qr/access \w+ by \w+/
--- grep_error_log_out
access forbidden by rule
