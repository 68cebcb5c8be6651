<?php
// All functions of php-memcached (libmemcached): the text protocol, the binary protocol if BINARY is set, SASL if
// SASL_USER is set. The environment variables are those of `../python/common.py`.

declare(strict_types=1);

$servers = array_merge([getenv('SERVER')], array_filter(explode(',', getenv('FURTHER') ?: '')));
$user = getenv('SASL_USER');
$binary = getenv('BINARY') !== false || $user !== false;

function make(array $servers, array $options = [], ?string $password = null): Memcached
{
    global $binary, $user;
    $client = new Memcached();
    $client->setOptions([Memcached::OPT_BINARY_PROTOCOL => $binary, Memcached::OPT_TCP_NODELAY => true] + $options);
    if ($user !== false) {
        $client->setSaslAuthData($user, $password ?? getenv('SASL_PASSWORD'));
    }
    foreach ($servers as $server) {
        [$host, $port] = $server[0] === '/' ? [$server, 0] : explode(':', $server);
        $client->addServer($host, (int) $port);
    }
    return $client;
}

function same(mixed $found, mixed $wanted): void
{
    if ($found !== $wanted) {
        throw new Exception(substr(var_export($found, true), 0, 500) . ' is not ' . substr(var_export($wanted, true), 0, 500));
    }
}

function failed(mixed $found, int $code): void
{
    global $client;
    same($found, false);
    same($client->getResultCode(), $code);
}

$client = make([$servers[0]]);

