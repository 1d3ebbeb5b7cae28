# Every mistake in payhub_limit_zone and payhub_limit stops the start and says
# what was found and what was expected.
use Test::Nginx::Socket 'no_plan';
use Payhub;

edge_defaults();
run_tests();

__DATA__

=== TEST 1: no size
--- http_config
    payhub_limit_zone a key=address rate=1/s burst=1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found "a", expected name:size],
]



=== TEST 2: no name
--- http_config
    payhub_limit_zone :64k key=address rate=1/s burst=1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found name "", expected 1 to 32 of [A-Za-z0-9_-], not off],
]



=== TEST 3: a name with a dot
--- http_config
    payhub_limit_zone a.b:64k key=address rate=1/s burst=1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found name "a.b", expected 1 to 32 of],
]



=== TEST 4: a name of 33
--- http_config
    payhub_limit_zone aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:64k key=address rate=1/s burst=1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found name "aaa],
]



=== TEST 5: the name off
--- http_config
    payhub_limit_zone off:64k key=address rate=1/s burst=1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found name "off", expected 1 to 32 of [A-Za-z0-9_-], not off],
]



=== TEST 6: a size that is none
--- http_config
    payhub_limit_zone a:big key=address rate=1/s burst=1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found size "big", expected at least 64k],
]



=== TEST 7: a size of 0
--- http_config
    payhub_limit_zone a:0 key=address rate=1/s burst=1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found size "0", expected at least 64k],
]



=== TEST 8: a size too small
--- http_config
    payhub_limit_zone a:63k key=address rate=1/s burst=1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found size "63k", expected at least 64k],
]



=== TEST 9: a cluster's zone too small
--- http_config
    payhub_limit_zone a:64k key=address rate=1/s burst=1 cluster;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found size 65536 for a cluster's zone, expected 256k or more],
]



=== TEST 10: a zone twice
--- http_config
    payhub_limit_zone a:64k key=address rate=10/s burst=5;
    payhub_limit_zone a:64k key=address rate=10/s burst=5;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found "a" twice, expected each zone once],
]



=== TEST 11: no key
--- http_config
    payhub_limit_zone a:64k rate=1/s burst=1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found no key= for "a", expected it],
]



=== TEST 12: no rate
--- http_config
    payhub_limit_zone a:64k key=address burst=1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found no rate= for "a", expected it],
]



=== TEST 13: no burst
--- http_config
    payhub_limit_zone a:64k key=address rate=1/s;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found no burst= for "a", expected it],
]



=== TEST 14: no warmup
--- http_config
    payhub_limit_zone a:64k key=address rate=1/s algorithm=warmup;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found no warmup= for "a", expected it],
]



=== TEST 15: an empty key
--- http_config
    payhub_limit_zone a:64k key= rate=1/s burst=1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found "key=", expected key=, rate=, burst=, algorithm=, warmup= or cluster],
]



=== TEST 16: a key that nobody knows
--- http_config
    payhub_limit_zone a:64k key=adress rate=1/s burst=1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found key "adress", expected address, key, app, merchant, method, channel, or a text with variables],
]



=== TEST 17: a key of a variable that is none
--- http_config
    payhub_limit_zone a:64k key=$nosuch rate=1/s burst=1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[unknown "nosuch" variable],
]



=== TEST 18: rate: word
--- http_config
    payhub_limit_zone a:64k key=address rate=fast burst=1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found rate "fast", expected a number of 1 to 1000000000 and /s, /m, /h or /d],
]



=== TEST 19: rate: 0
--- http_config
    payhub_limit_zone a:64k key=address rate=0/s burst=1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found rate "0/s", expected a number of 1 to 1000000000 and /s, /m, /h or /d],
]



=== TEST 20: rate: unit
--- http_config
    payhub_limit_zone a:64k key=address rate=1/x burst=1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found rate "1/x", expected a number of 1 to 1000000000 and /s, /m, /h or /d],
]



=== TEST 21: rate: sign
--- http_config
    payhub_limit_zone a:64k key=address rate=-1/s burst=1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found rate "-1/s", expected a number of 1 to 1000000000 and /s, /m, /h or /d],
]



