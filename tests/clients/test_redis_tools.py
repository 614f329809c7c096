"""The programs of Redis itself: redis-cli and redis-benchmark, as their users call them."""

import re
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from harness import SANITIZED, TIMEOUT, Server, main  # noqa: E402
from resp import request  # noqa: E402

PIPED = 50_000 if SANITIZED else 1_000_000


def call(name, server, *arguments, stdin=b"", timeout=TIMEOUT):
    done = subprocess.run(
        [name, "-p", str(server.port), *arguments], input=stdin, capture_output=True, timeout=timeout)
    return done.stdout.decode(errors="replace")


class RedisCli(unittest.TestCase):
    def test_one_command_a_call(self):
        with Server() as server:
            self.assertEqual(call("redis-cli", server, "SET", "a b", "x\ny"), "OK\n")
            self.assertEqual(call("redis-cli", server, "GET", "a b"), "x\ny\n")
            self.assertEqual(call("redis-cli", server, "GET", "none"), "\n")
            self.assertEqual(call("redis-cli", server, "-3", "CONFIG", "GET", "databases"), "databases 1\n")
            self.assertIn("ERR wrong number", call("redis-cli", server, "GET"))

    def test_commands_on_standard_input(self):
        with Server() as server:
            out = call("redis-cli", server, stdin=b"SET a 1\nINCR a\nMULTI\nINCR a\nEXEC\nGET a\n")
            self.assertEqual(out, "OK\n2\nOK\nQUEUED\n3\n3\n")

    def test_a_million_sets_through_pipe(self):
        data = b"".join(request("SET", f"key:{i}", f"value:{i}") for i in range(PIPED))
        with Server() as server:
            out = call("redis-cli", server, "--pipe", stdin=data, timeout=300)
            self.assertIn(f"errors: 0, replies: {PIPED}", out)
            self.assertEqual(call("redis-cli", server, "DBSIZE"), f"{PIPED}\n")
            self.assertEqual(call("redis-cli", server, "GET", f"key:{PIPED - 1}"), f"value:{PIPED - 1}\n")

    def test_walks(self):
        with Server() as server:
            call("redis-cli", server, stdin=b"".join(b"SET k:%d %d\n" % (i, i) for i in range(1000)))
            keys = call("redis-cli", server, "--scan", "--pattern", "k:*").split()
            self.assertEqual(sorted(keys), sorted(f"k:{i}" for i in range(1000)))
            self.assertIn("1000 strings with 2890 bytes", call("redis-cli", server, "--bigkeys"))

    def test_stat_and_latency(self):
        with Server() as server:
            with subprocess.Popen(["redis-cli", "-p", str(server.port), "--stat", "-i", "0.1"],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as stat:
                lines = [stat.stdout.readline().decode() for _ in range(4)]
                stat.kill()
            self.assertRegex(lines[2], r"^\d+ +[\d.]+[KMG] +1 +0 +\d+ \(\+0\) +\d+")
            out = call("redis-cli", server, "--latency", "--raw")  # of one second
            self.assertRegex(out, r"^\d+ \d+ [\d.]+ \d+")


class RedisBenchmark(unittest.TestCase):
    def test_its_tests(self):
        count = "10000" if SANITIZED else "100000"
        with Server() as server:
            for depth in ("1", "16"):
                out = call("redis-benchmark", server, "-t", "ping,set,get,incr,mset", "-n", count, "-P", depth,
                           "-q", "--csv", timeout=300)
                self.assertEqual(out.count("\n"), 7, out)
                for line in out.splitlines()[1:]:
                    self.assertGreater(float(re.split('","', line)[1]), 100)
            self.assertNotIn("WARNING", out)


if __name__ == "__main__":
    main()
