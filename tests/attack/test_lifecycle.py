"""The end of the server at any moment, and hostile servers against our own programs."""

import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest
from pathlib import Path

from attack import SANITIZED, TIMEOUT, Connection, Target, can_have_a_namespace, connect, main, raise_descriptor_limit, run, send_without_waiting

ROOT = Path(__file__).resolve().parents[2]


class Drain(unittest.TestCase):
    def test_h1_h3_stopped_under_load_no_acknowledged_write_is_lost(self):
        """Each run: clients put numbered values, the server is told to stop at a random moment. What
        was answered OK before the end is a prefix of what was sent, and every reply is whole."""
        random.seed(1)
        for _ in range(5 if SANITIZED else 40):
            server = Target()
            clients = [server.connect() for _ in range(4)]
            replies = [b""] * len(clients)

            def talk(place):
                c = clients[place]
                try:
                    for batch in range(10_000):
                        c.send(b"".join(b"PUT k%d-%d v\nGET k%d-%d\n" % (place, batch * 8 + i, place, batch * 8 + i)
                                        for i in range(8)))
                        replies[place] += c.sock.recv(65536)
                except OSError:
                    pass
                try:
                    while chunk := c.sock.recv(65536):
                        replies[place] += chunk
                except OSError:
                    pass

            threads = [threading.Thread(target=talk, args=(place,)) for place in range(len(clients))]
            for thread in threads:
                thread.start()
            select.select([], [], [], random.random() / 20)
            self.assertEqual(server.stop(), 0)
            for thread in threads:
                thread.join()
            for c, seen in zip(clients, replies):
                c.close()
                # Whole replies, in order, and each GET found what its PUT had stored.
                self.assertRegex(seen, rb"\A(OK\nv\n)*(OK\n)?\Z")
            self.assertNotIn("cutting", server.stderr())
            server.log.close()

    def test_h1_idle_connections_do_not_hold_it(self):
        raise_descriptor_limit()
        server = Target()
        idle = [server.connect() for _ in range(1_000)]
        server.wait_until("connected_clients", 1_001)
        self.assertEqual(server.stop(), 0)
        self.assertNotIn("cutting", server.stderr())
        for c in idle:
            self.assertEqual(c.rest(), b"")
            c.close()
        server.log.close()

    def test_h1_clients_that_never_read_are_cut(self):
        server = Target("--drain-timeout", "1")
        with server.connect() as c:
            c.ask(b"PUT big " + b"x" * 60_000)
        deaf = [connect(server.port, receive_buffer=4096) for _ in range(5)]
        for c in deaf:
            send_without_waiting(c, b"GET big\n" * 1000)
        server.wait_until("connected_clients", 6)
        self.assertEqual(server.stop(), 0)
        self.assertIn("cutting connections that did not end in time", server.stderr())
        for c in deaf:
            c.close()
        server.log.close()

    def test_h2_the_second_signal_ends_it_at_once(self):
        server = Target("--drain-timeout", "1000")
        with server.connect() as deaf:
            deaf.ask(b"PUT big " + b"x" * 60_000)
            send_without_waiting(deaf, b"GET big\n" * 1000)
            deaf.line()
            server.process.send_signal(signal.SIGTERM)
            while "stopping" not in server.stderr():
                pass
            self.assertEqual(server.stop(), 1)
        server.log.close()


class HostileServer:
    """Sends every client these bytes, then closes, or goes on for ever."""

    def __init__(self, reply, endless=False):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.reply, self.endless = reply, endless
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            try:
                client.settimeout(TIMEOUT)
                client.recv(65536)
                client.sendall(self.reply)
                while self.endless:
                    client.sendall(self.reply)
            except OSError:
                pass
            client.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


HOSTILE = [b"$2147483648\r\n", b"*2147483647\r\n", b"LIST 18446744073709551616\n", b"LIST 4294967297\n", b"LIST -1\n",
           b"LIST 2\n" * 100_000, b"LIST x\n", b"\x00" * 1000, b"", b"OK", b"\n" * 100_000, b"\xff" * 100_000]