=== TEST 22: rate: empty count
--- http_config
    payhub_limit_zone a:64k key=address rate=/s burst=1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found rate "/s", expected a number of 1 to 1000000000 and /s, /m, /h or /d],
]



=== TEST 23: rate: real
--- http_config
    payhub_limit_zone a:64k key=address rate=1.5/s burst=1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found rate "1.5/s", expected a number of 1 to 1000000000 and /s, /m, /h or /d],
]



=== TEST 24: rate: overflow
--- http_config
    payhub_limit_zone a:64k key=address rate=99999999999999999999/s burst=1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found rate "99999999999999999999/s", expected a number of 1 to 1000000000 and /s, /m, /h or /d],
]



=== TEST 25: rate: past the largest
--- http_config
    payhub_limit_zone a:64k key=address rate=1000000001/s burst=1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found rate "1000000001/s", expected a number of 1 to 1000000000 and /s, /m, /h or /d],
]



=== TEST 26: burst: word
--- http_config
    payhub_limit_zone a:64k key=address rate=1/s burst=big;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found burst "big", expected 1 to 1000000000 tokens, or a time of 1ms to 1d],
]



=== TEST 27: burst: 0
--- http_config
    payhub_limit_zone a:64k key=address rate=1/s burst=0;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found burst "0", expected 1 to 1000000000 tokens, or a time of 1ms to 1d],
]



=== TEST 28: burst: 0s
--- http_config
    payhub_limit_zone a:64k key=address rate=1/s burst=0s;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found burst "0s", expected 1 to 1000000000 tokens, or a time of 1ms to 1d],
]



=== TEST 29: burst: sign
--- http_config
    payhub_limit_zone a:64k key=address rate=1/s burst=-1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found burst "-1", expected 1 to 1000000000 tokens, or a time of 1ms to 1d],
]



=== TEST 30: burst: overflow
--- http_config
    payhub_limit_zone a:64k key=address rate=1/s burst=99999999999999999999;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found burst "99999999999999999999", expected 1 to 1000000000 tokens, or a time of 1ms to 1d],
]



=== TEST 31: burst: past the largest
--- http_config
    payhub_limit_zone a:64k key=address rate=1/s burst=1000000001;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found burst "1000000001", expected 1 to 1000000000 tokens, or a time of 1ms to 1d],
]



=== TEST 32: burst: too long
--- http_config
    payhub_limit_zone a:64k key=address rate=1/s burst=2d;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found burst "2d", expected 1 to 1000000000 tokens, or a time of 1ms to 1d],
]



=== TEST 33: burst: real
--- http_config
    payhub_limit_zone a:64k key=address rate=1/s burst=1.5;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found burst "1.5", expected 1 to 1000000000 tokens, or a time of 1ms to 1d],
]



=== TEST 34: algorithm
--- http_config
    payhub_limit_zone a:64k key=address rate=1/s burst=1 algorithm=leaky;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found algorithm "leaky", expected bursty or warmup],
]



=== TEST 35: warmup: word
--- http_config
    payhub_limit_zone a:64k key=address rate=1/s algorithm=warmup warmup=soon;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found warmup "soon", expected a time of 1ms to 1d],
]



=== TEST 36: warmup: 0
--- http_config
    payhub_limit_zone a:64k key=address rate=1/s algorithm=warmup warmup=0;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found warmup "0", expected a time of 1ms to 1d],
]



=== TEST 37: warmup: too long
--- http_config
    payhub_limit_zone a:64k key=address rate=1/s algorithm=warmup warmup=2d;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found warmup "2d", expected a time of 1ms to 1d],
]



=== TEST 38: warmup: sign
--- http_config
    payhub_limit_zone a:64k key=address rate=1/s algorithm=warmup warmup=-1s;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found warmup "-1s", expected a time of 1ms to 1d],
]



=== TEST 39: warmup of bursty
--- http_config
    payhub_limit_zone a:64k key=address rate=1/s burst=1 warmup=3s;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found warmup= without algorithm=warmup, expected both],
]