$tests = [
    'set get' => function () use ($client) {
        same($client->set('k', 'value'), true);
        same($client->get('k'), 'value');
        failed($client->get('missing'), Memcached::RES_NOTFOUND);
        same($client->set('empty', ''), true);
        same($client->get('empty'), '');
    },
    'types' => function () use ($client) {
        foreach (['text', 7, -7, 2.5, true, false, null, ['a' => [1, '☃']], str_repeat('☃', 1000)] as $value) {
            same($client->set('k', $value), true);
            same($client->get('k'), $value);
            same($client->getResultCode(), Memcached::RES_SUCCESS);
        }
    },
    'flags' => function () use ($client) {
        $client->setOption(Memcached::OPT_USER_FLAGS, 4711);
        $client->set('k', 'value');
        $client->setOption(Memcached::OPT_USER_FLAGS, -1);
        same($client->get('k', null, Memcached::GET_EXTENDED)['flags'], 4711);
    },
    'add' => function () use ($client) {
        same($client->add('k', '1'), true);
        failed($client->add('k', '2'), $GLOBALS['binary'] ? Memcached::RES_DATA_EXISTS : Memcached::RES_NOTSTORED);
        same($client->get('k'), '1');
    },
    'replace' => function () use ($client) {
        same($client->replace('k', '1'), false);
        $client->set('k', '1');
        same($client->replace('k', '2'), true);
        same($client->get('k'), '2');
    },
    'append prepend' => function () use ($client) {
        $client->setOption(Memcached::OPT_COMPRESSION, false);
        failed($client->append('k', 'x'), Memcached::RES_NOTSTORED);
        failed($client->prepend('k', 'x'), Memcached::RES_NOTSTORED);
        $client->set('k', 'middle');
        same($client->append('k', '-end'), true);
        same($client->prepend('k', 'begin-'), true);
        same($client->get('k'), 'begin-middle-end');
        $client->setOption(Memcached::OPT_COMPRESSION, true);
    },
    'cas' => function () use ($client) {
        $client->set('k', '1');
        $found = $client->get('k', null, Memcached::GET_EXTENDED);
        same($client->cas($found['cas'], 'k', '2'), true);
        failed($client->cas($found['cas'], 'k', '3'), Memcached::RES_DATA_EXISTS);
        failed($client->cas($found['cas'], 'missing', '3'), Memcached::RES_NOTFOUND);
        same($client->get('k'), '2');
    },
    'set and get multi' => function () use ($client) {
        $values = [];
        for ($i = 0; $i < 300; $i++) {
            $values["key$i"] = $i;
        }
        same($client->setMulti($values), true);
        same($client->getMulti([...array_keys($values), 'missing'], Memcached::GET_PRESERVE_ORDER), $values + ['missing' => null]);
        same(count($client->getMulti(array_keys($values))), 300);
    },
    'delete multi' => function () use ($client) {
        $client->setMulti(['a' => 1, 'b' => 2]);
        same($client->deleteMulti(['a', 'b', 'c']), ['a' => true, 'b' => true, 'c' => Memcached::RES_NOTFOUND]);
    },
    'get delayed' => function () use ($client) {
        $client->setMulti(['a' => 1, 'b' => 2]);
        same($client->getDelayed(['a', 'b', 'none'], true), true);
        $found = array_column($client->fetchAll(), 'value', 'key');
        ksort($found);
        same($found, ['a' => 1, 'b' => 2]);
    },
    'incr decr' => function () use ($client) {
        $client->set('n', 10);
        same($client->increment('n', 32), 42);
        same($client->decrement('n', 2), 40);
        same($client->decrement('n', 100), 0);
        $client->set('n', 'words');
        same(@$client->increment('n'), false);
        same($client->get('n'), 'words');
    },
    'incr of what is missing' => function () use ($client, $binary) {
        same($client->increment('missing'), false);
        if ($binary) {
            same($client->increment('made', 5, 17, 100), 17);
            same($client->increment('made', 5, 17, 100), 22);
        }
    },
    'touch' => function () use ($client) {
        same($client->touch('k', 100), false);
        $client->set('k', '1', 2);
        same($client->touch('k', 100), true);
        sleep(2);
        usleep(200_000);
        same($client->get('k'), '1');
    },
    'delete' => function () use ($client) {
        failed($client->delete('k'), Memcached::RES_NOTFOUND);
        $client->set('k', '1');
        same($client->delete('k'), true);
        same($client->get('k'), false);
    },
    'expiry' => function () use ($client, $binary) {
        $client->set('soon', '1', 1);
        $client->set('later', '1', 1000);
        $client->set('absolute', '1', time() + 1000);
        $client->set('gone', '1', -1);
        // The binary protocol has no negative numbers and reads a time in 2106.
        same($client->get('gone'), $binary ? '1' : false);
        sleep(2);
        usleep(200_000);
        $found = $client->getMulti(['soon', 'later', 'absolute']);
        ksort($found);
        same($found, ['absolute' => '1', 'later' => '1']);
    },
    'large values' => function () use ($client) {
        foreach ([1, 1023, 65_536, 500_000, 1_048_376] as $size) {
            $value = random_bytes($size);
            same($client->set('large', $value), true);
            same($client->get('large') === $value, true);
        }
    },
    'too large' => function () use ($client) {
        failed($client->set('large', random_bytes(2 << 20)), Memcached::RES_E2BIG);
        same($client->set('k', 'still there'), true);
        same($client->get('k'), 'still there');
    },
    'compression' => function () use ($client, $servers) {
        $text = str_repeat('compress me ', 10_000);
        $bytes = fn () => current($client->getStats())['bytes'];
        $before = $bytes();
        same($client->set('compressed', $text), true);
        same($client->get('compressed'), $text);
        same($bytes() - $before < 60_000, true);
    },
    'keys' => function () use ($client, $binary) {
        foreach (['a', str_repeat('k', 250), 'key:with/signs?&=', ...$binary ? ['käse-☃', 'with space'] : []] as $key) {
            same($client->set($key, $key), true);
            same($client->get($key), $key);
        }
        failed($client->set(str_repeat('k', 251), '1'), Memcached::RES_BAD_KEY_PROVIDED);
        if (!$binary) {
            failed($client->set('with space', '1'), Memcached::RES_BAD_KEY_PROVIDED);
        }
    },
    'prefix' => function () use ($client, $servers) {
        $other = make([$servers[0]], [Memcached::OPT_PREFIX_KEY => 'space:']);
        $other->set('k', '1');
        same($client->get('space:k'), '1');
        same($other->getMulti(['k']), ['k' => '1']);
    },
    'noreply' => function () use ($client, $servers) {
        $quiet = make([$servers[0]], [Memcached::OPT_NOREPLY => true]);
        for ($i = 0; $i < 100; $i++) {
            $quiet->set("quiet$i", $i);
        }
        $quiet->delete('quiet0');
        $quiet->set('last', 1);
        $quiet->quit();
        for ($wait = 0; $wait < 1000 && $client->get('last') !== 1; $wait++) {
            usleep(5000);
        }
        same(count($client->getMulti(array_map(fn ($i) => "quiet$i", range(0, 99)))), 99);
    },
    'buffered writes' => function () use ($client, $servers) {
        $buffered = make([$servers[0]], [Memcached::OPT_BUFFER_WRITES => true, Memcached::OPT_NO_BLOCK => true]);
        for ($i = 0; $i < 100; $i++) {
            $buffered->set("b$i", $i);
        }
        same($buffered->flushBuffers(), true);
        same($buffered->get('b99'), 99);
        same(count($client->getMulti(array_map(fn ($i) => "b$i", range(0, 99)))), 100);
    },
    'version' => function () use ($client) {
        same(preg_match('/^\d+\.\d+/', current($client->getVersion())), 1);
    },
    'stats' => function () use ($client) {
        $stats = current($client->getStats());
        same($stats['pid'] > 0 && isset($stats['cmd_get'], $stats['limit_maxbytes']), true);
        same(is_array($client->getStats('settings')), true);
        same(is_array($client->getStats('items')), true);
    },
    'flush' => function () use ($client) {
        $client->set('k', '1');
        same($client->flush(), true);
        same($client->get('k'), false);
    },
    'quit and reconnect' => function () use ($client) {
        $client->set('k', '1');
        same($client->quit(), true);
        same($client->get('k'), '1');
    },
    'sessions' => function () use ($servers, $binary, $user) {
        ini_set('session.save_handler', 'memcached');
        ini_set('session.save_path', $servers[0][0] === '/' ? "$servers[0]:0" : $servers[0]);
        ini_set('session.use_cookies', '0');
        ini_set('memcached.sess_binary_protocol', $binary ? '1' : '0');
        if ($user !== false) {
            ini_set('memcached.sess_sasl_username', $user);
            ini_set('memcached.sess_sasl_password', getenv('SASL_PASSWORD'));
        }
        session_id('ofthetests');
        same(session_start(), true);
        $_SESSION['user'] = 7;
        same(session_write_close(), true);
        $_SESSION = [];
        session_id('ofthetests');
        same(session_start(), true);
        same($_SESSION['user'], 7);
        same(session_destroy(), true);
    },
    'several servers' => function () use ($client, $servers) {
        foreach ([[], [Memcached::OPT_LIBKETAMA_COMPATIBLE => true]] as $options) {
            $several = make($servers, $options);
            $several->flush();
            $values = [];
            for ($i = 0; $i < 300; $i++) {
                $values["spread$i"] = $i;
            }
            same($several->setMulti($values), true);
            $found = $several->getMulti(array_keys($values));
            ksort($found);
            ksort($values);
            same($found, $values);
            $held = count($client->getMulti(array_keys($values)));
            same($held > 0 && $held < 300, true);
        }
    },
];
if ($user !== false) {
    $tests['a wrong password'] = function () use ($servers) {
        $stranger = make([$servers[0]], [], 'wrong');
        same(@$stranger->set('k', '1'), false);
    };
}

// Sessions cannot start after output.
ob_start();
printf("version %s\n", phpversion('memcached'));
$failures = 0;
foreach ($tests as $name => $test) {
    try {
        $client->flush();
        $test();
        echo "passed $name\n";
    } catch (Throwable $error) {
        $failures++;
        fprintf(STDERR, "failed %s: %s\n", $name, $error);
    }
}
exit($failures ? 1 : 0);
