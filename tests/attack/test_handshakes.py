"""What clients do under TLS before they have shown anything: many handshakes that begin and never end."""

import os
import socket
import ssl
import unittest

from attack import SANITIZED, TIMEOUT, Attack, Connection, KiB, MiB, main, raise_descriptor_limit
from certificates import Authority

LARGEST_HELLO = bytes.fromhex("16030102000101ff000303")  # the beginning of one, of 128 KiB
HALF_A_RECORD = b"\x17\x03\x03\x40\x00" + b"x" * 100


def client_hello():
    """The bytes of one, as Python's ssl sends them."""
    sent = ssl.MemoryBIO()
    connection = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), sent, server_hostname="localhost")
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return sent.read()


class Handshakes(Attack):
    growth_max = 8 * MiB  # Asio keeps 200 bytes for each connection that there ever was, spread over the heap

    @classmethod
    def setUpClass(cls):
        cls.authority = Authority()
        certificate, key = cls.authority.sign("server")
        cls.options = ("--tls-port", "0", "--tls-cert", certificate, "--tls-key", key, "--max-memory", "64MiB")
        cls.trusting = ssl.create_default_context(cafile=cls.authority.certificate)

    def setUp(self):
        raise_descriptor_limit()
        super().setUp()

    def connect_tls(self, data=b""):
        raw = socket.create_connection(("127.0.0.1", self.server.tls_port), TIMEOUT)
        self.attackers.append(Connection(raw))
        raw.sendall(data)
        return self.attackers[-1]

    def shake_hands(self):
        c = Connection(self.trusting.wrap_socket(
            socket.create_connection(("127.0.0.1", self.server.tls_port), TIMEOUT), server_hostname="localhost"))
        self.attackers.append(c)
        return c

    def growth(self):
        return self.server.resident() - self.resident_before

    def await_counted(self, count, bytes_each):
        """Waits until the memory of clients comes to so much for each of them."""
        while self.server.number("mem_clients_normal") < count * bytes_each:
            pass

    def expect_growth_is_counted(self):
        """What the process has grown by is what it says that its clients hold, but for 4 KiB of each."""
        if not SANITIZED:
            counted = self.server.number("mem_clients_normal") + 4 * KiB * len(self.attackers)
            self.assertLess(self.growth(), 1.2 * counted + 2 * MiB)

    def test_x1_bare_hellos_are_counted(self):
        hello = client_hello()
        for _ in range(100):
            self.connect_tls(hello)
        self.await_counted(100, 32 * KiB)
        self.expect_growth_is_counted()
        self.assertEqual(self.server.info("tls_handshakes_failed"), "0")

    def test_x1_hellos_that_promise_to_be_large_are_counted(self):
        for _ in range(100):
            self.connect_tls(LARGEST_HELLO)
        self.await_counted(100, 32 * KiB)
        self.expect_growth_is_counted()

    def test_x1_records_that_do_not_end_are_counted(self):
        for _ in range(100):
            self.assertEqual(self.shake_hands().ask(b"PING"), b"+PONG\r")
        at_rest = self.server.number("mem_clients_normal")
        self.expect_growth_is_counted()
        for each in self.attackers:
            with socket.socket(fileno=os.dup(each.sock.fileno())) as raw:
                raw.sendall(HALF_A_RECORD)
        self.await_counted(100, at_rest // 100 + 16 * KiB)
        self.expect_growth_is_counted()

    def test_x1_a_connection_holds_nothing_of_tls_before_its_first_byte(self):
        for _ in range(300):
            self.connect_tls()
        self.server.await_clients(300)
        self.assertLess(self.server.number("mem_clients_normal"), 301 * 4 * KiB)

    def test_x1_a_crowd_of_hellos_leaves_few_handshakes_and_others_are_served(self):
        hello = client_hello()
        for _ in range(1500):
            self.connect_tls(hello)
        while self.server.number("tls_handshakes_failed") < 1500 - 512:
            self.assertLess(self.server.number("mem_clients_normal"), 1500 * 4 * KiB + 513 * 64 * KiB)
        self.expect_served()
        self.assertEqual(self.shake_hands().ask(b"PING"), b"+PONG\r")
        if not SANITIZED:
            self.assertLess(self.growth(), 48 * MiB)

    def test_silent_handshakes_leave_places_for_other_clients(self):
        with self.server.connect() as old:
            self.assertEqual(old.ask(b"CONFIG SET max-clients 40"), b"OK")
            for _ in range(200):
                self.connect_tls()
            while self.server.number("unauthenticated_disconnections") < 190:
                pass
            for _ in range(20):
                self.attackers.append(self.server.connect())
                self.assertEqual(self.attackers[-1].ask(b"PING"), b"+PONG\r")

    def test_x1_the_memory_of_handshakes_is_limited_and_clients_with_requests_stay(self):
        with self.server.connect() as old:
            old.ask(b"CONFIG SET max-client-memory 4MiB")
            self.assertEqual(old.ask(b"PUT a 1"), b"OK")
            hello = client_hello()
            for _ in range(200):
                self.connect_tls(hello)
            self.await_counted(1, 3 * MiB)
            while self.server.number("evicted_clients") < 50:
                self.assertLess(self.server.number("mem_clients_normal"), 5 * MiB)
            self.assertEqual(old.ask(b"GET a"), b"1")
        self.assertRegex(self.server.stderr(), r"closed a client that held \d+ bytes")


if __name__ == "__main__":
    main()
