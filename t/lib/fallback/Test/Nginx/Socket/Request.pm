package Test::Nginx::Socket::Request;

# From a block's request sections to bytes: a list of requests, each sent on a
# connection of its own, each a list of packets { value, delay_before }.

use strict;
use warnings;

use Exporter qw(import);
use Test::Nginx::Socket::Setup qw(%set expand bail_out);

our @EXPORT_OK = qw(requests_of);

# "Name: value" lines to wire form; also whether the body comes chunked.
sub headers_parse {
    my ($text) = @_;
    my ($out, $is_chunked) = ('', 0);

    for my $line (split /\n+/, $text) {
        next if $line =~ /^\s*\#/;
        my ($name, $value) = split /:\s*/, $line, 2;
        $value //= '';
        $is_chunked = 1
            if lc $name eq 'transfer-encoding' && $value eq 'chunked';
        $out .= "$name: $value\r\n";
    }
    return ($out, $is_chunked);
}

# The --- more_headers that belong to request number $index.
sub headers_of {
    my ($block, $index) = @_;
    my $more = $block->more_headers || '';

    if (ref $more eq 'ARRAY') {
        $more = $more->[$index] // bail_out($block->name
              . ": --- more_headers has no entry for request $index");
    }
    return headers_parse($more);
}

# "POST /x [HTTP/1.0]\nbody" in pieces
sub line_parse {
    my ($text, $name) = @_;

    my ($line, $body) = $text =~ /\A\s*([^\n]*)(?:\n(.*))?\z/s;
    my @words = split ' ', $line // '';
    if (@words < 1 || @words > 3) {
        bail_out("$name: found the request line '$line',"
              . " expected 'METHOD [URI [VERSION]]'");
    }
    my ($method, $uri, $version) = @words;
    return ($method, $uri // '/', $version // 'HTTP/1.1', $body // '');
}

sub head_make {
    my ($start, $more, $connection, $body_len) = @_;
    my $head = "$start\r\n";

    $head .= "Host: $set{server_name}\r\n" if $more !~ /^Host:/mi;
    $head .= "Connection: $connection\r\n" if $more !~ /^Connection/mi;
    $head .= $more;
    $head .= "Content-Length: $body_len\r\n" if defined $body_len;
    return "$head\r\n";
}

# One request from the texts of its packets.  What the harness adds (version,
# headers) goes out with the packet in which the request line ends; the body
# keeps the packet borders of the file.  Blanks around a body that gets a
# Content-Length from here are not part of it.
sub request_make {
    my ($block, $index, $connection, @packets) = @_;
    my ($more, $is_chunked) = headers_of($block, $index);
    my ($method, $uri, $version, $body) =
        line_parse(join('', @packets), $block->name);
    my $len;

    if (!$is_chunked && $body ne '' && $more !~ /^Content-Length:/m) {
        $body =~ s/\A\s+|\s+\z//g;
        $len = length $body;
    }
    my $head = head_make("$method $uri $version", $more, $connection, $len);
    return ($head . $body) if @packets == 1;
    return packets_cut($head, $body, @packets);
}

# Spreads the body over the packets as the file had it.
sub packets_cut {
    my ($head, $body, @packets) = @_;
    my $whole = join '', @packets;
    my ($lead) = $whole =~ /\A(\s*[^\n]*\n?)/;
    my $pos = length $lead;    # where the body starts in the texts
    my ($end, @out) = (0);

    for my $packet (@packets) {
        my $begin = $end;
        $end += length $packet;
        if ($end < $pos) {
            # the request line goes on in the next packet
            my $part = $head =~ s/\A(.{@{[length $packet]}})//s ? $1 : '';
            push @out, $part;
            next;
        }
        my $part = $head;
        $head = '';
        my $take = $end - ($begin > $pos ? $begin : $pos);
        $part .= substr $body, 0, $take, '' if $take > 0 && $body ne '';
        push @out, $part;
    }
    return @out;
}

sub pipelined {
    my ($block) = @_;
    my $list = $block->pipelined_requests;

    if (ref $list ne 'ARRAY') {
        bail_out($block->name
              . ': --- pipelined_requests needs eval and a list of requests');
    }
    my $wire = '';
    for my $i (0 .. $#$list) {
        my $connection = $i == $#$list ? 'close' : 'keep-alive';
        my $text = expand($list->[$i], $block->name);
        $wire .= join '', request_make($block, $i, $connection, $text);
    }
    return [ [ { value => $wire } ] ];
}

# A request given as packets: strings, or { value, delay_before } hashes.
sub from_packets {
    my ($block, $index, $packets) = @_;

    my @texts = map { ref $_ eq 'HASH' ? $_->{value} : $_ } @$packets;
    my @wire = request_make($block, $index, 'close', @texts);
    my @out;
    for my $i (0 .. $#wire) {
        my $given = ref $packets->[$i] eq 'HASH' ? $packets->[$i] : {};
        push @out, { %$given, value => $wire[$i] };
    }
    return \@out;
}

sub plain {
    my ($block, $index, $text) = @_;

    return [ { value => join '', request_make($block, $index, 'close', $text) } ];
}

sub requests_of {
    my ($block) = @_;

    if (defined(my $raw = $block->raw_request)) {
        return [ [ map { { value => $_ } } ref $raw ? @$raw : $raw ] ];
    }
    return pipelined($block) if $block->pipelined_requests;

    my $request = $block->request;
    if (!defined $request) {
        bail_out($block->name . ': found no --- request, --- raw_request or'
              . ' --- pipelined_requests, expected one of them');
    }
    if (ref $request eq 'ARRAY') {
        return [
            map {
                ref $request->[$_]
                    ? from_packets($block, $_, $request->[$_])
                    : plain($block, $_, $request->[$_])
            } 0 .. $#$request
        ];
    }
    1 while $request =~ s/\A\s*\#[^\n]+\s+|\A\s+//;
    return [ plain($block, 0, $request) ];
}

1;