=== TEST 40: a parameter twice
--- http_config
    payhub_limit_zone a:64k key=address rate=1/s rate=2/s burst=1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found "rate=" twice, expected it once],
]



=== TEST 41: cluster twice
--- http_config
    payhub_limit_zone a:256k key=address rate=1/s burst=1 cluster cluster;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found "cluster" twice, expected it once],
]



=== TEST 42: cluster with a value
--- http_config
    payhub_limit_zone a:256k key=address rate=1/s burst=1 cluster=on;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found "cluster=on", expected key=, rate=],
]



=== TEST 43: a parameter that nobody knows
--- http_config
    payhub_limit_zone a:64k key=address rate=1/s burst=1 nodelay;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found "nodelay", expected key=, rate=],
]



=== TEST 44: a limit that is defined nowhere
--- http_config
    payhub_limit_zone a:64k key=address rate=10/s burst=5;
--- config
    location = /t { payhub_limit b; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found "b", expected the name of a payhub_limit_zone in ],
]



=== TEST 45: a limit's name that is none
--- http_config
    payhub_limit_zone a:64k key=address rate=10/s burst=5;
--- config
    location = /t { payhub_limit "a b"; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found "a b", expected the name of a payhub_limit_zone, or off],
]



=== TEST 46: the same limit twice
--- http_config
    payhub_limit_zone a:64k key=address rate=10/s burst=5;
--- config
    location = /t { payhub_limit a; payhub_limit a cost=2; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found "a" twice, expected a zone once in a block],
]



=== TEST 47: off with more
--- http_config
    payhub_limit_zone a:64k key=address rate=10/s burst=5;
--- config
    location = /t { payhub_limit off shadow; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found off with something else, expected it alone in a block],
]



=== TEST 48: off behind a limit
--- http_config
    payhub_limit_zone a:64k key=address rate=10/s burst=5;
--- config
    location = /t { payhub_limit a; payhub_limit off; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found off with something else, expected it alone in a block],
]



=== TEST 49: off twice
--- http_config
    payhub_limit_zone a:64k key=address rate=10/s burst=5;
--- config
    location = /t { payhub_limit off; payhub_limit off; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found off with something else, expected it alone in a block],
]



=== TEST 50: a limit behind off
--- http_config
    payhub_limit_zone a:64k key=address rate=10/s burst=5;
--- config
    location = /t { payhub_limit off; payhub_limit a; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found "a" behind off, expected one of them in a block],
]



=== TEST 51: cost: word
--- http_config
    payhub_limit_zone a:64k key=address rate=10/s burst=5;
--- config
    location = /t { payhub_limit a cost=much; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found cost "much", expected 1 to 1000000, or a text with variables],
]



=== TEST 52: cost: 0
--- http_config
    payhub_limit_zone a:64k key=address rate=10/s burst=5;
--- config
    location = /t { payhub_limit a cost=0; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found cost "0", expected 1 to 1000000, or a text with variables],
]



=== TEST 53: cost: sign
--- http_config
    payhub_limit_zone a:64k key=address rate=10/s burst=5;
--- config
    location = /t { payhub_limit a cost=-1; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found cost "-1", expected 1 to 1000000, or a text with variables],
]



=== TEST 54: cost: past the largest
--- http_config
    payhub_limit_zone a:64k key=address rate=10/s burst=5;
--- config
    location = /t { payhub_limit a cost=1000001; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found cost "1000001", expected 1 to 1000000, or a text with variables],
]



=== TEST 55: cost: overflow
--- http_config
    payhub_limit_zone a:64k key=address rate=10/s burst=5;
--- config
    location = /t { payhub_limit a cost=99999999999999999999; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found cost "99999999999999999999", expected 1 to 1000000, or a text with variables],
]



=== TEST 56: wait: word
--- http_config
    payhub_limit_zone a:64k key=address rate=10/s burst=5;
--- config
    location = /t { payhub_limit a wait=long; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found wait "long", expected a time of 1ms to 60000ms],
]



