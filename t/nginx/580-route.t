# payhub_route: which rule and which account, in front of "return".
use Test::Nginx::Socket 'no_plan';
use Payhub;

# A payment's body; members that are given replace the usual ones.
sub pay {
    my (%set) = @_;
    my %member = (method => '"card"', currency => '"CNY"', amount => 1000, %set);
    return '{' . join(',', map {"\"$_\":$member{$_}"} sort keys %member) . '}';
}

sub post { return map {"POST /r\n$_"} @_ }

our $Channels = q[
    payhub_channel a channel=x;
    payhub_channel b channel=x weight=3;
    payhub_channel c channel=y methods=card,bar currencies=CNY fee=6000ppm+1;
    payhub_channel d channel=y methods=bar fee=5000ppm+2;
    payhub_channel e channel=z currencies=USD,JPY;
    payhub_channel f channel=z apps=app2;
];

# Who is next by weight, written from the rule and not from the code: the one
# with the smallest (2 given + 1) / weight, the earlier one of equals.
sub turns {
    my ($n, @weights) = @_;
    my @given = (0) x @weights;
    my @turns;
    for (1 .. $n) {
        my $best = 0;
        for my $i (1 .. $#weights) {
            $best = $i if (2 * $given[$i] + 1) * $weights[$best] < (2 * $given[$best] + 1) * $weights[$i];
        }
        $given[$best]++;
        push @turns, $best;
    }
    return @turns;
}

