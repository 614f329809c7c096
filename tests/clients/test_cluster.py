"""Several servers behind a router: tools/cluster, with nutcracker."""

import os
import random
import re
import signal
import socket
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from harness import SANITIZED, clean_environment, main, program  # noqa: E402
from resp import Peer, request  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
KEYS = 10_000 if SANITIZED else 100_000
BATCH = 500


def free_pair():
    """A port that is free, and the next. Below those of the kernel, any of which a connection may have left in use."""
    while True:
        port = random.randrange(10_000, 30_000)
        try:
            with socket.create_server(("127.0.0.1", port)), socket.create_server(("127.0.0.1", port + 1)):
                return port
        except OSError:
            pass


class Cluster:
    """tools/cluster on ports that were free a moment ago; nutcracker cannot be given port 0."""

    def __init__(self, servers):
        for _ in range(5):
            self.port = free_pair()
            self.start(servers)
            if b"listens on" in self.line:
                return
            self.__exit__()  # somebody else was faster
        raise AssertionError(f"the cluster does not start: {self.line}")

    def start(self, servers):
        self.process = subprocess.Popen(
            [str(ROOT / "tools/cluster"), str(servers), str(self.port), "--log-level", "error"],
            stdout=subprocess.PIPE, env=clean_environment(BUTTERDB=program("butterdb")))
        self.servers = []  # (port, process id)
        self.line = b""
        for self.line in self.process.stdout:
            found = re.fullmatch(rb"server\d+: 127.0.0.1:(\d+), process (\d+)\n", self.line)
            if found is None:
                break
            self.servers.append((int(found[1]), int(found[2])))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.process.stdout.close()


def is_alive(process):
    return os.path.exists(f"/proc/{process}")


class Router(unittest.TestCase):
    def ask_all(self, peer, requests):
        """Pipelines of requests; gives the replies."""
        replies = []
        for at in range(0, len(requests), BATCH):
            batch = requests[at:at + BATCH]
            peer.send(b"".join(request(*words) for words in batch))
            replies += [peer.reply() for _ in batch]
        return replies

    def test_keys_are_spread_and_found(self):
        with Cluster(3) as cluster:
            self.assertIn(b"the cluster listens on", cluster.line)
            router = Peer(cluster.port)
            sets = self.ask_all(router, [("SET", f"key{i}", f"value{i}") for i in range(KEYS)])
            self.assertEqual(set(sets), {b"+OK\r\n"})
            counts = []
            for port, _ in cluster.servers:
                peer = Peer(port)
                counts.append(int(peer.ask("DBSIZE")[1:]))
                peer.close()
            self.assertEqual(sum(counts), KEYS)
            self.assertGreater(min(counts), KEYS // 10)
            gets = self.ask_all(router, [("GET", f"key{i}") for i in range(KEYS)])
            self.assertEqual(gets[KEYS - 1], b"$%d\r\nvalue%d\r\n" % (5 + len(str(KEYS - 1)), KEYS - 1))
            self.assertEqual(len(set(gets)), KEYS)

            pairs = [word for i in range(100) for word in (f"m{i}", i)]
            self.assertEqual(router.ask("MSET", *pairs), b"+OK\r\n")
            values = router.ask("MGET", *[f"m{i}" for i in range(100)], "none")
            self.assertEqual(values.count(b"\r\n$"), 101)
            self.assertTrue(values.endswith(b"$2\r\n99\r\n$-1\r\n"))
            self.assertEqual(router.ask("DEL", *[f"m{i}" for i in range(100)]), b":100\r\n")
            router.close()

    def test_without_one_server_the_others_answer(self):
        with Cluster(3) as cluster:
            router = Peer(cluster.port)
            self.ask_all(router, [("SET", f"key{i}", i) for i in range(1000)])
            os.kill(cluster.servers[1][1], signal.SIGTERM)
            while is_alive(cluster.servers[1][1]):
                pass
            replies = self.ask_all(router, [("GET", f"key{i}") for i in range(1000)])
            failed = [r for r in replies if r.startswith(b"-")]
            self.assertGreater(len(failed), 100)
            self.assertGreater(len(replies) - len(failed), 300)
            for i, reply in enumerate(replies):
                if not reply.startswith(b"-"):
                    self.assertTrue(reply.endswith(b"\r\n%d\r\n" % i))
            router.close()

    def test_all_processes_end_with_it(self):
        with Cluster(2) as cluster:
            processes = [process for _, process in cluster.servers]
            self.assertTrue(all(map(is_alive, processes)))
        self.assertFalse(any(map(is_alive, processes)))

    def test_wrong_usage(self):
        for words in ([], ["x"], ["0"], ["2", "port"]):
            done = subprocess.run([str(ROOT / "tools/cluster"), *words], capture_output=True)
            self.assertEqual(done.returncode, 2)
            self.assertIn(b"Usage: tools/cluster", done.stderr)


if __name__ == "__main__":
    main()
