# payhub_zone, its state file and payhub_control: every mistake stops the start
# and says what was found and what was expected.
use Test::Nginx::Socket 'no_plan';
use Payhub;

edge_defaults();
Payhub::write_file(payhub_dir() . '/seal',       ('0123456789abcdef' x 4) . "\n", 0600);
Payhub::write_file(payhub_dir() . '/seal-short', "0123456789abcdef\n",            0600);
Payhub::write_file(payhub_dir() . '/seal-text',  ('x' x 64) . "\n",               0600);
add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', 'location = /t { return 204; }') if !defined $block->config;
});
run_tests();

__DATA__

=== TEST 1: no size
--- http_config
    payhub_zone z540;
--- must_die
--- error_log: PH-C104 payhub_zone: found "z540", expected name:size



=== TEST 2: no name
--- http_config
    payhub_zone :4m;
--- must_die
--- error_log: PH-C104 payhub_zone: found name "", expected 1 to 32 of [A-Za-z0-9_-], not off



=== TEST 3: a size that is none
--- http_config
    payhub_zone z540:many;
--- must_die
--- error_log: PH-C104 payhub_zone: found size "many", expected at least



=== TEST 4: too small
--- http_config
    payhub_zone z540:64k;
--- must_die
--- error_log eval: qr/PH-C104 payhub_zone: found size "64k", expected at least \d+k/



=== TEST 5: twice
--- http_config
    payhub_zone z540:4m;
    payhub_zone z541:4m;
--- must_die
--- error_log: PH-C104 payhub_zone: found it twice, expected it once



=== TEST 6: a parameter that is none
--- http_config
    payhub_zone z540:4m stat=x;
--- must_die
--- error_log: PH-C104 payhub_zone: found "stat=x", expected state=PATH or seal=file:PATH



=== TEST 7: a parameter twice
--- http_config
    payhub_zone z540:4m state=a state=b;
--- must_die
--- error_log: PH-C104 payhub_zone: found "state=b" as well, expected the parameter once



=== TEST 8: state= without seal=
--- http_config
    payhub_zone z540:4m state=a;
--- must_die
--- error_log: PH-C104 payhub_zone: found state= alone, expected state=PATH and seal=file:PATH together



=== TEST 9: seal= without state=
--- http_config
    payhub_zone z540:4m seal=file:$TEST_NGINX_PAYHUB_DIR/seal;
--- must_die
--- error_log: PH-C104 payhub_zone: found seal= alone, expected state=PATH and seal=file:PATH together



=== TEST 10: the seal in the line itself is not shown
--- http_config
    payhub_zone z540:4m state=a seal=0123456789abcdef;
--- must_die
--- error_log: PH-C104 payhub_zone: found seal= without "file:", expected seal=file:PATH
--- no_error_log: 0123456789abcdef



=== TEST 11: no such seal
--- http_config
    payhub_zone z540:4m state=a seal=file:$TEST_NGINX_PAYHUB_DIR/no-seal;
--- must_die
--- error_log eval: qr/PH-C104 payhub_zone: found no readable file ".*no-seal", expected the seal there/



=== TEST 12: a short seal
--- http_config
    payhub_zone z540:4m state=a seal=file:$TEST_NGINX_PAYHUB_DIR/seal-short;
--- must_die
--- error_log eval: qr/found something else in ".*seal-short", expected 64 hexadecimal digits/



=== TEST 13: a seal of other characters
--- http_config
    payhub_zone z540:4m state=a seal=file:$TEST_NGINX_PAYHUB_DIR/seal-text;
--- must_die
--- error_log eval: qr/found something else in ".*seal-text", expected 64 hexadecimal digits/



=== TEST 14: payhub_control twice
--- http_config
    payhub_zone z540:4m;
--- config
    location = /t { payhub_control; payhub_control; }
--- must_die
--- error_log: PH-C106 payhub_control: found it twice, expected it once in a block



=== TEST 15: payhub_control beside another handler
--- http_config
    payhub_zone z540:4m;
--- config
    location = /t { empty_gif; payhub_control; }
--- must_die
--- error_log: PH-C106 payhub_control: found another content handler in this location, expected it alone



=== TEST 16: all of it right
--- http_config
    payhub_zone z540:4m state=$TEST_NGINX_PAYHUB_DIR/state540 seal=file:$TEST_NGINX_PAYHUB_DIR/seal;
--- request
GET /t
--- error_code: 204