edge_defaults();
add_block_preprocessor(sub {
    my ($block) = @_;

    my $rules = $block->rules // '';
    my $zone = 'payhub_zone gate:4m;';
    $block->set_value('http_config', http_config() . $zone . ($block->channels // $main::Channels)
        . "payhub_route default { $rules }\n" . ($block->more // ''));
    $block->set_value('config', '
    location = /r { payhub_route_by default;
                    return 200 "$payhub_channel $payhub_route_reason\n"; }')
        if !defined $block->config;
});
run_tests();

__DATA__

=== TEST 1: one rule
--- rules: rule all -> a;
--- request eval
(main::post(main::pay()))[0]
--- response_body
x rule=all by=weight a 1/1



=== TEST 2: the first rule that matches decides
--- rules
rule wallets method=wallet,qr -> a;
rule large amount=100000- -> b;
rule small amount=-99 -> c;
rule usd currency=USD -> e;
rule cn metadata.region=cn,hk -> c by=priority;
rule rest -> a;
--- request eval
[main::post(main::pay(method => '"qr"'), main::pay(method => '"q"'), main::pay(amount => 100000),
  main::pay(amount => 99999), main::pay(amount => 99), main::pay(amount => 100),
  main::pay(currency => '"USD"'), main::pay(metadata => '{"region":"hk"}'),
  main::pay(metadata => '{"region":"us"}'), main::pay(metadata => '{}'))]
--- response_body eval
["x rule=wallets by=weight a 1/1\n", "x rule=rest by=weight a 1/1\n", "x rule=large by=weight b 3/3\n",
 "x rule=rest by=weight a 1/1\n", "y rule=small by=weight c 1/1\n", "x rule=rest by=weight a 1/1\n",
 "z rule=usd by=weight e 1/1\n", "y rule=cn by=priority c at=10\n",
 "x rule=rest by=weight a 1/1\n", "x rule=rest by=weight a 1/1\n"]



=== TEST 3: what an account does not take is passed over
--- rules
rule all -> c d e f a by=priority;
--- request eval
[main::post(main::pay(), main::pay(method => '"bar"'), main::pay(method => '"bar"', currency => '"EUR"'),
  main::pay(currency => '"JPY"'), main::pay(currency => '"EUR"'))]
--- response_body eval
["y rule=all by=priority c at=10\n", "y rule=all by=priority c at=10\n", "y rule=all by=priority d at=10\n",
 "z rule=all by=priority e at=10\n", "x rule=all by=priority a at=10\n"]



=== TEST 4: no account for it
--- rules: rule all -> d;
--- request eval
(main::post(main::pay()))[0]
--- response_body eval: " rule=all no account for it\n"



=== TEST 5: no rule for it
--- rules: rule bars method=bar -> d;
--- request eval
(main::post(main::pay()))[0]
--- response_body eval: " \n"



=== TEST 6: by cost, to the millionth of a minor unit
--- rules: rule all method=bar -> c d by=cost;
--- request eval
[main::post(main::pay(method => '"bar"', amount => 999), main::pay(method => '"bar"', amount => 1000),
  main::pay(method => '"bar"', amount => 1001))]
--- response_body eval
["y rule=all by=cost c fee=6.994\n", "y rule=all by=cost c fee=7\n", "y rule=all by=cost d fee=7.005\n"]



=== TEST 7: weights, exactly and evenly over 100 requests
--- rules: rule w7 -> a:70 b:30;
--- request eval
[map { main::post(main::pay()) } 1 .. 100]
--- response_body eval
my @turns = main::turns(100, 70, 30);
die 'not 70 of 100' if 70 != grep { $_ == 0 } @turns;
[map { 'x rule=w7 by=weight ' . ($_ ? 'b 30' : 'a 70') . "/100\n" } @turns]



=== TEST 8: weights of the accounts, and three of them
--- rules: rule w8 -> a b c:2;
--- request eval
[map { main::post(main::pay()) } 1 .. 60]
--- response_body eval
my @turns = main::turns(60, 1, 3, 2);
die 'not 30 of 60' if 30 != grep { $_ == 1 } @turns;
[map { (qw(x x y))[$_] . ' rule=w8 by=weight ' . ('a 1', 'b 3', 'c 2')[$_] . "/6\n" } @turns]



=== TEST 9: a whole channel, any, and a fallback
--- rules
rule one amount=1-1 -> channel:y by=priority;
rule two amount=2-2 -> any by=priority;
rule three amount=3-3 -> e fallback=b;
--- request eval
[main::post(map { main::pay(amount => $_) } 1 .. 3)]
--- response_body eval
["y rule=one by=priority c at=10\n", "x rule=two by=priority a at=10\n", "x rule=three by=weight b 3/3 fallback\n"]



=== TEST 10: a drained account gets nothing; none left is 503, may be tried again
--- channels
payhub_channel a channel=x drained;
payhub_channel b channel=x priority=99;
--- rules
rule both amount=-999 -> a b;
rule gone -> a;
--- request eval
[main::post(main::pay(amount => 1), main::pay())]
--- error_code eval: [200, 503]
--- response_headers eval
["", "Retry-After: 1\nContent-Type: application/problem+json"]
--- response_body_like eval
['^x rule=both by=weight b 1/1 drained=a$', '"code":"PH-A304".*"retryable":true']



=== TEST 11: a body that forces an account
--- rules: rule all -> a;
--- request eval
[main::post(main::pay(account => '"c"'), main::pay(account => '"nobody"'))]
--- response_body eval
["y forced=c\n", " forced=nobody\n"]



=== TEST 12: what two readers might read in two ways is not routed
--- rules
rule all metadata.region=cn -> a;
rule rest -> b;
--- request eval
[main::post('', 'method=card', '{"method":"card"', '[{"method":"card"}]', '{"method":"card","method":"card"}',
  '{"m\u0065thod":"card"}', '{"method":"c\u0061rd"}', '{"method":1}', '{"method":"a b"}',
  main::pay(amount => '"1"'), main::pay(amount => '1.0'), main::pay(amount => '9223372036854775808'),
  main::pay(amount => '1000000000000000'),
  main::pay(metadata => '{"region":"\u0063n"}'), main::pay(x => '[' x 16 . ']' x 16),
  main::pay(method => "\"\xff\""), main::pay(subject => '"\u0061"'))]
--- response_body eval
[map({" unclear=$_\n"} qw(broken type broken type duplicate escape escape type type type type range range escape depth encoding)),
 "x rule=rest by=weight b 3/3\n"]



=== TEST 13: no payment, no POST
--- rules: rule all -> a;
--- request eval
["POST /r\n{\"refund_no\":\"1\",\"amount\":5}", "GET /r", "PUT /r\n" . main::pay()]
--- response_body eval
[" \n", " \n", " \n"]



=== TEST 14: a body in a file, and one that is too large for a payment
--- rules: rule all -> a;
--- config
    client_body_in_file_only on;
    location = /r { payhub_route_by default;
                    return 200 "$payhub_channel $payhub_route_reason\n"; }
--- request eval
[main::post(main::pay(), main::pay(subject => '"' . 's' x 20000 . '"'), main::pay(subject => '"' . 's' x 70000 . '"'))]
--- response_body eval
["x rule=all by=weight a 1/1\n", "x rule=all by=weight a 1/1\n", " unclear=range\n"]



=== TEST 15: another route, inherited, off
--- rules: rule all -> a;
--- more
payhub_route other { rule o -> c; }
--- config
    payhub_route_by other;
    location = /o { return 200 "$payhub_route_reason\n"; }
    location = /d { payhub_route_by default; return 200 "$payhub_route_reason\n"; }
    location = /n { payhub_route_by off; return 200 "$payhub_route_reason\n"; }
--- request eval
[map { "POST /$_\n" . main::pay() } qw(o d n)]
--- response_body eval
["rule=o by=weight c 1/1\n", "rule=all by=weight a 1/1\n", "\n"]



=== TEST 16: app and merchant count when they are proven
--- rules
rule mine app=app1 merchant=mch1 -> a;
rule theirs app=app2 -> f;
rule rest -> b;
--- config
    location = /r { payhub_route_by default; return 200 "$payhub_route_reason\n"; }
    location = /v { payhub_verify payhub-v3; payhub_route_by default; return 200 "$payhub_route_reason\n"; }
--- request eval
["POST /v\n" . main::pay(), "POST /v\n" . main::pay(), "POST /r\n" . main::pay()]
--- more_headers eval
[main::signed("POST", "/v", main::pay()), main::signed("POST", "/v", main::pay(), key_id => "k2"), ""]
--- response_body eval
["rule=mine by=weight a 1/1\n", "rule=theirs by=weight f 1/1\n", "rule=rest by=weight b 3/3\n"]



=== TEST 17: an internal redirect chooses nothing anew
--- rules: rule w17 -> a:1 b:1;
--- config
    location = /r { payhub_route_by default; error_page 418 = /second; return 418; }
    location = /second { payhub_route_by default; return 200 "$payhub_route_reason\n"; }
--- request eval
[map { "POST /r\n" . main::pay() } 1 .. 4]
--- response_body eval
[map { "rule=w17 by=weight $_ 1/2\n" } qw(a b a b)]