class OwnPrograms(unittest.TestCase):
    """Whatever a server sends, they end, and say what is wrong."""

    def limited(self, name, *arguments, bytes_max=500_000_000):
        """Runs a program that may use little memory."""
        limit = [] if SANITIZED else ["prlimit", f"--as={bytes_max}"]
        return subprocess.run(
            [*limit, str(Path(os.environ.get("BUTTERDB_BIN", "build/release"), name)), *map(str, arguments)],
            capture_output=True, timeout=TIMEOUT)

    def test_i1_i2_the_client_survives_hostile_servers(self):
        for reply in HOSTILE:
            with self.subTest(reply[:30]), HostileServer(reply) as server:
                done = self.limited("butterdb-client", "--port", server.port, "--timeout", 5, "GET", "a")
                self.assertIn(done.returncode, (0, 1), done.stderr[:300])
                if done.returncode == 1:
                    self.assertGreater(len(done.stderr), 0)

    def test_i1_replies_without_end_are_given_up(self):
        with HostileServer(b"x" * 1_000_000, endless=True) as server:
            done = run("butterdb-client", "--port", server.port, "--timeout", 0, "GET", "a", timeout=TIMEOUT)
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"cannot be read", done.stderr)

    @unittest.skipIf(SANITIZED, "a sanitizer takes much address space")
    def test_x13_the_client_keeps_no_more_than_the_longest_reply(self):
        # 256 MiB are copied into 512 MiB at the last step; doubling further would take 1.5 GiB.
        with HostileServer(b"x" * 1_000_000, endless=True) as server:
            done = self.limited("butterdb-client", "--port", server.port, "GET", "a", bytes_max=1_000_000_000)
            self.assertEqual(done.returncode, 1)
            self.assertEqual(
                done.stderr, b"butterdb-client: the server's reply cannot be read: it is longer than 512MiB\n")

    def test_i2_the_load_generator_takes_wrong_replies_for_wrong(self):
        for reply in HOSTILE + [b"NOT_FOUND\nOK\n" * 10_000]:
            with self.subTest(reply[:30]), HostileServer(reply) as server:
                done = self.limited("butterdb-bench", "--port", server.port, "--timeout", 5, "--clients", 2, "--ops", 50)
                self.assertEqual(done.returncode, 1, (done.stdout[:300], done.stderr[:300]))

    def test_x13_the_load_tool_gives_up_a_reply_without_end(self):
        """In each dialect, and in an array that nests and never closes."""
        value = b"x" * 1_000_000
        for protocol, reply in (("text", value), ("resp", b"*2\r\n$1000000\r\n" + value + b"\r\n"),
                                ("memcache", b"VALUE k 0 1000000000\r\n" + value)):
            with self.subTest(protocol), HostileServer(reply, endless=True) as server:
                done = self.limited("butterdb-bench", "--port", server.port, "--protocol", protocol, "--timeout", 0,
                                    "--clients", 1, "--ops", 50)
                self.assertEqual((done.returncode, done.stdout), (1, b""), done.stderr[:300])
                self.assertIn(b"the server's reply is longer than the ", done.stderr)

    def test_i3_the_terminal_is_not_at_the_servers_mercy(self):
        with Target() as server:
            run("butterdb-client", "--port", server.port, "PUT", "a", "\x1b[2J\x07evil")
            done = run("butterdb-client", "--port", server.port, "GET", "a")
            self.assertEqual(done.stdout, b'"\\x1b[2J\\aevil"\n')
            done = run("butterdb-client", "--port", server.port, "--raw", "GET", "a")
            self.assertEqual(done.stdout, b"\x1b[2J\x07evil\n")

    def test_i4_nobody_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        for name, arguments in (("butterdb-client", ["GET", "a"]), ("butterdb-bench", ["--clients", 2, "--ops", 10])):
            done = run(name, "--port", port, *arguments)
            self.assertEqual((done.returncode, done.stderr.count(b"\n")), (1, 1), done)

    def test_e11_standard_output_is_closed(self):
        with Target() as server:
            run("butterdb-client", "--port", server.port, stdin=b"".join(b"PUT k%d v\n" % i for i in range(1000)))
            program = Path(os.environ.get("BUTTERDB_BIN", "build/release"), "butterdb-client")
            done = subprocess.run(
                f"yes 'KEYS *' | head -1000 | {program} --port {server.port} | head -1", shell=True, capture_output=True,
                timeout=TIMEOUT)
            self.assertEqual(done.stdout, b"LIST 1000\n")
            with server.connect() as c:
                self.assertEqual(c.ask(b"PING"), b"+PONG\r")


class Machine(unittest.TestCase):
    def test_h6_without_ipv6(self):
        if not can_have_a_namespace():
            self.skipTest("no network namespaces here")
        program = Path(os.environ.get("BUTTERDB_BIN", "build/release"), "butterdb").resolve()
        done = subprocess.run(
            ["unshare", "--net", "sh", "-c",
             "ip link set lo up; echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; "
             f"timeout --signal=TERM 2 {program} --port 0; true"], capture_output=True, timeout=TIMEOUT)
        if b"cannot create" in done.stderr:
            self.skipTest("the namespace's settings cannot be written")
        self.assertRegex(done.stdout, rb"\Alistening on 127\.0\.0\.1:\d+\n\Z")

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd is not installed")
    def test_h8_the_unit_is_confined(self):
        unit = ROOT / "packaging/butterdb.service"
        done = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)], capture_output=True,
            timeout=TIMEOUT)
        exposure = re.search(rb"Overall exposure level for butterdb.service: (\d+\.\d+)", done.stdout)
        self.assertIsNotNone(exposure, done)
        self.assertLessEqual(float(exposure.group(1)), 1.5)
        text = unit.read_text()
        mib = {"M": 1, "G": 1024}
        ceiling, unit_of_ceiling = re.search(r"--max-memory (\d+)([MG])iB", text).groups()
        most, unit_of_most = re.search(r"MemoryMax=(\d+)([MG])", text).groups()
        self.assertGreaterEqual(int(most) * mib[unit_of_most], 1.25 * int(ceiling) * mib[unit_of_ceiling])


if __name__ == "__main__":
    main()
