"""Flask-Caching's memcached back ends: MemcachedCache over text, SASLMemcachedCache and the one that spreads large values
over keys where SASL_USER is set."""

import importlib.metadata
import os
import time
import unittest

import common
import flask
import flask_caching

BACKEND = "SASLMemcachedCache" if common.USER else "MemcachedCache"


def make(backend=BACKEND, **further):
    app = flask.Flask("of-the-tests")
    app.config |= {
        "CACHE_TYPE": backend,
        "CACHE_MEMCACHED_SERVERS": [common.SERVER],
        "CACHE_MEMCACHED_USERNAME": common.USER,
        "CACHE_MEMCACHED_PASSWORD": common.PASSWORD,
        "CACHE_KEY_PREFIX": "app:",
        **further,
    }
    return app, flask_caching.Cache(app)


class Backend(unittest.TestCase):
    """The interface of the extension."""

    def setUp(self):
        self.app, self.cache = make()
        context = self.app.app_context()
        context.push()
        self.addCleanup(context.pop)
        self.cache.clear()

    def test_set_get(self):
        for value in ("text", b"bytes", 7, 2.5, True, {"a": [1]}, "☃" * 1000):
            self.assertTrue(self.cache.set("k", value))
            self.assertEqual(self.cache.get("k"), value)
        self.assertIsNone(self.cache.get("missing"))

    def test_add(self):
        self.assertTrue(self.cache.add("k", 1))
        self.assertFalse(self.cache.add("k", 2))
        self.assertEqual(self.cache.get("k"), 1)

    def test_delete(self):
        self.assertFalse(self.cache.delete("k"))
        self.cache.set("k", 1)
        self.assertTrue(self.cache.delete("k"))
        self.assertIsNone(self.cache.get("k"))

    def test_has(self):
        self.assertFalse(self.cache.has("k"))
        self.cache.set("k", 1)
        self.assertTrue(self.cache.has("k"))

    def test_many(self):
        values = {f"key{i}": i for i in range(100)}
        self.cache.set_many(values)
        self.assertEqual(self.cache.get_many(*values, "missing"), [*values.values(), None])

    def test_get_dict(self):
        self.cache.set("a", 1)
        self.assertEqual(self.cache.get_dict("a", "b"), {"a": 1, "b": None})

    def test_delete_many(self):
        self.cache.set_many({"a": 1, "b": 2, "c": 3})
        self.cache.delete_many("a", "b")
        self.assertEqual(self.cache.get_many("a", "b", "c"), [None, None, 3])

    def test_incr_decr(self):
        backend = self.cache.cache
        self.cache.set("n", 10)
        self.assertEqual(backend.inc("n", 5), 15)
        self.assertEqual(backend.dec("n", 3), 12)
        self.assertEqual(self.cache.get("n"), 12)

    def test_timeout(self):
        self.cache.set("soon", 1, timeout=1)
        self.cache.set("later", 1, timeout=1000)
        self.cache.set("forever", 1, timeout=0)
        time.sleep(2.2)
        self.assertEqual(self.cache.get_many("soon", "later", "forever"), [None, 1, 1])

    def test_large_values(self):
        value = os.urandom(1_000_000)
        self.assertTrue(self.cache.set("large", value))
        self.assertEqual(self.cache.get("large"), value)

    def test_long_keys_are_ignored(self):
        self.assertIsNone(self.cache.get("k" * 251))
        self.assertFalse(self.cache.has("k" * 251))

    def test_prefix(self):
        app, other = make(CACHE_KEY_PREFIX="other:")
        self.cache.set("k", 1)
        with app.app_context():
            self.assertIsNone(other.get("k"))
            other.set("k", 2)
        self.assertEqual(self.cache.get("k"), 1)

    def test_clear(self):
        self.cache.set("k", 1)
        self.assertTrue(self.cache.clear())
        self.assertIsNone(self.cache.get("k"))

    def test_memoize(self):
        calls = []

        @self.cache.memoize(100)
        def add(a, b):
            calls.append((a, b))
            return a + b

        self.assertEqual([add(1, 2), add(1, 2), add(b=2, a=1), add(2, 3)], [3, 3, 3, 5])
        self.assertEqual(calls, [(1, 2), (2, 3)])
        self.cache.delete_memoized(add, 1, 2)
        self.assertEqual([add(1, 2), add(2, 3)], [3, 5])
        self.assertEqual(len(calls), 3)

    def test_cached(self):
        calls = []

        @self.app.route("/page")
        @self.cache.cached(timeout=100)
        def page():
            calls.append(1)
            return "a page"

        client = self.app.test_client()
        self.assertEqual([client.get("/page").data for _ in range(3)], [b"a page"] * 3)
        self.assertEqual(len(calls), 1)

    def test_query_string(self):
        calls = []

        @self.app.route("/query")
        @self.cache.cached(timeout=100, query_string=True)
        def query():
            calls.append(1)
            return flask.request.args["a"]

        client = self.app.test_client()
        self.assertEqual([client.get(f"/query?a={a}").data for a in (1, 2, 1)], [b"1", b"2", b"1"])
        self.assertEqual(len(calls), 2)


if common.USER:

    class Spread(unittest.TestCase):
        """Values above the item limit."""

        def test_spread(self):
            app, cache = make("SpreadSASLMemcachedCache")
            with app.app_context():
                value = os.urandom(3_000_000)
                cache.set("spread", value)
                self.assertEqual(cache.get("spread"), value)
                cache.delete("spread")
                self.assertIsNone(cache.get("spread"))


if __name__ == "__main__":
    common.main(importlib.metadata.version("flask-caching"))
