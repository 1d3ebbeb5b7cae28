package PayhubKeys;

# Keys of every algorithm and requests signed with them, by the openssl command
# and Perl's own digests: nothing here comes from the C code.  The keys are
# made when a file starts, in the folder of Payhub.pm.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256 sha256 sha512);
use Exporter qw(import);
use MIME::Base64 qw(encode_base64 decode_base64);
use Payhub qw(payhub_dir secret);

our @EXPORT = qw(keys_start alg_key_lines v3 rfc b64 sign_with key_pem);

# id of a key => its algorithm; "other" keys have an app of their own
our %alg = (
    k1       => 'hmac-sha256',
    k2       => 'hmac-sha256',
    hm       => 'hmac-sha256',
    rsa      => 'rsa-v1_5-sha256',
    rsa3     => 'rsa-v1_5-sha256',
    pss      => 'rsa-pss-sha512',
    ec       => 'ecdsa-p256-sha256',
    ed       => 'ed25519',
    ed2      => 'ed25519',
    sm2      => 'sm2-sm3',
    stranger => 'ed25519',
);

my %make = (
    rsa  => 'genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048',
    rsa3 => 'genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072',
    weak => 'genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024',
    pss  => 'genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048',
    ec   => 'genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256',
    p384 => 'genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384',
    ed   => 'genpkey -algorithm ed25519',
    ed2  => 'genpkey -algorithm ed25519',
    sm2  => 'genpkey -algorithm EC -pkeyopt ec_paramgen_curve:SM2',
    stranger => 'genpkey -algorithm ed25519',
);

my $dir;

sub run {
    my ($command) = @_;

    my $out = qx($command 2>/dev/null);
    die "failed: $command\n" if $? != 0;
    return $out;
}

sub write_bytes {
    my ($path, $bytes) = @_;

    open my $out, '>:raw', $path or die "$path: $!";
    print {$out} $bytes;
    close $out or die "$path: $!";
    return $path;
}

sub keys_start {
    return if $dir;
    $dir = payhub_dir();
    for my $name (sort keys %make) {
        run("openssl $make{$name} -out $dir/$name.key");
        run("openssl pkey -in $dir/$name.key -pubout -out $dir/$name.pem");
    }
    write_bytes("$dir/hm", secret('k1') . "-of-hm\n");
    chmod 0600, "$dir/hm";
    return;
}

sub key_pem {
    my ($name) = @_;

    keys_start();
    open my $in, '<', "$dir/$name.pem" or die $!;
    local $/ = undef;
    return <$in>;
}

sub alg_key_lines {
    keys_start();
    my $text = "payhub_key hm hmac-sha256 secret=file:$dir/hm app=hm-app;\n";
    for my $id (qw(rsa rsa3 pss ec ed ed2 sm2)) {
        $text .= "payhub_key $id $alg{$id} pub=file:$dir/$id.pem app=$id-app;\n";
    }
    return $text;
}

sub b64 { return encode_base64($_[0], '') }

# DER of two integers to r and s of 32 bytes each
sub der_to_raw {
    my ($der) = @_;

    my @integers = unpack 'x[2] xC/a xC/a', $der;
    return join '', map { s/^\0+//r } () if !@integers;
    return join '', map { my $i = s/^\0+//r; ("\0" x (32 - length $i)) . $i } @integers;
}

# The signature's bytes of TEXT by key ID, with another algorithm if asked.
sub sign_with {
    my ($id, $text, $alg) = @_;

    keys_start();
    $alg //= $alg{$id} // 'hmac-sha256';
    if ($alg eq 'hmac-sha256') {
        my $secret = $id eq 'hm' ? secret('k1') . '-of-hm' : secret($id) // 'nobody knows';
        return hmac_sha256($text, $secret);
    }
    my $file = write_bytes("$dir/message.$$", $text);
    my $key  = "$dir/$id.key";
    my %how  = (
        'rsa-v1_5-sha256' => "dgst -sha256 -sign $key -binary $file",
        'rsa-pss-sha512'  => "dgst -sha512 -sign $key -binary"
            . " -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:64 $file",
        'ecdsa-p256-sha256' => "dgst -sha256 -sign $key -binary $file",
        'ed25519'           => "pkeyutl -sign -rawin -inkey $key -in $file",
        'sm2-sm3' => "pkeyutl -sign -rawin -digest sm3 -inkey $key -in $file"
            . ' -pkeyopt distid:1234567812345678',
    );
    my $signature = run("openssl $how{$alg}");
    return $alg eq 'ecdsa-p256-sha256' ? der_to_raw($signature) : $signature;
}

my $nonces = 0;

sub nonce { return sprintf 'k-%d-%06d', $$, ++$nonces }

# payhub-v3: the Authorization line by key ID
sub v3 {
    my ($id, $method, $target, $body, %with) = @_;

    my $time  = $with{time}  // time;
    my $nonce = $with{nonce} // nonce();
    my $text  = join "\n", $method, $target, $time, $nonce, $body // '', '';
    my $raw   = $with{raw} // sign_with($with{by} // $id, $text, $with{alg});
    $raw = $with{spoil}->($raw) if $with{spoil};
    my $sign = $with{text} // b64($raw);
    return join "\n",
        qq{Authorization: PAYHUB-V3 key_id="$id",timestamp="$time",nonce="$nonce",signature="$sign"},
        $with{extra} // ();
}

# rfc9421: the lines Content-Digest, Signature-Input and Signature.  What can
# be asked for: components, params (a list of texts), authority, label, digest,
# fields { name => value as the base has it }, no_digest, base (sees the base).
sub rfc {
    my ($id, $method, $target, $body, %with) = @_;

    my ($path, $query) = $target =~ m{^([^?]*)(\?.*)?$}s;
    my $digest = $with{digest} // 'sha-256=:' . b64(sha256($body // '')) . ':';
    my $has_digest = length($body // '') && !$with{no_digest};
    my @components = @{ $with{components}
            // [ qw(@method @authority @path @query), $has_digest ? 'content-digest' : () ] };
    my %value = (
        '@method'        => $method,
        '@authority'     => $with{authority} // 'localhost',
        '@path'          => $path,
        '@query'         => $query // '?',
        'content-digest' => $digest,
        %{ $with{fields} // {} },
    );
    my $created = $with{created} // time;
    my @params  = @{ $with{params} // [
            qq{created=$created}, qq{keyid="$id"}, sprintf('nonce="%s"', $with{nonce} // nonce()),
            @{ $with{more} // [] } ] };
    my $input = '(' . join(' ', map {qq{"$_"}} @components) . ')' . join '', map {";$_"} @params;
    my $base  = join '', (map { sprintf qq{"%s": %s\n}, $_, $value{$_} // '' } @components),
        qq{"\@signature-params": $input};
    my $raw = sign_with($with{by} // $id, $base, $with{alg});
    $raw = $with{spoil}->($raw) if $with{spoil};
    my $label = $with{label} // 'sig1';
    my $sign = $with{text} // b64($raw);
    return join "\n", $has_digest ? "Content-Digest: $digest" : (),
        "Signature-Input: $label=$input", "Signature: $label=:$sign:", $with{extra} // ();
}

1;