=== TEST 57: wait: 0
--- http_config
    payhub_limit_zone a:64k key=address rate=10/s burst=5;
--- config
    location = /t { payhub_limit a wait=0; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found wait "0", expected a time of 1ms to 60000ms],
]



=== TEST 58: wait: past the longest
--- http_config
    payhub_limit_zone a:64k key=address rate=10/s burst=5;
--- config
    location = /t { payhub_limit a wait=61s; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found wait "61s", expected a time of 1ms to 60000ms],
]



=== TEST 59: wait: sign
--- http_config
    payhub_limit_zone a:64k key=address rate=10/s burst=5;
--- config
    location = /t { payhub_limit a wait=-1s; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found wait "-1s", expected a time of 1ms to 60000ms],
]



=== TEST 60: cost twice
--- http_config
    payhub_limit_zone a:64k key=address rate=10/s burst=5;
--- config
    location = /t { payhub_limit a cost=1 cost=$arg_n; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found "cost=$arg_n" twice, expected cost=, wait= or shadow],
]



=== TEST 61: wait twice
--- http_config
    payhub_limit_zone a:64k key=address rate=10/s burst=5;
--- config
    location = /t { payhub_limit a wait=1s wait=2s; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found "wait=2s" twice, expected cost=, wait= or shadow],
]



=== TEST 62: shadow twice
--- http_config
    payhub_limit_zone a:64k key=address rate=10/s burst=5;
--- config
    location = /t { payhub_limit a shadow shadow; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found "shadow" twice, expected cost=, wait= or shadow],
]



=== TEST 63: a parameter of a limit that nobody knows
--- http_config
    payhub_limit_zone a:64k key=address rate=10/s burst=5;
--- config
    location = /t { payhub_limit a burst=5; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found "burst=5", expected cost=, wait= or shadow],
]



=== TEST 64: an empty cost
--- http_config
    payhub_limit_zone a:64k key=address rate=10/s burst=5;
--- config
    location = /t { payhub_limit a cost=; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found "cost=", expected cost=, wait= or shadow],
]



=== TEST 65: a shadow that waits
--- http_config
    payhub_limit_zone a:64k key=address rate=10/s burst=5;
--- config
    location = /t { payhub_limit a shadow wait=1s; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found wait= with shadow, expected one of them: a shadow delays nobody],
]



=== TEST 66: more limits than a block takes
--- http_config
    payhub_limit_zone z0:64k key=address rate=1/s burst=1;
    payhub_limit_zone z1:64k key=address rate=1/s burst=1;
    payhub_limit_zone z2:64k key=address rate=1/s burst=1;
    payhub_limit_zone z3:64k key=address rate=1/s burst=1;
    payhub_limit_zone z4:64k key=address rate=1/s burst=1;
    payhub_limit_zone z5:64k key=address rate=1/s burst=1;
    payhub_limit_zone z6:64k key=address rate=1/s burst=1;
    payhub_limit_zone z7:64k key=address rate=1/s burst=1;
    payhub_limit_zone z8:64k key=address rate=1/s burst=1;
    payhub_limit_zone z9:64k key=address rate=1/s burst=1;
    payhub_limit_zone z10:64k key=address rate=1/s burst=1;
    payhub_limit_zone z11:64k key=address rate=1/s burst=1;
    payhub_limit_zone z12:64k key=address rate=1/s burst=1;
    payhub_limit_zone z13:64k key=address rate=1/s burst=1;
    payhub_limit_zone z14:64k key=address rate=1/s burst=1;
    payhub_limit_zone z15:64k key=address rate=1/s burst=1;
    payhub_limit_zone z16:64k key=address rate=1/s burst=1;
--- config
    location = /t { payhub_limit z0; payhub_limit z1; payhub_limit z2; payhub_limit z3; payhub_limit z4; payhub_limit z5; payhub_limit z6; payhub_limit z7; payhub_limit z8; payhub_limit z9; payhub_limit z10; payhub_limit z11; payhub_limit z12; payhub_limit z13; payhub_limit z14; payhub_limit z15; payhub_limit z16; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found more than 16, expected at most 16 in a block],
]



