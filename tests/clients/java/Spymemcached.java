// All functions of spymemcached: the text protocol, the binary protocol if BINARY is set, SASL if SASL_USER is set. The
// environment variables are those of `../python/common.py`.

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import net.spy.memcached.AddrUtil;
import net.spy.memcached.CASResponse;
import net.spy.memcached.CASValue;
import net.spy.memcached.ConnectionFactoryBuilder;
import net.spy.memcached.ConnectionFactoryBuilder.Protocol;
import net.spy.memcached.MemcachedClient;
import net.spy.memcached.auth.AuthDescriptor;
import net.spy.memcached.auth.PlainCallbackHandler;

public class Spymemcached {
    private static final List<String> SERVERS = new ArrayList<>();
    private static final String USER = System.getenv("SASL_USER");
    private static final boolean BINARY = USER != null || System.getenv("BINARY") != null;
    private static final Map<String, Test> TESTS = new LinkedHashMap<>();
    private static MemcachedClient client;

    private interface Test {
        void run() throws Exception;
    }

    private static MemcachedClient make(Collection<String> servers, String password) throws Exception {
        ConnectionFactoryBuilder builder = new ConnectionFactoryBuilder()
            .setProtocol(BINARY ? Protocol.BINARY : Protocol.TEXT)
            .setDaemon(true)
            .setUseNagleAlgorithm(false)
            .setOpTimeout(10_000);
        if (USER != null) {
            PlainCallbackHandler handler = new PlainCallbackHandler(USER, password);
            builder.setAuthDescriptor(new AuthDescriptor(new String[] {"PLAIN"}, handler));
        }
        return new MemcachedClient(builder.build(), AddrUtil.getAddresses(new ArrayList<>(servers)));
    }

    private static MemcachedClient make(Collection<String> servers) throws Exception {
        MemcachedClient made = make(servers, System.getenv("SASL_PASSWORD"));
        // The client cancels requests while a login takes longer than a second, as on a busy machine.
        for (int tries = 10; ; tries--) {
            try {
                made.asyncGet("login").get();
                return made;
            } catch (Exception cancelled) {
                if (tries == 0) {
                    throw cancelled;
                }
            }
        }
    }

    private static void same(Object found, Object wanted) {
        if (!Objects.deepEquals(found, wanted)) {
            throw new AssertionError(found + " is not " + wanted);
        }
    }

    private static void fails(Callable<?> work) {
        try {
            work.call();
        } catch (Exception expected) {
            return;
        }
        throw new AssertionError("did not fail");
    }

    private static void set(String key, Object value) throws Exception {
        same(client.set(key, 0, value).get(), true);
    }

    private static Object get(String key) {
        return client.get(key);
    }

    private static int storedBytes() {
        return Integer.parseInt(client.getStats().values().iterator().next().get("bytes"));
    }

    private static byte[] bytes(int size) {
        byte[] bytes = new byte[size];
        for (int i = 0; i < size; i++) {
            bytes[i] = (byte) (i * 31 + (i >> 8));
        }
        return bytes;
    }

