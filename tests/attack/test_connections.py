"""Connections that come in crowds, go at once, trickle, stop, or vanish."""

import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
import unittest

from attack import (INSIDE, SANITIZED, TIMEOUT, Attack, Connection, MiB, Target, can_have_a_namespace, connect, main, raise_descriptor_limit, reset,
                    rest_of, send_without_waiting)


class Crowds(Attack):
    def test_e3_thirty_thousand_that_connect_and_reset(self):
        for _ in range(2_000 if SANITIZED else 30_000):
            reset(connect(self.server.port))
        self.expect_served()

    def test_e4_gone_before_they_are_accepted(self):
        self.server.process.send_signal(signal.SIGSTOP)
        for _ in range(500):
            reset(connect(self.server.port))
        self.server.process.send_signal(signal.SIGCONT)
        self.expect_served()
        self.assertEqual(self.server.stderr(), "")

    def test_e14_thousands_at_once(self):
        """The heap keeps what a crowd has needed, for the next one."""
        count = min(5_000, raise_descriptor_limit() - 100)
        self.crowd(count)
        self.server.await_clients(0)
        once = self.server.resident()
        self.crowd(count)
        self.server.await_clients(0)
        if not SANITIZED:
            self.assertLess(once - self.resident_before, count * 8 * 1024)
            self.assertLess(self.server.resident() - once, self.growth_max)
        self.resident_before = once

    def crowd(self, count):
        poll = select.poll()
        pending = {}
        for _ in range(count):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", self.server.port))
            pending[sock.fileno()] = Connection(sock)
            poll.register(sock, select.POLLOUT)
        everybody = list(pending.values())
        while pending:
            for descriptor, event in poll.poll(TIMEOUT * 1000):
                self.assertFalse(event & select.POLLERR)
                poll.unregister(descriptor)
                del pending[descriptor]
        for each in everybody:
            each.sock.settimeout(TIMEOUT)
            each.send(b"PING\n")
        for each in everybody:
            self.assertEqual(each.line(), b"+PONG\r")
        self.assertEqual(self.server.number("rejected_connections"), 0)
        for each in everybody:
            each.close()

    def test_e15_no_descriptor_is_lost_in_whatever_order_they_leave(self):
        ways = [lambda c: c.close(), reset, lambda c: rest_of(c.send(b"QUIT\n")), lambda c: rest_of(c.send(b"\x16")),
                lambda c: rest_of(c.send(b'GET "a\n')), lambda c: c.send(b"GET a").close(),
                lambda c: (c.send(b"GET a\n"), c.sock.shutdown(socket.SHUT_WR), rest_of(c))]
        for step in range(300 if SANITIZED else 3_000):
            some = [connect(self.server.port) for _ in range(len(ways))]
            for place, c in enumerate(some):
                ways[(place + step) % len(ways)](c)
                c.close()
        self.expect_served()

    def test_e16_clients_that_close_each_other_and_themselves(self):
        for _ in range(50):
            some = [self.attacker() for _ in range(10)]
            for c in some:
                send_without_waiting(c, b"CLIENT KILL TYPE normal SKIPME no\nPING\n" * 20)
            for c in some:
                rest_of(c)
                c.close()
        self.attackers.clear()
        self.expect_served()


class Limits(Attack):
    options = ("--max-clients", "10")

    def test_e6_never_more_than_the_limit(self):
        inside = [self.attacker() for _ in range(9)]
        for c in inside:
            self.assertEqual(c.ask(b"PING"), b"+PONG\r")
        for _ in range(5):
            outside = [connect(self.server.port) for _ in range(50)]
            replies = [rest_of(c) if place else c.ask(b"PING") for place, c in enumerate(outside)]
            self.assertEqual(replies[0], b"+PONG\r")
            self.assertEqual(set(replies[1:]), {b"-ERR max number of clients reached\r\n"})
            for c in outside:
                c.close()
            while True:  # until the place is free again
                with self.server.connect() as c:
                    if c.ask(b"PING") == b"+PONG\r":
                        break
        self.assertEqual(len(inside[0].send(b"CLIENT LIST\n").line().split()), 2)


class Slow(Attack):
    options = ("--request-timeout", "1", "--idle-timeout", "3")

    def test_e7_requests_that_trickle(self):
        slow = [self.attacker() for _ in range(200)]
        with self.server.connect() as other:
            start = time.monotonic()
            while slow:
                for c in slow:
                    try:
                        c.sock.send(b"x")
                    except OSError:
                        pass
                self.assertEqual(other.ask(b"PING"), b"+PONG\r")
                ended, _, _ = select.select([c.sock for c in slow], [], [], 0.05)
                slow = [c for c in slow if c.sock not in ended]
                self.assertLess(time.monotonic() - start, TIMEOUT)
        self.assertEqual(self.server.number("request_timeout_disconnections"), 200)

    def test_e8_who_is_idle_is_closed_and_who_is_active_is_not(self):
        idle = [self.attacker() for _ in range(20)]
        with self.server.connect() as active:
            while len(select.select([c.sock for c in idle], [], [], 0)[0]) < len(idle):
                self.assertEqual(active.ask(b"PING"), b"+PONG\r")
            self.assertEqual(active.ask(b"PING"), b"+PONG\r")
        self.assertEqual(self.server.number("idle_disconnections"), 20)


