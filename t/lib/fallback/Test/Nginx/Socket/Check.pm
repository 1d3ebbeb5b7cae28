package Test::Nginx::Socket::Check;

# The assertions of a block.  How many there are depends on the sections alone,
# never on what nginx did: a plan can be counted by reading the file.

use strict;
use warnings;

use Exporter qw(import);
use Test::More ();

use Test::Nginx::Socket::Client;
use Test::Nginx::Socket::Server qw(log_new_lines);
use Test::Nginx::Socket::Setup qw(%set expand bail_out);

our @EXPORT_OK = qw(check_response check_log);

# The expectation for request $at->{index}: with several requests every
# expectation is a list.
sub wanted {
    my ($block, $section, $at) = @_;
    my $value = $block->$section;

    return $value->[ $at->{index} ] if ref $value eq 'ARRAY';
    if ($at->{is_many}) {
        bail_out($block->name . ": found one value in --- $section for several"
              . ' requests, expected a list (eval)');
    }
    return $value;
}

sub ports_expand {
    my ($text) = @_;

    return $text if !defined $text;
    $text =~ s/\$ServerPortForClient\b/$set{client_port}/g;
    $text =~ s/\$ServerPort\b/$set{port}/g;
    return $text;
}

sub check_code {
    my ($block, $response, $at) = @_;
    my $code = $response ? $response->{code} // '' : '';
    my $what = $block->name . ' - status code ok';

    if (defined $block->error_code_like) {
        my $pattern = wanted($block, 'error_code_like', $at);
        Test::More::like($code, qr/$pattern/sm, $what);
        return;
    }
    my $code_wanted =
        defined $block->error_code ? wanted($block, 'error_code', $at) : 200;
    Test::More::is($code, $code_wanted, $what);
    return;
}

sub check_raw_headers {
    my ($block, $response, $at) = @_;
    my $raw = $response ? $response->{raw_headers} : '';

    if (defined $block->raw_response_headers_like) {
        my $pattern = wanted($block, 'raw_response_headers_like', $at);
        Test::More::like($raw, qr/$pattern/s,
            $block->name . ' - raw resp headers like');
    }
    if (defined $block->raw_response_headers_unlike) {
        my $pattern = wanted($block, 'raw_response_headers_unlike', $at);
        Test::More::unlike($raw, qr/$pattern/s,
            $block->name . ' - raw resp headers unlike');
    }
    return;
}

# "Name: value" lines, or "!Name" for a header that must be absent (undef).
sub headers_wanted {
    my ($text) = @_;
    my %headers;

    for my $line (split /\n/, $text) {
        $line =~ s/\A\s+|\s+\z//g;
        if ($line =~ s/\A!\s*//) {
            $headers{$line} = undef;
            next;
        }
        my ($name, $value) = split /\s*:\s*/, $line, 2;
        $headers{$name} = $value if defined $name;
    }
    return \%headers;
}

sub header_of {
    my ($response, $name) = @_;

    return '' if !$response;
    return Test::Nginx::Socket::Client::header_of($response, $name) // '';
}

sub check_headers {
    my ($block, $response, $at) = @_;
    my $raw = $response ? $response->{raw_headers} : '';
    my $want = headers_wanted(wanted($block, 'response_headers', $at));

    for my $name (sort keys %$want) {
        if (!defined $want->{$name}) {
            Test::More::unlike($raw, qr/^\s*\Q$name\E\s*:/m,
                $block->name . " - header $name not present");
            next;
        }
        Test::More::is(header_of($response, $name),
            ports_expand($want->{$name}),
            $block->name . " - header $name ok");
    }
    return;
}

sub check_headers_like {
    my ($block, $response, $at) = @_;
    my $want = headers_wanted(wanted($block, 'response_headers_like', $at));

    for my $name (sort keys %$want) {
        my $pattern = $want->{$name} // '';
        Test::More::like(header_of($response, $name), qr/^$pattern$/,
            $block->name . " - header $name like ok");
    }
    return;
}