    private static void storing() {
        TESTS.put("set get", () -> {
            set("k", "value");
            same(get("k"), "value");
            same(get("missing"), null);
            set("empty", "");
            same(get("empty"), "");
        });
        TESTS.put("types", () -> {
            List<Object> values = Arrays.asList("☃", 7, 1L << 40, 2.5, true, new ArrayList<>(List.of("a", 1)), bytes(100));
            for (Object value : values) {
                set("k", value);
                same(get("k"), value);
            }
        });
        TESTS.put("add", () -> {
            same(client.add("k", 0, "1").get(), true);
            same(client.add("k", 0, "2").get(), false);
            same(get("k"), "1");
        });
        TESTS.put("replace", () -> {
            same(client.replace("k", 0, "1").get(), false);
            set("k", "1");
            same(client.replace("k", 0, "2").get(), true);
            same(get("k"), "2");
        });
        TESTS.put("append prepend", () -> {
            same(client.append("k", "x").get(), false);
            same(client.prepend("k", "x").get(), false);
            set("k", "middle");
            same(client.append("k", "-end").get(), true);
            same(client.prepend("k", "begin-").get(), true);
            same(get("k"), "begin-middle-end");
        });
        TESTS.put("cas", () -> {
            same(client.cas("k", 1, "x"), CASResponse.NOT_FOUND);
            set("k", "1");
            CASValue<Object> found = client.gets("k");
            same(found.getValue(), "1");
            same(client.cas("k", found.getCas(), "2"), CASResponse.OK);
            same(client.cas("k", found.getCas(), "3"), CASResponse.EXISTS);
            same(get("k"), "2");
        });
        TESTS.put("delete", () -> {
            same(client.delete("k").get(), false);
            set("k", "1");
            same(client.delete("k").get(), true);
            same(get("k"), null);
        });
        TESTS.put("large values", () -> {
            for (int size : new int[] {1, 1023, 65_536, 500_000, 1_048_376}) {
                // Random bytes, which the client does not compress.
                byte[] value = new byte[size];
                new java.util.Random(size).nextBytes(value);
                set("large", value);
                same(get("large"), value);
            }
        });
        TESTS.put("compression", () -> {
            String text = "compress me ".repeat(10_000);
            int before = storedBytes();
            set("compressed", text);
            same(get("compressed"), text);
            same(storedBytes() - before < text.length() / 2, true);
        });
        TESTS.put("keys", () -> {
            for (String key : List.of("a", "k".repeat(250), "key:with/signs?&=", "käse-☃")) {
                set(key, key);
                same(get(key), key);
            }
            fails(() -> client.get("k".repeat(251)));
            if (!BINARY) {
                fails(() -> client.get("with space"));
            }
        });
    }

    private static void reading() {
        TESTS.put("get bulk", () -> {
            Map<String, Object> wanted = new HashMap<>();
            for (int i = 0; i < 300; i++) {
                wanted.put("key" + i, "value" + i);
                client.set("key" + i, 0, "value" + i);
            }
            List<String> keys = new ArrayList<>(wanted.keySet());
            keys.add("missing");
            same(client.getBulk(keys), wanted);
        });
        TESTS.put("asynchronous", () -> {
            List<Future<Object>> found = new ArrayList<>();
            for (int i = 0; i < 500; i++) {
                client.set("a" + i, 0, i);
                found.add(client.asyncGet("a" + i));
            }
            for (int i = 0; i < 500; i++) {
                same(found.get(i).get(), i);
            }
        });
        TESTS.put("threads", () -> {
            var pool = Executors.newFixedThreadPool(8);
            List<Future<Boolean>> results = new ArrayList<>();
            for (int number = 0; number < 8; number++) {
                String key = "t" + number;
                results.add(pool.submit(() -> {
                    for (int turn = 0; turn < 50; turn++) {
                        client.set(key, 0, turn);
                        same(get(key), turn);
                    }
                    return true;
                }));
            }
            for (Future<Boolean> result : results) {
                same(result.get(), true);
            }
            pool.shutdown();
        });
        TESTS.put("several servers", () -> {
            MemcachedClient several = make(SERVERS);
            several.flush().get();
            List<String> keys = new ArrayList<>();
            for (int i = 0; i < 300; i++) {
                keys.add("spread" + i);
                several.set("spread" + i, 0, i);
            }
            same(several.getBulk(keys).size(), 300);
            int here = client.getBulk(keys).size();
            same(here > 0 && here < 300, true);
            same(several.getAvailableServers().size(), 3);
            several.shutdown();
        });
        TESTS.put("quit and reconnect", () -> {
            MemcachedClient other = make(SERVERS.subList(0, 1));
            same(other.set("k", 0, "1").get(), true);
            same(other.shutdown(10, TimeUnit.SECONDS), true);
            same(get("k"), "1");
        });
    }

