# TEST 1: one test more is planned than runs.
use Test::Nginx::Socket tests => 3;

run_tests();

__DATA__

=== TEST 1: two tests
--- config
    location = /t { return 200 "hello\n"; }
--- request
GET /t
--- response_body
hello