=== TEST 67: more zones than there may be
--- http_config
    payhub_limit_zone z0:64k key=address rate=1/s burst=1;
    payhub_limit_zone z1:64k key=address rate=1/s burst=1;
    payhub_limit_zone z2:64k key=address rate=1/s burst=1;
    payhub_limit_zone z3:64k key=address rate=1/s burst=1;
    payhub_limit_zone z4:64k key=address rate=1/s burst=1;
    payhub_limit_zone z5:64k key=address rate=1/s burst=1;
    payhub_limit_zone z6:64k key=address rate=1/s burst=1;
    payhub_limit_zone z7:64k key=address rate=1/s burst=1;
    payhub_limit_zone z8:64k key=address rate=1/s burst=1;
    payhub_limit_zone z9:64k key=address rate=1/s burst=1;
    payhub_limit_zone z10:64k key=address rate=1/s burst=1;
    payhub_limit_zone z11:64k key=address rate=1/s burst=1;
    payhub_limit_zone z12:64k key=address rate=1/s burst=1;
    payhub_limit_zone z13:64k key=address rate=1/s burst=1;
    payhub_limit_zone z14:64k key=address rate=1/s burst=1;
    payhub_limit_zone z15:64k key=address rate=1/s burst=1;
    payhub_limit_zone z16:64k key=address rate=1/s burst=1;
    payhub_limit_zone z17:64k key=address rate=1/s burst=1;
    payhub_limit_zone z18:64k key=address rate=1/s burst=1;
    payhub_limit_zone z19:64k key=address rate=1/s burst=1;
    payhub_limit_zone z20:64k key=address rate=1/s burst=1;
    payhub_limit_zone z21:64k key=address rate=1/s burst=1;
    payhub_limit_zone z22:64k key=address rate=1/s burst=1;
    payhub_limit_zone z23:64k key=address rate=1/s burst=1;
    payhub_limit_zone z24:64k key=address rate=1/s burst=1;
    payhub_limit_zone z25:64k key=address rate=1/s burst=1;
    payhub_limit_zone z26:64k key=address rate=1/s burst=1;
    payhub_limit_zone z27:64k key=address rate=1/s burst=1;
    payhub_limit_zone z28:64k key=address rate=1/s burst=1;
    payhub_limit_zone z29:64k key=address rate=1/s burst=1;
    payhub_limit_zone z30:64k key=address rate=1/s burst=1;
    payhub_limit_zone z31:64k key=address rate=1/s burst=1;
    payhub_limit_zone z32:64k key=address rate=1/s burst=1;
    payhub_limit_zone z33:64k key=address rate=1/s burst=1;
    payhub_limit_zone z34:64k key=address rate=1/s burst=1;
    payhub_limit_zone z35:64k key=address rate=1/s burst=1;
    payhub_limit_zone z36:64k key=address rate=1/s burst=1;
    payhub_limit_zone z37:64k key=address rate=1/s burst=1;
    payhub_limit_zone z38:64k key=address rate=1/s burst=1;
    payhub_limit_zone z39:64k key=address rate=1/s burst=1;
    payhub_limit_zone z40:64k key=address rate=1/s burst=1;
    payhub_limit_zone z41:64k key=address rate=1/s burst=1;
    payhub_limit_zone z42:64k key=address rate=1/s burst=1;
    payhub_limit_zone z43:64k key=address rate=1/s burst=1;
    payhub_limit_zone z44:64k key=address rate=1/s burst=1;
    payhub_limit_zone z45:64k key=address rate=1/s burst=1;
    payhub_limit_zone z46:64k key=address rate=1/s burst=1;
    payhub_limit_zone z47:64k key=address rate=1/s burst=1;
    payhub_limit_zone z48:64k key=address rate=1/s burst=1;
    payhub_limit_zone z49:64k key=address rate=1/s burst=1;
    payhub_limit_zone z50:64k key=address rate=1/s burst=1;
    payhub_limit_zone z51:64k key=address rate=1/s burst=1;
    payhub_limit_zone z52:64k key=address rate=1/s burst=1;
    payhub_limit_zone z53:64k key=address rate=1/s burst=1;
    payhub_limit_zone z54:64k key=address rate=1/s burst=1;
    payhub_limit_zone z55:64k key=address rate=1/s burst=1;
    payhub_limit_zone z56:64k key=address rate=1/s burst=1;
    payhub_limit_zone z57:64k key=address rate=1/s burst=1;
    payhub_limit_zone z58:64k key=address rate=1/s burst=1;
    payhub_limit_zone z59:64k key=address rate=1/s burst=1;
    payhub_limit_zone z60:64k key=address rate=1/s burst=1;
    payhub_limit_zone z61:64k key=address rate=1/s burst=1;
    payhub_limit_zone z62:64k key=address rate=1/s burst=1;
    payhub_limit_zone z63:64k key=address rate=1/s burst=1;
    payhub_limit_zone z64:64k key=address rate=1/s burst=1;
