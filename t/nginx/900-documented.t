# docs/directives.md and the code tell of the same directives, in the same
# contexts, and of the same variables; what the docs say is missing is missing.
use strict;
use warnings;

use Test::More;

sub slurp {
    my ($path) = @_;

    open my $in, '<', $path or die "$path: $!";
    local $/ = undef;
    return scalar <$in>;
}

my $code = join '', map { slurp($_) } glob 'ngx_payhub_module/*.c';
my $docs = slurp('docs/directives.md');

my @contexts = (
    [ 'NGX_HTTP_MAIN_CONF', 'http' ],
    [ 'NGX_HTTP_SRV_CONF',  'server' ],
    [ 'NGX_HTTP_LOC_CONF',  'location' ],
);

my %coded;
while ($code =~ /\{ ngx_string\("(payhub_\w+)"\),\s+((?:NGX_\w+\|?\s*)+),/g) {
    my ($name, $flags) = ($1, $2);
    $coded{$name} = join ', ', map { $_->[1] } grep { $flags =~ /\b$_->[0]\b/ } @contexts;
}

my %told;
while ($docs =~ /^### (payhub_\w+)\n\n((?:    .*\n)+)/gm) {
    my ($name, $head) = ($1, $2);
    $told{$name} = $head =~ /^    Context: (.*)$/m ? $1 : 'no Context line';
    like($head, qr/^    Syntax:  \Q$name\E(?: .*)?;$/m, "$name: a Syntax line");
    like($head, qr/^    Default: (?:-|\Q$name\E .*;)$/m, "$name: a Default line");
}

cmp_ok(scalar keys %coded, '>=', 5, 'directives were found in the code');
is_deeply(\%told, \%coded, 'directives and their contexts: code and docs agree');

my %variable_coded = map { $_ => 1 } $code =~ /\{ ngx_string\("(payhub_\w+)"\), NULL,/g;
my %variable_told  = map { $_ => 1 } $docs =~ /^\| `\$(payhub_\w+)` \|/gm;
cmp_ok(scalar keys %variable_coded, '>=', 9, 'variables were found in the code');
is_deeply(\%variable_told, \%variable_coded, 'variables: code and docs agree');

my ($missing) = $docs =~ /^(`payhub_\w+`.*not there yet.*)$/m;
while (($missing // '') =~ /`(\$?)(payhub_\w+)`/g) {
    ok(!($1 ? $variable_coded{$2} : $coded{$2}), "$1$2 is indeed not there");
}

my %code_told = map { $_ => 1 } $docs =~ /^\| (PH-C\d+) \|/gm;
my %code_used = map { $_ => 1 } $code =~ /"(PH-C\d+) /g;
is_deeply(\%code_told, \%code_used, 'configuration codes: code and docs agree');

done_testing();
