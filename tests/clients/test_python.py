"""redis-py, as Debian ships it."""

import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from certificates import Authority  # noqa: E402
from harness import Server, clean_environment, main  # noqa: E402

SYSTEM_PYTHON = "/usr/bin/python3"

try:
    import redis
except ModuleNotFoundError:
    if sys.executable == SYSTEM_PYTHON or not os.path.exists(SYSTEM_PYTHON):
        print("skipped: python3-redis is not installed (tools/setup does)")
        sys.exit(0)
    os.execv(SYSTEM_PYTHON, [SYSTEM_PYTHON, *sys.argv])


class Python(unittest.TestCase):
    def test_password(self):
        with Server(env=clean_environment(BUTTERDB_PASSWORD="sesame")) as server:
            with redis.Redis(port=server.port, password="sesame") as r:
                self.assertTrue(r.set("a", "1"))
            with redis.Redis(port=server.port, username="default", password="sesame") as r:
                self.assertEqual(r.get("a"), b"1")
            with redis.Redis(port=server.port, password="wrong") as r:
                # the name of the error differs between releases of redis-py
                errors = (redis.exceptions.ResponseError, redis.exceptions.AuthenticationError)
                self.assertRaises(errors, r.get, "a")
            with redis.Redis(port=server.port) as r:
                self.assertRaises(redis.exceptions.AuthenticationError, r.get, "a")

    def test_tls(self):
        authority = Authority()
        certificate, key = authority.sign("server")
        with Server("--tls-port", "0", "--tls-cert", certificate, "--tls-key", key) as server:
            with redis.Redis(port=server.tls_port, ssl=True, ssl_ca_certs=authority.certificate) as r:
                self.assertTrue(r.set("a", "1"))
                self.assertEqual(r.get("a"), b"1")

    def test_values_are_bytes(self):
        with Server() as server, redis.Redis(port=server.port) as r:
            every_byte = bytes(range(256))
            self.assertTrue(r.set(every_byte, every_byte * 100))
            self.assertEqual(r.get(every_byte), every_byte * 100)
            self.assertIsNone(r.get("none"))
            large = os.urandom(5_000_000)
            r.set("large", large)
            self.assertEqual(r.get("large"), large)
            self.assertEqual(r.mget("large", "none"), [large, None])
            self.assertEqual(r.delete("large", "none"), 1)

    def test_options_and_numbers(self):
        with Server() as server, redis.Redis(port=server.port, decode_responses=True) as r:
            self.assertTrue(r.set("a", 1, nx=True))
            self.assertIsNone(r.set("a", 2, nx=True))
            self.assertEqual(r.set("a", 3, get=True), "1")
            self.assertEqual(r.incr("a", 4), 7)
            self.assertEqual(r.incrbyfloat("a", 0.5), 7.5)
            with self.assertRaisesRegex(redis.ResponseError, "not an integer"):
                r.incr("a")
            self.assertEqual(r.append("a", "x"), 4)
            self.assertEqual(r.getrange("a", 1, -1), ".5x")
            self.assertEqual(r.type("a"), "string")
            self.assertEqual(r.execute_command("PUT", "a", "b"), "OK")

    def test_deadlines(self):
        with Server() as server, redis.Redis(port=server.port) as r:
            r.set("a", 1, ex=100)
            self.assertIn(r.ttl("a"), (99, 100))
            self.assertTrue(r.persist("a"))
            self.assertEqual(r.ttl("a"), -1)
            self.assertTrue(r.pexpire("a", 1))
            while r.exists("a"):
                pass
            self.assertEqual(r.ttl("a"), -2)

    def test_pipelines_are_transactions(self):
        with Server() as server, redis.Redis(port=server.port) as r:
            with r.pipeline() as pipe:
                for i in range(1000):
                    pipe.set(f"k{i}", i).incr("sum")
                self.assertEqual(pipe.execute()[-1], 1000)
            with r.pipeline(transaction=False) as pipe:
                self.assertEqual(pipe.get("k1").get("k999").execute(), [b"1", b"999"])
            self.assertEqual(len(set(r.scan_iter(match="k*", count=50))), 1000)

    def test_a_watched_key_that_changes_stops_the_transaction(self):
        with Server() as server, redis.Redis(port=server.port) as r:
            r.set("a", 1)
            with r.pipeline() as pipe:
                pipe.watch("a")
                r.set("a", 2)
                pipe.multi()
                pipe.set("a", 3)
                with self.assertRaises(redis.WatchError):
                    pipe.execute()
            self.assertEqual(r.get("a"), b"2")
            r.transaction(lambda pipe: pipe.multi() or pipe.incr("a"), "a")
            self.assertEqual(r.get("a"), b"3")

    def test_what_it_asks_of_a_server(self):
        with Server() as server, redis.Redis(port=server.port, client_name="me") as r:
            self.assertEqual(r.client_getname(), "me")
            self.assertEqual(r.info()["role"], "master")
            self.assertEqual(r.info("keyspace"), {})
            self.assertEqual(r.config_get("save"), {"save": ""})
            self.assertEqual(r.client_list()[0]["name"], "me")
            self.assertTrue(r.ping())
            self.assertEqual(r.time()[0] > 1_600_000_000, True)


if __name__ == "__main__":
    main()
