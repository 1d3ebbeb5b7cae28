# TEST 1: nginx refuses the configuration and the block does not say so.
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: refused
--- config
    no_such_directive on;
--- request
GET /t
