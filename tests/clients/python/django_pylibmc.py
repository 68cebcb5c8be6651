"""Django's back end for pylibmc, over the text protocol, or the binary protocol if BINARY is set."""

import os

import common
import django
import django_common
from django_common import Backend  # noqa: F401, the tests

if __name__ == "__main__":
    options = {"binary": "BINARY" in os.environ, "behaviors": {"tcp_nodelay": True}}
    if common.USER:
        options |= {"username": common.USER, "password": common.PASSWORD}
    django_common.configure("PyLibMCCache", options)
    common.main(django.__version__)
