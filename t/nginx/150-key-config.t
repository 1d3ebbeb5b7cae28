# Key lines and the lines of verification: each mistake stops the start with
# what was found and what was expected.
use Test::Nginx::Socket 'no_plan';
use Payhub;
use PayhubKeys;

keys_start();
our $dir = payhub_dir();

sub file {
    my ($name, $text) = @_;

    open my $out, '>', "$dir/$name" or die $!;
    print {$out} $text;
    close $out;
    return;
}

file('two.pem', key_pem('ed') . key_pem('ed2'));
file('after.pem', key_pem('ed') . "# why not\n");
file('blank.pem', key_pem('ed') . "\n\n \t\r\n");
file('cut.pem', substr key_pem('rsa'), 0, 200);
file('word.pem', "sekrit-of-somebody\n");
file('large.pem', ' ' x 5000);
file('turned.pem', key_pem('ed') =~ s/MCow/NCow/r);
system 'sh', '-c', "openssl pkey -in $dir/ed.key -out $dir/private.pem";
system 'sh', '-c', "openssl rsa -in $dir/rsa.key -RSAPublicKey_out -out $dir/pkcs1.pem 2>/dev/null";
chmod 0644, "$dir/private.pem";

edge_defaults();

my @cases = (
    # name, key line or others, what the log says; undef: it starts
    [ 'an unknown algorithm', "payhub_key a md5 secret=file:$dir/k1;",
        'PH-C102 payhub_key: found algorithm "md5", expected one of hmac-sha256, rsa-v1_5-sha256' ],
    [ 'in capitals', "payhub_key a ED25519 pub=file:$dir/ed.pem;",
        'PH-C102 payhub_key: found algorithm "ED25519"' ],
    [ 'no public key', 'payhub_key a ed25519 app=x;',
        'PH-C102 payhub_key: found no public key for "a", expected pub=file:PATH' ],
    [ 'a secret for a public algorithm', "payhub_key a ed25519 secret=file:$dir/k1;",
        'PH-C102 payhub_key: found secret=, expected pub=file:PATH' ],
    [ 'a public key for an HMAC', "payhub_key a hmac-sha256 pub=file:$dir/ed.pem;",
        'PH-C102 payhub_key: found pub=, expected secret=file:PATH' ],
    [ 'a public key in the line', 'payhub_key a ed25519 pub=MCowBQ;',
        'PH-C102 payhub_key: found pub="MCowBQ", expected pub=file:PATH' ],
    [ 'no such file', "payhub_key a ed25519 pub=file:$dir/nothing;",
        'PH-C103 payhub_key: found no readable file' ],
    [ 'a folder', "payhub_key a ed25519 pub=file:$dir;", 'expected an ordinary file' ],
    [ 'a word', "payhub_key a ed25519 pub=file:$dir/word.pem;",
        'PH-C103 payhub_key: found no such PEM in', 'sekrit' ],
    [ 'half a PEM', "payhub_key a rsa-v1_5-sha256 pub=file:$dir/cut.pem;", 'found no such PEM' ],
    [ 'two keys in a file', "payhub_key a ed25519 pub=file:$dir/two.pem;", 'found no such PEM' ],
    [ 'text behind it', "payhub_key a ed25519 pub=file:$dir/after.pem;", 'found no such PEM' ],
    [ 'a private key', "payhub_key a ed25519 pub=file:$dir/private.pem;", 'found no such PEM' ],
    [ 'PKCS 1', "payhub_key a rsa-v1_5-sha256 pub=file:$dir/pkcs1.pem;", 'found no such PEM' ],
    [ 'a PEM of something else', "payhub_key a ed25519 pub=file:$dir/turned.pem;", 'PH-C103 payhub_key: found' ],
    [ 'too large a file', "payhub_key a ed25519 pub=file:$dir/large.pem;",
        'or more bytes in' ],
    [ 'a weak RSA key', "payhub_key a rsa-v1_5-sha256 pub=file:$dir/weak.pem;",
        'PH-C103 payhub_key: found a key that is too weak or too large in' ],
    [ 'another curve', "payhub_key a ecdsa-p256-sha256 pub=file:$dir/p384.pem;",
        'found a key of another kind' ],
    [ 'SM2 as P-256', "payhub_key a ecdsa-p256-sha256 pub=file:$dir/sm2.pem;",
        'found a key of another kind' ],
    [ 'P-256 as SM2', "payhub_key a sm2-sm3 pub=file:$dir/ec.pem;", 'found a key of another kind' ],
    [ 'RSA as Ed25519', "payhub_key a ed25519 pub=file:$dir/rsa.pem;", 'found a key of another kind' ],
    [ 'Ed25519 as RSA', "payhub_key a rsa-pss-sha512 pub=file:$dir/ed.pem;", 'found a key of another kind' ],
    [ 'blanks behind it', "payhub_key a ed25519 pub=file:$dir/blank.pem;", undef ],
    [ 'a scheme that SM2 does not serve', "payhub_key a sm2-sm3 pub=file:$dir/sm2.pem schemes=rfc9421;",
        'PH-C102 payhub_key: found scheme "rfc9421", expected one that the algorithm serves' ],
    [ 'a scheme that is none', "payhub_key a ed25519 pub=file:$dir/ed.pem schemes=epay;",
        'PH-C102 payhub_key: found scheme "epay", expected payhub-v3 or rfc9421' ],
    [ 'an empty list', "payhub_key a ed25519 pub=file:$dir/ed.pem schemes=;", 'found scheme ""' ],
    [ 'both schemes', "payhub_key a ed25519 pub=file:$dir/ed.pem schemes=rfc9421,payhub-v3;", undef ],
    [ 'one id for two algorithms', "payhub_key a hmac-sha256 secret=file:$dir/k1;\n"
            . "payhub_key a ed25519 pub=file:$dir/ed.pem;",
        'PH-C102 payhub_key: found "a" twice' ],
    [ 'a hundred keys', join("\n", map {"payhub_key a$_ hmac-sha256 secret=file:$dir/k1;"} 1 .. 100), undef ],
    [ 'threads without a pool', 'payhub_verify_threads 4;',
        'PH-C202 payhub_verify_threads: found "4", expected pool=NAME' ],
    [ 'threads with an empty pool', 'payhub_verify_threads pool=;',
        'PH-C202 payhub_verify_threads: found "pool=", expected pool=NAME' ],
    [ 'threads twice', "payhub_verify_threads pool=default;\npayhub_verify_threads pool=default;",
        'PH-C202 payhub_verify_threads: found it twice' ],
    [ 'a pool that is nowhere', 'payhub_verify_threads pool=nowhere;', 'unknown thread pool "nowhere"' ],
    [ "nginx's own pool", 'payhub_verify_threads pool=default;', undef ],
);

my $data = '';
my $n    = 0;
for my $case (@cases) {
    my ($name, $lines, $says, $hides) = @{$case};

    $data .= sprintf "=== TEST %d: %s\n--- http_config\n%s\n--- config\n    location = /t { return 200 \"up\\n\"; }\n",
        ++$n, $name, $lines;
    $data .=
        defined $says
        ? "--- must_die\n--- error_log eval\n[q{$says}]\n"
        . (defined $hides ? "--- no_error_log\n$hides\n" : '')
        : "--- request\nGET /t\n--- response_body\nup\n";
    $data .= "\n\n";
}
open my $in, '<', \$data or die $!;
*main::DATA = $in;
run_tests();
