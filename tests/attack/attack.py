"""What all attacks have in common: the server under attack, and what must hold afterwards."""

import os
import re
import resource
import socket
import struct
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from harness import (INSIDE, SANITIZED, TIMEOUT, Connection, Server, can_have_a_namespace,  # noqa: E402,F401
                     clean_environment, main, run)

KiB = 1024
MiB = 1024 * KiB


class Target(Server):
    """A server, and what the system says of its process."""

    def resident(self):
        """Bytes of memory."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * 4096

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def processor_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def number(self, field):
        return int(self.info(field))

    def wait_until(self, field, value):
        """Asks until a field of INFO has the value: the test's time limit ends it otherwise."""
        while self.info(field) != str(value):
            pass

    def await_clients(self, count):
        """Waits until so many clients are left, the one that asks not counted."""
        self.wait_until("connected_clients", count + 1)


class Attack(unittest.TestCase):
    """Each test has a server of its own; afterwards a new client is served, nothing is left open
    and nothing was logged that a client made up."""

    options = ()
    growth_max = 4 * MiB  # of the process, when the attackers are gone

    def setUp(self):
        self.server = Target(*self.options)
        with self.server.connect() as c:
            self.assertEqual(c.ask(b"PING"), b"+PONG\r")
        self.server.await_clients(0)
        self.resident_before = self.server.resident()
        self.descriptors_before = self.server.descriptors()
        self.attackers = []

    def tearDown(self):
        for each in self.attackers:
            each.close()
        with self.server.connect() as c:
            self.assertEqual(c.ask(b"PING"), b"+PONG\r")
        self.server.await_clients(0)
        while self.server.descriptors() > self.descriptors_before:
            pass
        # What was freed goes back within a tenth of a second, while somebody is there.
        end = time.monotonic() + TIMEOUT
        while not SANITIZED and self.server.resident() - self.resident_before >= self.growth_max:
            self.assertLess(time.monotonic(), end, "the process stays large")
            self.expect_served(1)
        self.assertNotRegex(self.server.stderr(), r"[^\n -~]")
        self.server.__exit__(None)

    def attacker(self, **options):
        """A connection that ends with the test. The buffers of its side can be kept small."""
        c = connect(self.server.port, **options)
        self.attackers.append(c)
        return c

    def expect_served(self, times=20):
        """Another client is served meanwhile."""
        with self.server.connect() as other:
            for _ in range(times):
                self.assertEqual(other.ask(b"PING"), b"+PONG\r")


def connect(port, receive_buffer=None):
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(TIMEOUT)
    sock.connect(("127.0.0.1", port))
    return Connection(sock)


def reset(connection):
    """Closes at once: the other side gets a reset."""
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def send_without_waiting(connection, data):
    """As much as the system takes; gives how much that was."""
    connection.sock.setblocking(False)
    sent = 0
    try:
        while sent < len(data):
            sent += connection.sock.send(data[sent:sent + 65536])
    except (BlockingIOError, ConnectionResetError, BrokenPipeError):
        pass
    connection.sock.settimeout(TIMEOUT)
    return sent


def rest_of(connection):
    """Everything until the end; a reset is an end too."""
    parts = [connection.buffer]
    try:
        while chunk := connection.sock.recv(65536):
            parts.append(chunk)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def raise_descriptor_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def field(info, name):
    return int(re.search(rb"^" + name + rb":(\d+)", info, re.M).group(1))
