package TestWorkers;

# Loaded by t/run-nginx before a test file: PH_TEST_WORKERS > 1 gives every
# block a master and that many workers, under either harness.  A file that
# calls workers() or master_off() itself has the last word.

use strict;
use warnings;

require Test::Nginx::Socket;

my $count = $ENV{PH_TEST_WORKERS} || 1;
if ($count > 1) {
    Test::Nginx::Socket::master_on();
    Test::Nginx::Socket::workers($count);
}

1;
