# Configurations that nginx must refuse, that it need not be given again, and
# that are skipped.
use Test::Nginx::Socket tests => 26;

repeat_each(2);
no_shuffle();
run_tests();

__DATA__

=== TEST 1: refused, with its reason
--- config
    no_such_directive on;
--- must_die
--- error_log
unknown directive "no_such_directive"



=== TEST 2: refused with the exit code
--- main_config
no_such_main_directive;
--- config
--- must_die: 1
--- error_log
[emerg]



=== TEST 3: and then one that serves
--- main_config
env PH_SELFTEST;
--- http_config
    map $arg_x $mapped { default no; 1 yes; }
--- post_main_config
# nothing
--- config
    location = /t { return 200 "$mapped\n"; }
--- request
GET /t?x=1
--- response_body
yes



=== TEST 4: no configuration: nginx goes on with the last
--- request
GET /t?x=2
--- response_body
no



=== TEST 5: skipped by version
--- skip_nginx: 3: > 0.0.1: for the test's sake
--- config
    no_such_directive on;
--- request
GET /t



=== TEST 6: not skipped
--- skip_nginx: 3: < 0.0.1
--- config
    location = /t { return 200 "run\n"; }
--- request
GET /t
--- response_body
run



=== TEST 7: left out
--- SKIP
--- config
    no_such_directive on;
--- request
GET /t
