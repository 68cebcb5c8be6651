"""Django's back end for pymemcache."""

import common
import django
import django_common
from django_common import Backend  # noqa: F401, the tests

if __name__ == "__main__":
    django_common.configure("PyMemcacheCache", {"timeout": 10})
    common.main(django.__version__)
