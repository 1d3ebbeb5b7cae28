# Wrong payhub_channel, payhub_route and payhub_route_by lines: what nginx says.
use Test::Nginx::Socket 'no_plan';
use Payhub;

my $long = 'x' x 33;
my $list = join ',', map {"m$_"} 1 .. 33;

# lines of http{} => what the error log has to say
my @rows = (
    [ 'payhub_channel a/b channel=x;', 'PH-C402 payhub_channel: found "a/b", expected an account\'s id' ],
    [ "payhub_channel $long channel=x;", "PH-C402 payhub_channel: found \"$long\", expected an account's id" ],
    [ 'payhub_channel any channel=x;', 'PH-C402 payhub_channel: found "any", expected an account\'s id' ],
    [ 'payhub_channel a weight=1;', 'PH-C402 payhub_channel: found "a", expected channel=NAME with it' ],
    [ 'payhub_channel a channel=;', 'PH-C402 payhub_channel: found "channel=", expected channel=NAME' ],
    [ 'payhub_channel a channel=x; payhub_channel a channel=x;', 'PH-C402 payhub_channel: found "a", expected an id of its own' ],
    [ 'payhub_channel a channel=x channel=y;', 'PH-C402 payhub_channel: found "channel=y", expected each option once' ],
    [ 'payhub_channel a channel=x colour=red;', 'PH-C402 payhub_channel: found "colour=red", expected channel=, methods=' ],
    [ 'payhub_channel a channel=x drain;', 'PH-C402 payhub_channel: found "drain", expected channel=, methods=' ],
    [ 'payhub_channel a channel=x methods=a,,b;', 'PH-C402 payhub_channel: found "methods=a,,b", expected methods=A,B' ],
    [ "payhub_channel a channel=x methods=$list;", 'expected methods=A,B,... at most 32' ],
    [ 'payhub_channel a channel=x currencies=C/Y;', 'PH-C402 payhub_channel: found "currencies=C/Y", expected currencies=A,B' ],
    [ 'payhub_channel a channel=x apps=;', 'PH-C402 payhub_channel: found "apps=", expected apps=A,B' ],
    [ 'payhub_channel a channel=x priority=256;', 'PH-C402 payhub_channel: found "priority=256", expected priority=0 to 255' ],
    [ 'payhub_channel a channel=x weight=1001;', 'PH-C402 payhub_channel: found "weight=1001", expected weight=0 to 1000' ],
    [ 'payhub_channel a channel=x weight=-1;', 'PH-C402 payhub_channel: found "weight=-1", expected weight=0 to 1000' ],
    [ 'payhub_channel a channel=x inflight=0;', 'PH-C402 payhub_channel: found "inflight=0", expected inflight=1 to 65535' ],
    [ 'payhub_channel a channel=x fee=0.6%;', 'PH-C402 payhub_channel: found "fee=0.6%", expected fee=PPMppm' ],
    [ 'payhub_channel a channel=x fee=1000001ppm;', 'PH-C402 payhub_channel: found "fee=1000001ppm", expected fee=PPMppm' ],
    [ 'payhub_channel a channel=x breaker=on;', 'PH-C402 payhub_channel: found "breaker=on", expected breaker=off or' ],
    [ 'payhub_channel a channel=x breaker=101%;', 'PH-C402 payhub_channel: found "breaker=101%", expected breaker=off or' ],
    [ 'payhub_route a/b { rule r -> a; }', 'PH-C403 payhub_route: found "a/b", expected a name' ],
    [ 'payhub_route r { } payhub_route r { }', 'PH-C403 payhub_route: found "r" twice, expected a name of its own' ],
    [ join(' ', map {"payhub_route r$_ { }"} 1 .. 17), 'PH-C403 payhub_route: found "r17" behind 16 others' ],
    [ 'payhub_route r { rules a -> b; }', 'PH-C403 payhub_route "r": found "rules", expected rule NAME' ],
    [ 'payhub_route r { rule; }', 'PH-C403 payhub_route "r": found "rule", expected rule NAME' ],
    [ 'payhub_route r { rule a method=b; }', 'PH-C403 payhub_route "r": found "a method=b", expected NAME CONDITIONS -> TARGETS' ],
    [ 'payhub_route r { rule a country=cn -> b; }', 'PH-C403 payhub_route "r": found "country=cn", expected method=, currency=' ],
    [ 'payhub_route r { rule a amount=9-5 -> b; }', 'PH-C403 payhub_route "r": found "amount=9-5", expected amount=MIN-MAX' ],
    [ 'payhub_route r { rule a -> b by=luck; }', 'PH-C403 payhub_route "r": found "by=luck", expected by=weight' ],
    [ 'payhub_route r { rule a -> b; rule a -> b; }', 'PH-C403 payhub_route "r": found "a", expected a name of its own for each rule' ],
    [ 'payhub_channel a channel=x; payhub_route r { rule a -> zed; }', 'PH-C403 payhub_route "r": target: found "zed", expected an account or channel of payhub_channel in ' ],
    [ 'payhub_channel a channel=x; payhub_route r { rule a -> channel:y; }', 'PH-C403 payhub_route "r": target: found "y", expected an account or channel' ],
    [ 'payhub_route_by a/b;', 'PH-C403 payhub_route_by: found "a/b", expected the name of a payhub_route, or off' ],
    [ 'payhub_route_by a; payhub_route_by b;', 'PH-C403 payhub_route_by: found it twice' ],
);

our @Rows = @rows;
edge_defaults();
add_block_preprocessor(sub {
    my ($block) = @_;
    my ($n) = $block->name =~ /row (\d+)/ or return;

    $block->set_value('http_config', http_config() . $main::Rows[$n][0]);
    $block->set_value('config', '');
    $block->set_value('must_die', '');
    $block->set_value('error_log', $main::Rows[$n][1]);
});
run_tests();

__DATA__

=== TEST 1: row 0



=== TEST 2: row 1



=== TEST 3: row 2



=== TEST 4: row 3



=== TEST 5: row 4



=== TEST 6: row 5



=== TEST 7: row 6



=== TEST 8: row 7



=== TEST 9: row 8



=== TEST 10: row 9



=== TEST 11: row 10



=== TEST 12: row 11



=== TEST 13: row 12



=== TEST 14: row 13



=== TEST 15: row 14



=== TEST 16: row 15



=== TEST 17: row 16



=== TEST 18: row 17



=== TEST 19: row 18



=== TEST 20: row 19



=== TEST 21: row 20



=== TEST 22: row 21



=== TEST 23: row 22



=== TEST 24: row 23



=== TEST 25: row 24



=== TEST 26: row 25



=== TEST 27: row 26



=== TEST 28: row 27



=== TEST 29: row 28



=== TEST 30: row 29



=== TEST 31: row 30



=== TEST 32: row 31



=== TEST 33: row 32



=== TEST 34: row 33



=== TEST 35: row 34



=== TEST 36: what is right starts
--- http_config eval
Payhub::http_config() . 'payhub_zone gate:4m;
payhub_channel a channel=x methods=card,bar currencies=CNY apps=s priority=0 weight=0 fee=1ppm+1 inflight=1 breaker=off drained;
payhub_channel b channel=y breaker=100%/1/1ms/100;
payhub_route one { rule r method=a,b amount=-5 metadata.k=v -> a:5@3 channel:y fallback=any by=cost explore=1%; }
payhub_route later { }'
--- config
location /x { payhub_route_by one; return 200 "x"; }
--- request
GET /x
--- response_body: x
