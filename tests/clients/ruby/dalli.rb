# All functions of dalli: the binary protocol over TCP and Unix sockets, with SASL if SASL_USER is set. This version
# cannot read several keys over TLS. The environment variables are those of `../python/common.py`.

require 'dalli'

Dalli.logger.level = Logger::FATAL
SERVERS = [ENV.fetch('SERVER'), *ENV.fetch('FURTHER', '').split(',')].freeze

def make(servers, **options)
  options = { socket_timeout: 10, username: ENV['SASL_USER'], password: ENV['SASL_PASSWORD'], **options }
  Dalli::Client.new(servers, **options)
end

def same(found, wanted)
  return if found == wanted

  raise "#{found.inspect[0, 300]} is not #{wanted.inspect[0, 300]} (line #{caller_locations(1, 1).first.lineno})"
end

def truthy(found)
  raise "#{found.inspect} (line #{caller_locations(1, 1).first.lineno})" unless found
end

def raises(kind)
  yield
rescue kind
  nil
else
  raise "no #{kind} (line #{caller_locations(1, 1).first.lineno})"
end

client = make(SERVERS[0])

tests = {
  'set get' => lambda {
    truthy client.set('k', 'value')
    same client.get('k'), 'value'
    same client.get('missing'), nil
    truthy client.set('empty', '')
    same client.get('empty'), ''
  },
  'objects' => lambda {
    [7, 1 << 80, 2.5, true, :symbol, { 'a' => [1, '☃'] }, '☃' * 100].each do |value|
      client.set('k', value)
      same client.get('k'), value
    end
  },
  'raw values' => lambda {
    client.set('k', 7, 0, raw: true)
    same client.get('k'), '7'
  },
  'add' => lambda {
    truthy client.add('k', 1)
    same client.add('k', 2), false
    same client.get('k'), 1
  },
  'replace' => lambda {
    client.replace('k', 1)
    same client.get('k'), nil
    client.set('k', 1)
    truthy client.replace('k', 2)
    same client.get('k'), 2
  },
  'append prepend' => lambda {
    same client.append('k', 'x'), false
    same client.prepend('k', 'x'), false
    client.set('k', 'middle', 0, raw: true)
    same client.append('k', '-end'), true
    same client.prepend('k', 'begin-'), true
    same client.get('k'), 'begin-middle-end'
  },
  'cas' => lambda {
    same client.cas('k') { raise 'was not there' }, nil
    client.set('k', 1)
    truthy(client.cas('k') { |value| value + 1 })
    same client.get('k'), 2
    same(client.cas('k') { |_| client.set('k', 5) && 6 }, false)
    same client.get('k'), 5
    truthy(client.cas!('new') { |value| value.inspect })
    same client.get('new'), 'nil'
  },
  'cas numbers' => lambda {
    client.set('k', 1)
    value, unique = client.get_cas('k')
    same value, 1
    unique = client.set_cas('k', 2, unique)
    truthy unique
    same client.set_cas('k', 3, unique - 1), false
    unique = client.replace_cas('k', 4, unique)
    truthy unique
    same client.delete_cas('k', unique + 1), false
    same client.delete_cas('k', unique), true
    client.set('a', 1)
    same(client.get_multi_cas('a', 'none').transform_values(&:first), { 'a' => 1 })
  },
  'get multi' => lambda {
    wanted = (1..300).to_h { |i| ["key#{i}", i] }
    wanted.each { |key, value| client.set(key, value) }
    same client.get_multi(wanted.keys + ['missing']), wanted
  },
  'quiet multi' => lambda {
    client.multi do
      (1..200).each { |i| client.set("quiet#{i}", i) }
      client.add('quiet1', 'refused')
      client.replace('quiet2', 'replaced')
      client.delete('quiet3')
      client.delete('none')
    end
    found = client.get_multi((1..200).map { |i| "quiet#{i}" })
    same found.size, 199
    same found['quiet1'], 1
    same found['quiet2'], 'replaced'
  },
  'incr' => lambda {
    same client.incr('n'), nil
    same client.incr('n', 5, 100, 10), 10
    same client.incr('n', 32), 42
    same client.incr('wide', 1, 100, (1 << 64) - 1), (1 << 64) - 1
    same client.incr('wide', 2), 1
  },
  'decr' => lambda {
    same client.decr('n'), nil
    same client.decr('n', 5, 100, 10), 10
    same client.decr('n', 4), 6
    same client.decr('n', 100), 0
  },
  'incr of words' => lambda {
    client.set('n', 'words', 0, raw: true)
    raises(Dalli::DalliError) { client.incr('n') }
    same client.get('n'), 'words'
  },
  'touch' => lambda {
    same client.touch('k', 100), nil
    client.set('k', 1, 2)
    same client.touch('k', 100), true
    sleep 2.2
    same client.get('k'), 1
  },
  'gat' => lambda {
    same client.gat('k', 100), nil
    client.set('k', 1, 2)
    same client.gat('k', 100), 1
    sleep 2.2
    same client.gat('k', 1), 1
    sleep 2.2
    same client.get('k'), nil
  },
  'delete' => lambda {
    truthy !client.delete('k')
    client.set('k', 1)
    same client.delete('k'), true
    same client.get('k'), nil
  },
  'expiry' => lambda {
    client.set('soon', 1, 1)
    client.set('later', 1, 1000)
    client.set('months', 1, 60 * 60 * 24 * 90)
    sleep 2.2
    same client.get_multi('soon', 'later', 'months').keys.sort, %w[later months]
  },
  'fetch' => lambda {
    same client.fetch('k') { 7 }, 7
    same client.fetch('k') { raise 'was there' }, 7
  },
  'compression' => lambda {
    text = 'compress me ' * 10_000
    bytes = -> { client.stats.values.first['bytes'].to_i }
    before = bytes.call
    client.set('compressed', text, 0, compress: true)
    same client.get('compressed'), text
    truthy bytes.call - before < text.size / 2
  },
  'large values' => lambda {
    [1, 1023, 65_536, 500_000, 1_048_376].each do |size|
      value = Random.bytes(size)
      truthy client.set('large', value, 0, raw: true, compress: false)
      same client.get('large').b, value
    end
  },
  'too large' => lambda {
    unlimited = make(SERVERS[0], value_max_bytes: 1 << 22, compress: false)
    raises(Dalli::DalliError) { unlimited.set('large', Random.bytes(1 << 20), 0, raw: true) }
    truthy client.set('k', 'still there')
    same client.get('k'), 'still there'
  },
  'keys' => lambda {
    ['a', 'k' * 250, 'with space', 'käse-☃', 'k' * 1000].each do |key|
      client.set(key, key)
      same client.get(key), key
    end
    same client.get_multi('with space', 'käse-☃').size, 2
  },
  'namespace' => lambda {
    other = make(SERVERS[0], namespace: 'space')
    other.set('k', 1)
    same client.get('space:k'), 1
    same other.get_multi('k'), { 'k' => 1 }
  },
  'stats' => lambda {
    stats = client.stats.values.first
    truthy stats['pid'].to_i.positive? && stats.key?('cmd_get')
    same client.stats(:settings).values.first['cas_enabled'], 'yes'
    client.set('k', 1)
    truthy client.stats(:items).values.first.any?
    truthy client.stats(:slabs).values.first.key?('active_slabs')
    client.reset_stats
    same client.stats.values.first['cmd_set'], '0'
  },
  'version' => lambda {
    truthy client.version.values.first.match?(/^\d+\.\d+/)
    client.alive!
  },
  'flush' => lambda {
    client.set('k', 1)
    same client.flush, [true]
    same client.get('k'), nil
  },
  'threads' => lambda {
    threads = (1..8).map do |number|
      Thread.new do
        50.times do |turn|
          client.set("t#{number}", turn)
          same client.get("t#{number}"), turn
        end
      end
    end
    threads.each(&:join)
  },
  'close and reconnect' => lambda {
    client.set('k', 1)
    client.close
    same client.get('k'), 1
  },
  'several servers' => lambda {
    several = make(SERVERS)
    several.flush
    (1..300).each { |i| several.set("spread#{i}", i) }
    keys = (1..300).map { |i| "spread#{i}" }
    same several.get_multi(keys).size, 300
    truthy((1..299).cover?(client.get_multi(keys).size))
    several.close
  }
}

if ENV['SASL_USER']
  tests['a wrong password'] = lambda {
    raises(Dalli::DalliError) { make(SERVERS[0], password: 'wrong').set('k', 1) }
    same client.get('k'), nil
  }
end

puts "version #{Dalli::VERSION}"
failures = tests.count do |name, test|
  client.flush
  test.call
  puts "passed #{name}"
  false
rescue StandardError => e
  warn "failed #{name}: #{e.full_message}"
  true
end
exit failures.zero?
