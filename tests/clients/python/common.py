"""Shared by the suites: the addresses of the servers, and the report that the client tests read.

SERVER is `host:port` or the path of a Unix socket, FURTHER lists more of them, separated by commas. TLS_CA names a file
with the certificate of the servers; SASL_USER and SASL_PASSWORD are set if the servers require a login.
"""

import os
import ssl
import sys
import unittest


def address(text):
    """Address in the form of most clients: a pair for TCP, a path for a Unix socket."""
    if text.startswith("/"):
        return text
    host, port = text.rsplit(":", 1)
    return host, int(port)


SERVER = os.environ["SERVER"]
FURTHER = [one for one in os.environ.get("FURTHER", "").split(",") if one]
USER = os.environ.get("SASL_USER")
PASSWORD = os.environ.get("SASL_PASSWORD")


def tls_context():
    """A context that trusts the servers' certificate, or None without TLS."""
    authority = os.environ.get("TLS_CA")
    return ssl.create_default_context(cafile=authority) if authority else None


class _Result(unittest.TextTestResult):
    def addSuccess(self, test):
        super().addSuccess(test)
        print("passed", test.id().rsplit(".", 1)[1].removeprefix("test_").replace("_", " "))


def main(version):
    """Runs the tests of the script; a skipped test is a failure."""
    print("version", version)
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    result = unittest.TextTestRunner(sys.stderr, resultclass=_Result).run(suite)
    sys.exit(0 if result.wasSuccessful() and not result.skipped else 1)