--- config
    location = /t { return 204; }
--- must_die
--- error_log eval
[
    q[PH-C301 payhub_limit_zone: found more than 64 zones, expected at most 64],
]



=== TEST 68: an identity where nothing is verified: key
--- http_config
    payhub_limit_zone i:64k key=key rate=1/s burst=1;
--- config
    location /open { payhub_limit i; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found "i", which counts proven requests, in location "/open" with payhub_verify off, expected payhub_verify on or payhub_limit off there, in ],
]



=== TEST 69: an identity where nothing is verified: app
--- http_config
    payhub_limit_zone i:64k key=app rate=1/s burst=1;
--- config
    location /open { payhub_limit i; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found "i", which counts proven requests, in location "/open" with payhub_verify off, expected payhub_verify on or payhub_limit off there, in ],
]



=== TEST 70: an identity where nothing is verified: merchant
--- http_config
    payhub_limit_zone i:64k key=merchant rate=1/s burst=1;
--- config
    location /open { payhub_limit i; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found "i", which counts proven requests, in location "/open" with payhub_verify off, expected payhub_verify on or payhub_limit off there, in ],
]



=== TEST 71: an identity where nothing is verified: method
--- http_config
    payhub_limit_zone i:64k key=method rate=1/s burst=1;
--- config
    location /open { payhub_limit i; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found "i", which counts proven requests, in location "/open" with payhub_verify off, expected payhub_verify on or payhub_limit off there, in ],
]



=== TEST 72: an identity where nothing is verified: $payhub_app
--- http_config
    payhub_limit_zone i:64k key=$payhub_app rate=1/s burst=1;
--- config
    location /open { payhub_limit i; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found "i", which counts proven requests, in location "/open" with payhub_verify off, expected payhub_verify on or payhub_limit off there, in ],
]



=== TEST 73: an identity where nothing is verified: x${payhub_key_id}y
--- http_config
    payhub_limit_zone i:64k key=x${payhub_key_id}y rate=1/s burst=1;
--- config
    location /open { payhub_limit i; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found "i", which counts proven requests, in location "/open" with payhub_verify off, expected payhub_verify on or payhub_limit off there, in ],
]



=== TEST 74: an identity where nothing is verified: $uri-$PAYHUB_merchant
--- http_config
    payhub_limit_zone i:64k key=$uri-$PAYHUB_merchant rate=1/s burst=1;
--- config
    location /open { payhub_limit i; return 204; }
--- must_die
--- error_log eval
[
    q[PH-C302 payhub_limit: found "i", which counts proven requests, in location "/open" with payhub_verify off, expected payhub_verify on or payhub_limit off there, in ],
]



=== TEST 75: an identity from around, where nothing is verified
--- http_config
    payhub_limit_zone i:64k key=app rate=1/s burst=1;
--- config
    payhub_limit i;
    location /v1 { payhub_verify payhub-v3; return 204; }
    location /open { return 204; }
--- must_die
--- error_log eval
[
    q[found "i", which counts proven requests, in location "/open" with payhub_verify off],
]