    private static void counting() {
        TESTS.put("incr decr", () -> {
            same(client.incr("n", 1), -1L);
            same(client.decr("n", 1), -1L);
            set("n", "10");
            same(client.incr("n", 32), 42L);
            same(client.decr("n", 2), 40L);
            same(client.decr("n", 100), 0L);
        });
        TESTS.put("incr with a default", () -> {
            same(client.incr("n", 5, 10L, 100), 10L);
            same(client.incr("n", 5, 10L, 100), 15L);
            same(client.decr("m", 5, 10L, 100), 10L);
            same(client.decr("m", 4, 10L, 100), 6L);
        });
        TESTS.put("incr of words", () -> {
            set("n", "words");
            try {
                same(client.asyncIncr("n", 1).get(), -1L);
            } catch (java.util.concurrent.ExecutionException refused) {
                same(refused.getMessage().contains("non-numeric"), true);
            }
            same(get("n"), "words");
        });
    }

    private static void ageing() {
        TESTS.put("expiry", () -> {
            client.set("soon", 1, "1");
            client.set("later", 1000, "1");
            client.set("absolute", (int) (System.currentTimeMillis() / 1000) + 1000, "1").get();
            Thread.sleep(2200);
            same(client.getBulk("soon", "later", "absolute").keySet().size(), 2);
            same(get("soon"), null);
        });
        TESTS.put("touch", () -> {
            same(client.touch("k", 100).get(), false);
            client.set("k", 2, "1");
            same(client.touch("k", 100).get(), true);
            Thread.sleep(2200);
            same(get("k"), "1");
        });
        if (BINARY) {
            TESTS.put("get and touch", () -> {
                client.set("k", 2, "1");
                same(client.getAndTouch("k", 100).getValue(), "1");
                same(client.getAndTouch("missing", 100), null);
                Thread.sleep(2200);
                same(get("k"), "1");
            });
        }
        TESTS.put("flush", () -> {
            set("k", "1");
            if (!BINARY) {
                // Over the binary protocol the client omits the delay.
                same(client.flush(100).get(), true);
                same(get("k"), "1");
            }
            same(client.flush().get(), true);
            same(get("k"), null);
        });
    }

    private static void administration() {
        TESTS.put("versions", () -> {
            String version = client.getVersions().values().iterator().next();
            same(version.matches("\\d+\\.\\d+.*"), true);
        });
        TESTS.put("stats", () -> {
            Map<String, String> stats = client.getStats().values().iterator().next();
            same(Integer.parseInt(stats.get("pid")) > 0 && stats.containsKey("cmd_get"), true);
            same(client.getStats("settings").values().iterator().next().get("cas_enabled"), "yes");
            set("k", "1");
            same(client.getStats("items").values().iterator().next().isEmpty(), false);
            same(client.getStats("slabs").values().iterator().next().containsKey("active_slabs"), true);
        });
        if (USER != null) {
            TESTS.put("a wrong password", () -> {
                MemcachedClient stranger = make(SERVERS.subList(0, 1), "wrong");
                fails(() -> stranger.set("k", 0, "1").get(2, TimeUnit.SECONDS));
                stranger.shutdown();
                same(get("k"), null);
            });
            // Last, because the client sometimes cancels the requests that follow.
            TESTS.put("mechanisms", () -> same(client.listSaslMechanisms().contains("PLAIN"), true));
        }
    }

    private static boolean passes(String name, Test test) {
        try {
            client.flush().get();
            test.run();
            System.out.println("passed " + name);
            return true;
        } catch (Throwable problem) {
            System.err.println("failed " + name);
            problem.printStackTrace();
            return false;
        }
    }

    public static void main(String[] arguments) throws Exception {
        System.setProperty("net.spy.log.LoggerImpl", "net.spy.memcached.compat.log.SunLogger");
        java.util.logging.Logger.getLogger("net.spy").setLevel(java.util.logging.Level.OFF);
        SERVERS.add(System.getenv("SERVER"));
        SERVERS.addAll(List.of(System.getenv("FURTHER").split(",")));
        client = make(SERVERS.subList(0, 1));
        System.out.println("version " + System.getenv("PACKAGE_VERSION"));
        storing();
        reading();
        counting();
        ageing();
        administration();
        boolean success = true;
        for (Map.Entry<String, Test> test : TESTS.entrySet()) {
            success &= passes(test.getKey(), test.getValue());
        }
        System.exit(success ? 0 : 1);
    }
}