class Descriptors(Attack):
    @unittest.skipIf(SANITIZED, "UBSan's vptr check needs a descriptor itself")
    def test_e1_out_of_descriptors(self):
        raise_descriptor_limit()
        first = self.attacker()
        self.assertEqual(first.ask(b"PING"), b"+PONG\r")
        pid = self.server.process.pid
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (80, hard))
        crowd = [self.attacker() for _ in range(120)]
        while "cannot accept" not in self.server.stderr():
            self.assertEqual(first.ask(b"PING"), b"+PONG\r")
        # Two seconds in which nothing can happen but attempts to accept.
        before = self.server.processor_seconds()
        select.select([], [], [], 2)
        self.assertLess(self.server.processor_seconds() - before, 0.05 * 2)
        self.assertEqual(first.ask(b"PING"), b"+PONG\r")
        self.assertEqual(self.server.stderr().count("cannot accept"), 1)
        # Half of them leave: the others are served.
        for c in crowd[:60]:
            c.close()
        for c in crowd[60:]:
            self.assertEqual(c.ask(b"PING"), b"+PONG\r")


class Fairness(Attack):
    def test_e13_a_flood_of_pipelines_starves_nobody(self):
        flood = self.attacker()
        with self.server.connect() as other:
            self.assertEqual(other.ask(b"PING"), b"+PONG\r")
            sent = send_without_waiting(flood, b"GET k\n" * 500_000) // 6
            for _ in range(10):
                self.assertEqual(other.ask(b"PING"), b"+PONG\r")
            # The flood goes on behind the ten.
            self.assertLess(self.server.number("keyspace_misses"), sent)

    def test_e13_nor_do_requests_that_move_much(self):
        flood = self.attacker()
        flood.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4000000\r\n" + b"x" * 4_000_000 + b"\r\n")
        self.assertEqual(flood.line(), b"+OK\r")
        flood.send(b"*3\r\n$6\r\nAPPEND\r\n$1\r\nk\r\n$1\r\nx\r\n" * 100)
        with self.server.connect() as other:
            served = 0
            while other.ask(b"STRLEN k") != b"4000100":
                served += 1
            self.assertGreater(served, 10)  # a turn for each of the others, or nearly
        with self.server.connect() as c:
            c.ask(b"DEL k")


# Runs in a network namespace of its own, joined by a cable to another one.
class Vanished(unittest.TestCase):
    """The peer's machine is gone: no FIN, no reset, nothing."""

    def test_in_a_namespace(self):
        if INSIDE in os.environ:
            self.skipTest("is inside")
        if not can_have_a_namespace():
            self.skipTest("no network namespaces here")
        done = subprocess.run(
            ["unshare", "--net", sys.executable, __file__, "Vanished"], env={**os.environ, INSIDE: "1"},
            capture_output=True, timeout=TIMEOUT)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        self.assertIn(b"skipped=1", done.stderr)

    def ip(self, *arguments):
        subprocess.run(["ip", *arguments], check=True, capture_output=True)

    @unittest.skipUnless(INSIDE in os.environ, "runs in a namespace")
    def test_e10_silent_peers_are_noticed(self):
        self.ip("link", "set", "lo", "up")
        sleeper = subprocess.Popen(["unshare", "--net", "sleep", "60"])
        try:
            while os.readlink(f"/proc/{sleeper.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
                pass
            self.ip("link", "add", "here", "type", "veth", "peer", "name", "there", "netns", str(sleeper.pid))
            self.ip("address", "add", "10.9.8.1/24", "dev", "here")
            self.ip("link", "set", "here", "up")
            inside = ["nsenter", f"--net=/proc/{sleeper.pid}/ns/net"]
            for arguments in (["address", "add", "10.9.8.2/24", "dev", "there"], ["link", "set", "there", "up"]):
                subprocess.run([*inside, "ip", *arguments], check=True)
            with Target("--bind", "127.0.0.1,10.9.8.1", "--protected-mode", "no", "--tcp-keepalive", "1",
                        "--tcp-user-timeout", "2", "--write-timeout", "1") as server:
                program = ("import socket, sys; s = socket.create_connection(('10.9.8.1', int(sys.argv[1]))); "
                           "s.sendall(b'PING\\n'); s.recv(100); print('connected', flush=True); sys.stdin.read()")
                peer = subprocess.Popen(
                    [*inside, sys.executable, "-c", program, str(server.port)], stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE)
                self.assertEqual(peer.stdout.readline(), b"connected\n")
                self.assertEqual(server.number("connected_clients"), 2)
                self.ip("link", "set", "here", "down")
                server.await_clients(0)
                self.assertEqual(server.stderr().count("\n"), 1)  # that everybody is let in
                peer.kill()
                peer.communicate()
        finally:
            sleeper.kill()
            sleeper.wait()


if __name__ == "__main__":
    main()
