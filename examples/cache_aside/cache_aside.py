"""Cache-aside in front of a database: read from the cache, else from the database and add; update by set; invalidate by delete.

    pip install pymemcache
    python cache_aside.py --server 127.0.0.1:11211
"""

import argparse
import sqlite3

from pymemcache.client.base import Client
from pymemcache.serde import pickle_serde

LIFETIME_S = 300  # However stale a forgotten entry gets, it ends here.


class Books:
    """Books in SQLite, read through a cache."""

    def __init__(self, database, cache):
        self.database, self.cache = database, cache
        self.hits = self.misses = 0

    def read(self, number):
        key = f"book:{number}"
        book = self.cache.get(key)
        if book is not None:
            self.hits += 1
            return book
        self.misses += 1
        book = self.database.execute("SELECT title, year FROM books WHERE number = ?", (number,)).fetchone()
        if book is not None:
            # add, not set: a concurrent update may have stored a newer value.
            self.cache.add(key, book, expire=LIFETIME_S)
        return book

    def update(self, number, title, year):
        with self.database:
            self.database.execute("UPDATE books SET title = ?, year = ? WHERE number = ?", (title, year, number))
        self.cache.set(f"book:{number}", (title, year), expire=LIFETIME_S)

    def remove(self, number):
        with self.database:
            self.database.execute("DELETE FROM books WHERE number = ?", (number,))
        self.cache.delete(f"book:{number}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="127.0.0.1:11211")
    parser.add_argument("--database", default="books.sqlite")
    arguments = parser.parse_args()

    database = sqlite3.connect(arguments.database)
    with database:
        database.execute("CREATE TABLE IF NOT EXISTS books (number INTEGER PRIMARY KEY, title TEXT, year INTEGER)")
        database.executemany("INSERT OR REPLACE INTO books VALUES (?, ?, ?)",
                             [(1, "Middlemarch", 1871), (2, "Emma", 1815)])
    cache = Client(arguments.server, serde=pickle_serde, default_noreply=False)
    for number in (1, 2, 3):
        cache.delete(f"book:{number}")

    books = Books(database, cache)
    wrong = 0

    def show(what, number, expected):
        nonlocal wrong
        book, hits = books.read(number), books.hits
        wrong += book != expected
        print(f"{what:28} {book}   (hits {hits}, misses {books.misses})")

    show("the first read misses", 1, ("Middlemarch", 1871))
    show("the second one hits", 1, ("Middlemarch", 1871))
    show("another book misses", 2, ("Emma", 1815))
    books.update(2, "Emma", 1816)
    show("an update is seen at once", 2, ("Emma", 1816))
    show("and stays in the cache", 2, ("Emma", 1816))
    books.remove(1)
    show("a removed book is gone", 1, None)
    show("one that never was, too", 3, None)
    print(f"hits {books.hits}, misses {books.misses}, wrong answers {wrong}")


if __name__ == "__main__":
    main()
