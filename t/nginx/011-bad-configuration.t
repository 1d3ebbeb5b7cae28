# One table of wrong lines, at least one for each code: what nginx -t says, whole,
# with the file and the line.  More cases of each directive stand in its own band.
use strict;
use warnings;

use Payhub;
use Test::More;

my $nginx  = $ENV{TEST_NGINX_BINARY}       || '/usr/sbin/nginx';
my $module = $ENV{TEST_NGINX_LOAD_MODULES} // 'build/release/ngx_http_payhub_module.so';
my $dir    = payhub_dir() . '/bad';
my $k1     = 'secret=file:' . payhub_dir() . '/k1';
my $zone   = 'payhub_zone z:8m;';
my $up     = "upstream w { server unix:$dir/w.sock; }";
my $sealed = "$dir/seal";

# what goes into http{}, what into server{}, and the message behind "[emerg] ".
# `*` stands for any text; the line is that of the mistake, 1 the first of its
# block, s the server's.
my @table = (
    [ 'payhub_key',            "payhub_key k.1 hmac-sha256 $k1;",       '', 'PH-C102 payhub_key: found id "k.1", expected 1 to 32 of *', 1 ],
    [ 'an algorithm',          "\npayhub_key k md5 $k1;",               '', 'PH-C102 payhub_key: found algorithm "md5", expected one of hmac-sha256, *', 2 ],
    [ 'no secret',             "payhub_key k hmac-sha256;",             '', 'PH-C102 payhub_key: found no secret for "k", expected secret=file:PATH*', 1 ],
    [ 'no file',               "payhub_key k hmac-sha256 secret=file:$dir/none;", '', 'PH-C103 payhub_key: found no readable file *, expected *', 1 ],
    [ 'payhub_zone',           'payhub_zone z;',                        '', 'PH-C104 payhub_zone: found "z", expected name:size*', 1 ],
    [ 'too small',             'payhub_zone z:4k;',                     '', 'PH-C104 payhub_zone: found size "4k", expected at least *', 1 ],
    [ 'half a state file',     "payhub_zone z:8m state=$dir/s;",        '', 'PH-C104 payhub_zone: found state= alone, expected state=PATH and seal=file:PATH together', 1 ],
    [ 'a seal that is none',   "payhub_zone z:8m state=$dir/s seal=file:$sealed;", '', 'PH-C104 payhub_zone: found something else in *, expected 64 hexadecimal digits', 1 ],
    [ 'payhub_sync',           "$zone\n$up\npayhub_sync unix:/x;",      '', 'PH-C105 payhub_sync: found "unix:/x", expected the name of an upstream*', 3 ],
    [ 'no zone for it',        "$up\npayhub_sync w;",                   '', 'PH-C105 payhub_sync: found no payhub_zone, expected one beside it', 0 ],
    [ 'an interval',           "$zone $up\npayhub_sync w interval=9m;", '', 'PH-C105 payhub_sync: found interval=9m, expected *', 2 ],
    [ 'payhub_control',        $zone, 'location /c { payhub_control; payhub_control; }', 'PH-C106 payhub_control: found it twice, expected it once*', 's' ],
    [ 'payhub_status',         '', 'location /s { payhub_status xml; }', 'PH-C107 payhub_status: found "xml", expected json, *', 's' ],
    [ 'its life',              '', "\nlocation /s { payhub_status events life=2d; }", 'PH-C107 payhub_status: found "life=2d", expected *', 's2' ],
    [ 'payhub_verify',         '', 'payhub_verify hmac;',               'PH-C201 payhub_verify: found "hmac", expected payhub-v3, rfc9421, or off alone', 's' ],
    [ 'payhub_verify_window',  '', 'payhub_verify_window 2h;',          'PH-C201 payhub_verify_window: found "2h", expected a time of 1s to 3600s', 's' ],
    [ 'payhub_verify_threads', '', 'payhub_verify_threads none;',       'PH-C202 payhub_verify_threads: found "none", expected *', 's' ],
    [ 'payhub_nonce',          '', "payhub_verify payhub-v3;\npayhub_nonce on;", 'PH-C203 payhub_nonce: found "on", expected zone=name:size, *', 's2' ],
    [ 'a nonce zone',          '', 'payhub_verify payhub-v3; payhub_nonce zone=n:1k;', 'PH-C203 payhub_nonce: found size "1k", expected *', 's' ],
    [ 'nothing is verified',   '', "location /v/ { payhub_nonce zone=n:1m; return 200; }", 'PH-C203 payhub_nonce: found no payhub_verify for location "/v/", expected *', 0 ],
    [ 'payhub_limit_zone',     'payhub_limit_zone l:64k key=address rate=fast burst=1;', '', 'PH-C301 payhub_limit_zone: found rate "fast", expected *', 1 ],
    [ 'no burst',              "\npayhub_limit_zone l:64k key=address rate=1/s;",        '', 'PH-C301 payhub_limit_zone: found no burst= for "l", expected *', 2 ],
    [ 'payhub_limit',          '', 'payhub_limit none;',                'PH-C302 payhub_limit: found "none", expected *', 's?' ],
    [ 'its cost',              'payhub_limit_zone l:64k key=address rate=1/s burst=1;', "payhub_limit l cost=0;", 'PH-C302 payhub_limit: found cost "0", expected *', 's' ],
    [ 'an identity unproven',  'payhub_limit_zone l:64k key=app rate=1/s burst=1;', 'location /l { payhub_limit l; return 200; }', 'PH-C302 payhub_limit: found *, expected *', 0 ],
    [ 'payhub_pass',           '', 'location /p { payhub_pass http://w; }', 'PH-C401 payhub_pass: found "http://w", expected the name of an upstream or unix:/PATH', 's' ],
    [ 'payhub_pass_timeout',   '', "location /p {\npayhub_pass_timeout 1h; }", 'PH-C401 payhub_pass_timeout: found "1h", expected a time of 100ms to 600000ms', 's2' ],
    [ 'payhub_channel',        'payhub_channel a weight=1;',            '', 'PH-C402 payhub_channel: found "a", expected channel=NAME with it', 1 ],
    [ 'payhub_route',          "payhub_route r {\n  rule a country=cn -> b;\n}", '', 'PH-C403 payhub_route "r": found "country=cn", expected method=, *', 2 ],
    [ 'payhub_route_by',       '', 'payhub_route_by a/b;',              'PH-C403 payhub_route_by: found "a/b", expected the name of a payhub_route, or off', 's' ],
);

