# Requests that must not get through, in one table: the status, the code, and
# that no worker has seen them.  What is wrong inside a JSON body is the worker's
# to refuse: t/component/worker/20-refusals.test.
use Test::Nginx::Socket 'no_plan';
use Digest::SHA qw(sha256);
use Payhub;
use PayhubKeys;

our ($Told, %told) = (0);

# The header lines of a request; bodies are "hello".
sub lines_of { return map {"$_\r\n"} grep {length} map { split /\n/ } @_ }

# One request as bytes, its target marked so that arrivals can be counted:
# LINES is called with method, target and body.
sub bytes {
    my ($lines, %with) = @_;

    my $method = $with{method} // 'POST';
    my $body   = $with{body}   // ($method eq 'POST' ? 'hello' : '');
    my $target = ($with{path} // '/w/a') . '?tag=bad-' . ++$Told;
    my $length = length($body) + ($with{missing} // 0);
    my $sent   = $with{sent} // $target;
    return "$method $sent HTTP/1.1\r\n"
        . join('', lines_of(@{ $with{host} // ['Host: localhost'] }, 'Connection: close',
            $with{chunked} ? 'Transfer-Encoding: chunked' : "Content-Length: $length",
            $lines->($method, $target, $body . 'x' x ($with{missing} // 0))))
        . "\r\n" . ($with{chunked} ? sprintf("%x\r\n%s\r\n0\r\n\r\n", length $body, $body) : $body);
}

sub v3_by {
    my ($key, %with) = @_;
    return sub { v3($key, @_, %with) };
}

sub rfc_by {
    my ($key, %with) = @_;
    return sub { rfc($key, @_, %with) };
}

# what a v3 header is made into
sub bent {
    my ($change, $key) = @_;
    return sub { local $_ = v3($key // 'k1', @_); $change->(); $_ };
}

sub bent_rfc {
    my ($change) = @_;
    return sub { local $_ = rfc('k1', @_); $change->(); $_ };
}

sub b64_of { my ($bytes) = @_; return b64('x' x $bytes) }

our $Covered = [qw(@method @authority @path @query content-digest)];
our $LongKey = 'i' x 256;

# [ name, lines, expected, further options of bytes() ]; expected is a status
# and a code, or "none": the connection ends without an answer
our @Cases = (

    # the header
    [ 'no header at all',     sub {''},                                             '401 PH-A101' ],
    [ 'another scheme',       sub {'Authorization: Bearer abc'},                    '401 PH-A101' ],
    [ 'the scheme alone',     sub {'Authorization: PAYHUB-V3'},                     '401 PH-A101' ],
    [ 'scheme in lower case', bent(sub {s/PAYHUB-V3/payhub-v3/}),                   '401 PH-A101' ],
    [ 'two blanks',           bent(sub {s/V3 /V3  /}),                              '401 PH-A101' ],
    [ 'a blank in between',   bent(sub {s/,n/, n/}),                                '401 PH-A101' ],
    [ 'a field twice',        bent(sub {s/$/,nonce="12345678"/}),                   '401 PH-A101' ],
    [ 'a field missing',      bent(sub {s/nonce="[^"]*",//}),                       '401 PH-A101' ],
    [ 'a field unknown',      bent(sub {s/$/,alg="hmac-sha256"/}),                  '401 PH-A101' ],
    [ 'no quotes',            bent(sub {s/timestamp="(\d+)"/timestamp=$1/}),        '401 PH-A101' ],
    [ 'quotes left open',     bent(sub {s/"$//}),                                   '401 PH-A101' ],
    [ 'a control byte',       bent(sub {s/nonce="./nonce="\x01/}),                  '401 PH-A101' ],
    [ 'a tab',                bent(sub {s/nonce="./nonce="\t/}),                    '401 PH-A101' ],
    [ 'a byte over 127',      bent(sub {s/key_id="/key_id="\xff/}),                 '401 PH-A101' ],
    [ 'a nonce too short',    v3_by('k1', nonce => '1234567'),                      '401 PH-A101' ],
    [ 'a nonce too long',     v3_by('k1', nonce => 'n' x 65),                       '401 PH-A101' ],
    [ 'a key id too long',    bent(sub {s/key_id="k1"/'key_id="' . 'k' x 33 . '"'/e}), '401 PH-A101' ],
    [ 'an empty key id',      bent(sub {s/key_id="k1"/key_id=""/}),                 '401 PH-A101' ],

    # the clock
    [ 'too old',              v3_by('k1', time => time - 1000),                     '401 PH-A101' ],
    [ 'from the future',      v3_by('k1', time => time + 1000),                     '401 PH-A101' ],
    [ 'milliseconds',         v3_by('k1', time => time . '000'),                    '401 PH-A101' ],
    [ 'a leading zero',       v3_by('k1', time => '0' . time),                      '401 PH-A101' ],
    [ 'a sign',               v3_by('k1', time => '+' . time),                      '401 PH-A101' ],
    [ 'more than 64 bits',    v3_by('k1', time => '9' x 30),                        '401 PH-A101' ],
    [ 'no number',            v3_by('k1', time => 'now'),                           '401 PH-A101' ],
    [ 'no time',              v3_by('k1', time => ''),                              '401 PH-A101' ],

    # base64
    [ 'no padding',           bent(sub {s/="$/"/}),                                 '401 PH-A101' ],
    [ 'an unused bit',        v3_by('k1', text => 'A' x 42 . 'B='),                 '401 PH-A101' ],
    [ 'another alphabet',     v3_by('k1', text => '-_' x 21 . 'A='),                '401 PH-A101' ],
    [ 'padding inside',       v3_by('k1', text => 'AA==' x 11),                     '401 PH-A101' ],
    [ 'an empty signature',   v3_by('k1', text => ''),                              '401 PH-A101' ],
    [ 'a byte too few',       v3_by('k1', text => b64_of(31)),                      '401 PH-A101' ],
    [ 'a byte too many',      v3_by('k1', text => b64_of(33)),                      '401 PH-A101' ],
    [ 'far too many',         v3_by('k1', text => b64_of(1025)),                    '401 PH-A101' ],

    # keys
    (map { [ "an unknown key, $_ bytes", v3_by('nobody', text => b64_of($_)), '401 PH-A101' ] }
        1, 31, 32, 33, 64, 65, 66, 70, 72, 73, 255, 256, 257, 384, 512, 1024),
    (map { my $key = $_;
        map { [ "$key, $_ bytes", v3_by($key, text => b64_of($_)), '401 PH-A101' ] } 32, 64, 70, 256 }
        qw(k1 rsa pss ec ed)),
    [ 'before its time',      v3_by('early'),                                       '401 PH-A101' ],
    [ 'after its time',       v3_by('late'),                                        '401 PH-A101' ],
    [ "another's secret",     v3_by('k1', by => 'k2'),                              '401 PH-A101' ],
    [ 'a key that is not of this scheme', v3_by('rfconly', by => 'k1'),             '401 PH-A101' ],
    [ 'the public key as an HMAC secret', v3_by('ed', raw => sha256('x')),          '401 PH-A101' ],

    # what was signed
    [ 'another method',       sub { v3('k1', 'PUT', @_[ 1, 2 ]) },                  '401 PH-A101' ],
    [ 'another target',       sub { v3('k1', $_[0], "$_[1]&x", $_[2]) },            '401 PH-A101' ],
    [ 'another body',         sub { v3('k1', @_[ 0, 1 ], 'hellp') },                '401 PH-A101' ],
    [ 'a body not signed',    sub { v3('k1', @_[ 0, 1 ], '') },                     '401 PH-A101' ],
    [ 'a body missing',       sub { v3('k1', @_[ 0, 1 ], 'hello') },                '401 PH-A101', body => '' ],

    # twice
    [ 'Authorization twice',  sub { v3('k1', @_) . "\n" . v3('k1', @_) },           '400 PH-A102' ],
    [ 'and the second empty', v3_by('k1', extra => 'Authorization: '),              '400 PH-A102' ],
    [ 'Host twice',           v3_by('k1'), '400 PH-A290', host => [ 'Host: localhost', 'Host: localhost' ] ],
    [ 'Host twice, another',  rfc_by('k1'), '400 PH-A290', host => [ 'Host: other', 'Host: localhost' ], path => '/r/a' ],
    [ 'Content-Length twice', v3_by('k1', extra => 'Content-Length: 5'),            '400 PH-A290' ],
    [ 'both schemes',         sub { v3('k1', @_) . "\n" . rfc('k1', @_) },          '400 PH-A104', path => '/b/a' ],

    # the target
    [ 'absolute form',        v3_by('k1'), '400 PH-A201', sent => 'http://localhost/w/a' ],
    [ 'a fragment',           v3_by('k1'), '400 PH-A201', sent => '/w/a#x' ],
    (map { [ "a path that reads otherwise: $_", v3_by('k1'), '404 PH-A207', path => $_ ] }
        '/w/%61', '/w/a;b', '/w/a\\b', '/w//a', '/w/./a', '/w/b/../a', '/w/a/..', '/w/.'),

    # the body
    [ 'gzip',                 v3_by('k1', extra => 'Content-Encoding: gzip'),       '415 PH-A210' ],
    [ 'identity as well',     v3_by('k1', extra => 'Content-Encoding: identity'),   '415 PH-A210' ],
    [ 'oversize, by length',  v3_by('k1'), '413 PH-A209', body => 'x' x 2049 ],
    [ 'oversize, in chunks',  v3_by('k1'), '413 PH-A209', body => 'x' x 2049, chunked => 1 ],
    [ 'oversize, unsigned',   sub {''},    '413 PH-A209', body => 'x' x 2049 ],
    [ 'truncated, waiting',   v3_by('k1'), 'none', missing => 1 ],
    [ 'truncated, rfc9421',   rfc_by('k1'), 'none', missing => 1, path => '/r/a' ],
    [ 'truncated, signed as sent', sub { v3('k1', @_[ 0, 1 ], 'hello') }, 'none', missing => 1 ],
    [ 'truncated, closed',    v3_by('k1'), 'none closed', missing => 1 ],

    # rfc9421
    [ 'no Signature',         bent_rfc(sub {s/^Signature: .*\n?//m}),               '401 PH-A101', path => '/r/a' ],
    [ 'no Signature-Input',   bent_rfc(sub {s/^Signature-Input: .*\n?//m}),         '401 PH-A101', path => '/r/a' ],
    [ 'other labels',         bent_rfc(sub {s/^Signature: sig1/Signature: sig2/m}), '401 PH-A101', path => '/r/a' ],
    [ 'a label twice',        bent_rfc(sub {s/^(Signature-Input: )(.*)$/$1$2, $2/m}), '401 PH-A101', path => '/r/a' ],
    [ 'Signature twice',      rfc_by('k1', extra => 'Signature: x=:AAAA:'),         '400 PH-A104', path => '/r/a' ],
    [ 'Signature-Input twice', rfc_by('k1', extra => 'Signature-Input: x=()'),      '400 PH-A104', path => '/r/a' ],
    [ 'Content-Digest twice', rfc_by('k1', extra => 'Content-Digest: md5=:AAAA:'),  '400 PH-A104', path => '/r/a' ],
    [ 'too long',             rfc_by('k1', more => [ 'tag="' . 't' x 4200 . '"' ]), '400 PH-A104', path => '/r/a' ],
    [ 'created too early',    rfc_by('k1', created => time - 1000),                 '401 PH-A101', path => '/r/a' ],
    [ 'created too late',     rfc_by('k1', created => time + 1000),                 '401 PH-A101', path => '/r/a' ],
    [ 'expired',              rfc_by('k1', more => [ 'expires=' . (time - 5) ], created => time - 9), '401 PH-A101',
        path => '/r/a' ],
    [ "another key's alg",    rfc_by('k1', more => ['alg="ed25519"']),              '401 PH-A101', path => '/r/a' ],
    [ 'no digest',            rfc_by('k1', no_digest => 1),                         '401 PH-A101', path => '/r/a' ],
    [ 'a wrong digest',       rfc_by('k1', digest => 'sha-256=:' . b64_of(32) . ':'), '401 PH-A101', path => '/r/a' ],
    [ 'a digest of another kind', rfc_by('k1', digest => 'md5=:' . b64_of(16) . ':'), '401 PH-A101', path => '/r/a' ],
    [ 'another body',         sub { rfc('k1', @_[ 0, 1 ], 'hellp') },               '401 PH-A101', path => '/r/a' ],
    [ 'a component left out', rfc_by('k1', components => [ grep { $_ ne '@query' } @{$Covered} ]), '401 PH-A101',
        path => '/r/a' ],
    [ 'a component with a parameter', bent_rfc(sub {s/"\@path"/"\@path";req/}),     '400 PH-A104', path => '/r/a' ],
    [ 'unknown key, HMAC',    rfc_by('nobody'),                                     '401 PH-A101', path => '/r/a' ],
    (map { [ "unknown key, $_ bytes", rfc_by('nobody', text => b64_of($_)), '401 PH-A101', path => '/r/a' ] }
        64, 70, 256),
    [ 'base64 with an unused bit', rfc_by('k1', text => 'A' x 42 . 'B='),           '401 PH-A101', path => '/r/a' ],
    [ 'a key that is not of that scheme', rfc_by('v3only', by => 'k1'),             '401 PH-A101', path => '/r/a' ],
    [ 'Idempotency-Key, not covered', rfc_by('k1', extra => 'Idempotency-Key: i-1'), '401 PH-A101', path => '/r/a' ],
    [ 'Idempotency-Key twice', rfc_by('k1', extra => "Idempotency-Key: i-1\nIdempotency-Key: i-1",
            components => [ @{$Covered}, 'idempotency-key' ], fields => { 'idempotency-key' => 'i-1' }),
        '400 PH-A104', path => '/r/a' ],
    [ 'Idempotency-Key over 255 bytes', rfc_by('k1', extra => "Idempotency-Key: $LongKey",
            components => [ @{$Covered}, 'idempotency-key' ], fields => { 'idempotency-key' => $LongKey }),
        '400 PH-A290', path => '/r/a' ],
    [ 'and the same of a caller who proves nothing', rfc_by('k1', by => 'k2', extra => "Idempotency-Key: $LongKey",
            components => [ @{$Covered}, 'idempotency-key' ], fields => { 'idempotency-key' => $LongKey }),
        '401 PH-A101', path => '/r/a' ],
);

# what does get through, so that the count of the others means something
our @Good = (
    [ 'payhub-v3', v3_by('k1') ],
    [ 'rfc9421',   rfc_by('k1'), path => '/r/a' ],
    [ 'a body just as large as may be', v3_by('k1'), body => 'x' x 2048 ],
    [ 'Idempotency-Key of 255 bytes', rfc_by('k1', extra => 'Idempotency-Key: ' . substr($LongKey, 1),
            components => [ @{$Covered}, 'idempotency-key' ],
            fields => { 'idempotency-key' => substr $LongKey, 1 }), path => '/r/a' ],
);

keys_start();
edge_defaults();

my $keys = join '', map {"payhub_key $_->[0] hmac-sha256 secret=file:\$TEST_NGINX_PAYHUB_DIR/k1 schemes=$_->[1];\n"}
    [ 'v3only', 'payhub-v3' ], [ 'rfconly', 'rfc9421' ];
my $algs = alg_key_lines() =~ s/^payhub_key sm2 .*\n//mr;    # without one there is no pool

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('http_config', main::http_config() . $algs . $keys);
    $block->set_value('config', '
    client_body_timeout 300ms;
    location /w/ { client_max_body_size 2k; payhub_verify payhub-v3; payhub_pass payhub_workers; }
    location /r/ { client_max_body_size 2k; payhub_verify rfc9421; payhub_pass payhub_workers; }
    location /b/ { client_max_body_size 2k; payhub_verify payhub-v3 rfc9421; payhub_pass payhub_workers; }');
    return if !defined $block->bad && !defined $block->good;

    # signed now: the window is counted from here
    my ($list, $at) = defined $block->bad ? (\@main::Cases, $block->bad) : (\@main::Good, $block->good);
    my ($name, $lines, @with) = @{ $list->[$at] };
    my $expected = defined $block->bad ? shift @with : '200';
    my $bytes    = bytes($lines, @with);
    $main::told{"bad-$main::Told"} = [ $expected eq '200', $name ];
    $block->set_value('raw_request', $bytes);
});

my $data = '';
my $n    = 0;
for my $at (0 .. $#Cases) {
    my ($name, undef, $expected) = @{ $Cases[$at] };
    my ($status, $code) = split / /, $expected;

    $data .= sprintf "=== TEST %d: %s\n--- bad: %d\n%s\n\n\n", ++$n, $name, $at,
        $status eq 'none'
        ? "--- error_code:\n--- ignore_response\n" . ($code ? '--- shutdown: 1' : '--- wait: 0.5')
        : "--- error_code: $status\n--- response_body_like: \"status\":$status,.*\"code\":\"$code\"";
}
$data .= sprintf "=== TEST %d: %s\n--- good: %d\n--- error_code: 200\n\n\n", ++$n, $Good[$_][0], $_ for 0 .. $#Good;

open my $in, '<', \$data or die $!;
*main::DATA = $in;
run_tests();

for my $tag (sort keys %told) {
    my ($is_good, $name) = @{ $told{$tag} };
    is(Payhub::arrivals($tag), $is_good ? 'a=1' : '', "$name: " . ($is_good ? 'arrived once' : 'nothing arrived'));
}
is(scalar(keys %told), @Cases + @Good, 'of every one of them');