sub check_body {
    my ($block, $response, $at) = @_;
    my $body = $response ? $response->{body} : undef;
    my $where = "(repeated req $at->{repeat}, req $at->{index})";

    if (defined $block->response_body) {
        my $want = wanted($block, 'response_body', $at);
        my $what = $block->name . " - response_body $where";
        if (ref $want) {
            Test::More::like($body, $want, $what);
            return;
        }
        Test::More::is($body, expand(ports_expand($want), $block->name), $what);
        return;
    }
    if (defined $block->response_body_like) {
        my $want = ports_expand(wanted($block, 'response_body_like', $at));
        Test::More::like($body, qr/$want/s,
            $block->name . " - response_body_like $where");
    }
    elsif (defined $block->response_body_unlike) {
        my $want = ports_expand(wanted($block, 'response_body_unlike', $at));
        Test::More::unlike($body, qr/$want/s,
            $block->name . " - response_body_unlike $where");
    }
    return;
}

sub check_response {
    my ($block, $response, $at) = @_;

    check_code($block, $response, $at);
    check_raw_headers($block, $response, $at);
    if (defined $block->response_headers) {
        check_headers($block, $response, $at);
    }
    elsif (defined $block->response_headers_like) {
        check_headers_like($block, $response, $at);
    }
    check_body($block, $response, $at);
    return;
}

sub patterns_of {
    my ($value) = @_;

    return grep { defined } @$value if ref $value eq 'ARRAY';
    return $value if ref $value;
    return split /\n+/, $value;
}

sub line_matches {
    my ($line, $pattern) = @_;

    return ref $pattern ? $line =~ /$pattern/ : index($line, $pattern) >= 0;
}

sub check_grep {
    my ($block, $lines, $repeat) = @_;
    my $pattern = $block->grep_error_log;
    my $want = expand(scalar $block->grep_error_log_out, $block->name);

    if (defined $pattern != defined $want) {
        bail_out($block->name . ': --- grep_error_log and'
              . ' --- grep_error_log_out come together');
    }
    return if !defined $pattern;
    $pattern = $pattern->[$repeat] if ref $pattern eq 'ARRAY';
    $want = $want->[$repeat] if ref $want eq 'ARRAY';
    my $regex = ref $pattern ? $pattern : qr/\Q$pattern\E/;
    my $got = join '', map { /($regex)/ && $1 !~ /\n/ ? "$1\n" : () } @$lines;
    my $what = $block->name . " - grep_error_log_out (req $repeat)";

    ref $want eq 'Regexp'
        ? Test::More::like($got, $want, $what)
        : Test::More::is($got, $want, $what);
    return;
}

sub quote {
    my ($text) = @_;

    $text =~ s/([\r\n])/$1 eq "\n" ? '\n' : '\r'/ge;
    return $text;
}

sub check_log_has {
    my ($block, $lines, $repeat) = @_;

    for my $pattern (patterns_of($block->error_log)) {
        my $is_found = grep { line_matches($_, $pattern) } @$lines;
        Test::More::ok($is_found, $block->name
              . " - error.log has \"$pattern\" (req $repeat)");
    }
    return;
}

sub check_log_lacks {
    my ($block, $lines, $repeat) = @_;

    for my $pattern (patterns_of($block->no_error_log)) {
        my @found = grep { line_matches($_, $pattern) } @$lines;
        Test::More::ok(!@found, $block->name
              . ' - error.log does not have "'
              . quote($pattern) . "\" (req $repeat)")
            or Test::More::diag('found: ', @found[ 0 .. ($#found > 9 ? 9 : $#found) ]);
    }
    return;
}

# Lines that no block asks for but everybody wants to see.
sub warn_of_grave {
    my ($block, $lines) = @_;
    my $asked = join "\n", map { defined $_ ? patterns_of($_) : () }
        scalar $block->error_log, scalar $block->no_error_log;

    for my $line (@$lines) {
        if ($line =~ /\bAssertion .*?failed\b/) {
            Test::More::fail($block->name . " - $line");
        }
        my ($level) = $line =~ /\[(alert|crit|emerg)\]/ or next;
        next if index($asked, "[$level") >= 0 || defined $block->must_die;
        warn 'WARNING: ', $block->name, " - $line";
    }
    return;
}

sub check_log {
    my ($block, $repeat) = @_;
    my $lines = log_new_lines();

    check_grep($block, $lines, $repeat);
    check_log_has($block, $lines, $repeat) if defined $block->error_log;
    check_log_lacks($block, $lines, $repeat) if defined $block->no_error_log;
    warn_of_grave($block, $lines);
    return;
}

1;
