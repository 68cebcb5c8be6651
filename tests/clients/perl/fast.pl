# All functions of Cache::Memcached::Fast: the text protocol over TCP and Unix sockets. The environment variables are
# those of `../python/common.py`.

use strict;
use warnings;
use utf8;

use Cache::Memcached::Fast;
use List::Util qw(sum);
use Time::HiRes qw(sleep);

my @servers = ($ENV{SERVER}, split /,/, $ENV{FURTHER} // '');

sub make {
    my ($servers, %options) = @_;
    return Cache::Memcached::Fast->new({ servers => $servers, io_timeout => 10, connect_timeout => 10, %options });
}

my $client = make([$servers[0]]);

sub same {
    my ($found, $wanted) = @_;
    my $is_same = defined $found ? defined $wanted && $found eq $wanted : !defined $wanted;
    return if $is_same;
    my ($left, $right) = map { defined $_ ? substr($_, 0, 200) : 'undef' } ($found, $wanted);
    my (undef, undef, $line) = caller;
    die "line $line: <$left> is not <$right>\n";
}

my @tests = (
    'set get' => sub {
        same($client->set('k', 'value'), 1);
        same($client->get('k'), 'value');
        same($client->get('missing'), undef);
        same($client->set('empty', ''), 1);
        same($client->get('empty'), '');
    },
    'structures' => sub {
        same($client->set('k', { a => [1, 2] }), 1);
        same($client->get('k')->{a}[1], 2);
    },
    'text' => sub {
        my $unicode = make([$servers[0]], utf8 => 1);
        $unicode->set('k', '☃' x 100);
        same($unicode->get('k'), '☃' x 100);
    },
    'add' => sub {
        same($client->add('k', 1), 1);
        same($client->add('k', 2), '');
        same($client->get('k'), 1);
    },
    'replace' => sub {
        same($client->replace('k', 1), '');
        $client->set('k', 1);
        same($client->replace('k', 2), 1);
        same($client->get('k'), 2);
    },
    'append prepend' => sub {
        same($client->append('k', 'x'), '');
        same($client->prepend('k', 'x'), '');
        $client->set('k', 'middle');
        same($client->append('k', '-end'), 1);
        same($client->prepend('k', 'begin-'), 1);
        same($client->get('k'), 'begin-middle-end');
    },
    'gets cas' => sub {
        $client->set('k', 1);
        my ($unique, $value) = @{ $client->gets('k') };
        same($value, 1);
        same($client->cas('k', $unique, 2), 1);
        same($client->cas('k', $unique, 3), '');
        same($client->cas('missing', $unique, 3), '');
        same($client->get('k'), 2);
    },
    'set multi' => sub {
        my $results = $client->set_multi(map { ["key$_", $_, 100] } 1 .. 300);
        same(sum(values %$results), 300);
        my $found = $client->get_multi((map {"key$_"} 1 .. 300), 'missing');
        same(scalar keys %$found, 300);
        same($found->{"key$_"}, $_) for 1 .. 300;
    },
    'gets cas multi' => sub {
        $client->set_multi([a => 1], [b => 2]);
        my $found = $client->gets_multi('a', 'b');
        my @results = $client->cas_multi([a => $found->{a}[0], 3], [b => 0, 4]);
        same($results[0], 1);
        same($results[1], '');
    },
    'add replace append prepend multi' => sub {
        same(join('', $client->add_multi([a => 1], [b => 2])), '11');
        same(join('', $client->replace_multi([a => 3], [c => 2])), '1');
        same(join('', $client->append_multi([a => 'x'], [b => 'y'])), '11');
        same(join('', $client->prepend_multi([a => 'x'], [b => 'y'])), '11');
        same($client->get('a') . $client->get('b'), 'x3xy2y');
    },
    'incr decr' => sub {
        same($client->incr('n'), '');
        $client->set('n', 10);
        same($client->incr('n'), 11);
        same($client->incr('n', 31), 42);
        same($client->decr('n', 2), 40);
        same($client->decr('n', 100), '0E0');
        $client->set('n', 'words');
        same($client->incr('n'), undef);
    },
    'incr decr multi' => sub {
        $client->set_multi([a => 1], [b => 2]);
        my $found = $client->incr_multi([a => 10], 'b', 'none');
        same($found->{a}, 11);
        same($found->{b}, 3);
        same($client->decr_multi([a => 1])->{a}, 10);
    },
    'delete' => sub {
        same($client->delete('k'), '');
        $client->set('k', 1);
        same($client->delete('k'), 1);
        same($client->get('k'), undef);
    },
    'delete multi' => sub {
        $client->set_multi([a => 1], [b => 2]);
        same(join(' ', $client->delete_multi('a', 'none', 'b')), '1  1');
    },
    'touch' => sub {
        same($client->touch('k', 100), '');
        $client->set('k', 1, 2);
        same($client->touch('k', 100), 1);
        same(join('', $client->touch_multi([k => 100])), '1');
        sleep 2.2;
        same($client->get('k'), 1);
    },
    'gat' => sub {
        $client->set('k', 1, 2);
        same($client->gat(100, 'k'), 1);
        same($client->gats(100, 'k')->[1], 1);
        same($client->gat_multi(100, 'k', 'none')->{k}, 1);
        same($client->gats_multi(100, 'k', 'none')->{k}[1], 1);
        sleep 2.2;
        same($client->get('k'), 1);
    },
    'expiry' => sub {
        $client->set('soon', 1, 1);
        $client->set('later', 1, 1000);
        $client->set('absolute', 1, time + 1000);
        sleep 2.2;
        same(join(' ', sort keys %{ $client->get_multi('soon', 'later', 'absolute') }), 'absolute later');
    },
    'noreply' => sub {
        # In void context the client sends noreply.
        $client->set("quiet$_", $_) for 0 .. 99;
        $client->delete('quiet0');
        $client->incr('quiet1', 6);
        $client->append('quiet2', 'x');
        $client->touch('quiet3', 100);
        $client->nowait_push;
        my $found = $client->get_multi(map {"quiet$_"} 0 .. 99);
        same(scalar keys %$found, 99);
        same($found->{quiet1}, 7);
        same($found->{quiet2}, '2x');
    },
    'large values' => sub {
        for my $size (1, 1023, 65_536, 500_000, 1_048_376) {
            my $value = pack 'C*', map { $_ * 31 & 255 } 1 .. $size;
            same($client->set('large', $value), 1);
            same($client->get('large'), $value);
        }
    },
    'too large' => sub {
        my $unlimited = make([$servers[0]], max_size => 0);
        same($unlimited->set('large', 'x' x 1_048_576), undef);
        same($client->set('k', 'still there'), 1);
        same($client->get('k'), 'still there');
    },
    'binary values' => sub {
        for my $value ("\0", "\r\n", "END\r\n", "VALUE k 0 1\r\n1\r\nEND\r\n") {
            same($client->set('k', $value), 1);
            same($client->get('k'), $value);
        }
    },
    'compression' => sub {
        my $compressing = make([$servers[0]], compress_threshold => 1000,
            compress_methods => [sub { ${ $_[1] } = length ${ $_[0] }; 1 }, sub { ${ $_[1] } = 'x' x ${ $_[0] }; 1 }]);
        my $text = 'x' x 10_000;
        same($compressing->set('k', $text), 1);
        same($compressing->get('k'), $text);
        # The stored bytes are not valid for another compression method.
        same($client->get('k'), undef);
    },
    'namespace' => sub {
        my $other = make([$servers[0]], namespace => 'space:');
        same($other->set('k', 1), 1);
        same($client->get('space:k'), 1);
        same($other->get_multi('k')->{k}, 1);
    },
    'version' => sub {
        my ($version) = values %{ $client->server_versions };
        same($version =~ /^\d+\.\d+/, 1);
    },
    'flush' => sub {
        $client->set('k', 1);
        my ($result) = values %{ $client->flush_all };
        same($result, 1);
        same($client->get('k'), undef);
    },
    'disconnect' => sub {
        $client->set('k', 1);
        $client->disconnect_all;
        same($client->get('k'), 1);
    },
    'several servers' => sub {
        for my $ketama (0, 150) {
            my $several = make(\@servers, ketama_points => $ketama);
            $several->flush_all;
            same(sum(values %{ $several->set_multi(map { ["spread$_", $_] } 1 .. 300) }), 300);
            same(scalar keys %{ $several->get_multi(map {"spread$_"} 1 .. 300) }, 300);
            my $held = keys %{ $client->get_multi(map {"spread$_"} 1 .. 300) };
            same($held > 0 && $held < 300, 1);
        }
    },
);

print "version $Cache::Memcached::Fast::VERSION\n";
my $failures = 0;
while (my ($name, $test) = splice @tests, 0, 2) {
    my $flushed = $client->flush_all;
    if (eval { $test->(); 1 }) {
        print "passed $name\n";
    } else {
        $failures++;
        print STDERR "failed $name: $@";
    }
}
exit($failures ? 1 : 0);