sub spill {
    my ($path, $text) = @_;

    open my $out, '>', $path or die "$path: $!";
    print {$out} $text;
    close $out or die "$path: $!";
    return;
}

sub says {
    my ($http, $server) = @_;

    my $load = $module ne '' ? "load_module $module;" : '';
    my $temp = join ' ', map {"${_}_temp_path $dir/$_;"} qw(client_body proxy fastcgi uwsgi scgi);
    my $head = "$load events { } pid $dir/pid; http { $temp access_log off;";
    my $top  = ($head =~ tr/\n//) + 2;
    my $text = "$head\n$http\n";
    my $srv  = ($text =~ tr/\n//) + 2;
    spill("$dir/nginx.conf", "$text server { listen unix:$dir/sock;\n$server\n}\n}\n");
    local $ENV{LD_PRELOAD} = $ENV{TEST_NGINX_LD_PRELOAD} // '';
    my $said = qx($nginx -t -q -e $dir/error.log -p $dir/ -c $dir/nginx.conf 2>&1);
    return ($?, $said, $top, $srv);
}

mkdir $dir or die "$dir: $!";
spill($sealed, "no seal\n");
chmod 0600, $sealed;

my %seen;
for my $row (@table) {
    my ($name, $http, $server, $message, $where) = @{$row};
    my ($status, $said, $top, $srv) = says($http, $server);

    $message =~ /^(PH-C\d+) (\w+)/ or die $message;
    $seen{$1}++;
    $seen{$2}++;
    my $expected = join '.*', map {quotemeta} split /[*]/, $message, -1;
    my $line = $where =~ /^\d/ ? ($where ? $top + $where - 1 : undef)
        : $where =~ /^s(\d+)?$/ ? $srv + ($1 // 1) - 1
        :                         undef;
    my $at = defined $line ? qr{ in \Q$dir\E/nginx\.conf:$line} : qr{(?: in \Q$dir\E/nginx\.conf:\d+)?};
    like($said, qr{\[emerg\] (?:\d+#\d+: )?$expected(?: \(\d+: [^)]*\))?$at$}m, "$name: code, found, expected, line");
    isnt($status, 0, "$name: and nginx does not start");
}

# what is documented has a row here
open my $in, '<', 'docs/directives.md' or die $!;
my @documented = map {/^\| (PH-C\d+) \|/ ? $1 : /^### (payhub_\w+)/ ? $1 : ()} <$in>;
close $in;
cmp_ok(scalar @documented, '>', 20, 'codes and directives are documented');
my @missing = grep { !$seen{$_} && $_ ne 'PH-C101' } @documented;    # 65,537 keys: 010-directives.t
is("@missing", '', 'each of them has a row');

done_testing();
