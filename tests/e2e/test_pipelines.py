"""Clients that write a whole pipeline before they read the first reply, over each transport.

The numbers of BUTTERDB_PIPELINE_SETS and BUTTERDB_PIPELINE_GETS replace the defaults, BUTTERDB_PIPELINE_OPTIONS gives
the server more options: the nightly preset runs it with a million.
"""

import os
import select
import socket
import ssl
import tempfile
import unittest
from pathlib import Path

from certificates import Authority
from harness import SANITIZED, TIMEOUT, Server, main

SETS = int(os.environ.get("BUTTERDB_PIPELINE_SETS", 100_000))
GETS = int(os.environ.get("BUTTERDB_PIPELINE_GETS", 100_000))
OPTIONS = os.environ.get("BUTTERDB_PIPELINE_OPTIONS", "").split()
VALUE = b"v" * 100
BIG = b"$1000000\r\n" + b"v" * 1_000_000 + b"\r\n"
MUCH = BIG * 20


def set_request(number):
    return b"*3\r\n$3\r\nSET\r\n$9\r\nk%08d\r\n$100\r\n%b\r\n" % (number, VALUE)


def get_request(number):
    return b"*2\r\n$3\r\nGET\r\n$9\r\nk%08d\r\n" % number


class WholePipelines(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.authority = Authority()
        certificate, key = cls.authority.sign("server")
        cls.path = str(Path(cls.folder.name, "socket"))
        cls.server = Server(
            "--unix-socket", cls.path, "--tls-port", "0", "--tls-cert", certificate, "--tls-key", key, *OPTIONS)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.server.log.close()
        cls.folder.cleanup()

    def connect(self, transport):
        if transport == "unix":
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(TIMEOUT)
            sock.connect(self.path)
            return sock
        port = self.server.tls_port if transport == "tls" else self.server.port
        sock = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        if transport == "tls":
            context = ssl.create_default_context(cafile=self.authority.certificate)
            sock = context.wrap_socket(sock, server_hostname="localhost")
        return sock

    def exchange(self, transport, request, count, reply):
        """Writes all requests, with a socket that blocks, and only then reads."""
        with self.connect(transport) as sock:
            sock.sendall(b"".join(request(number) for number in range(count)))
            left = count * len(reply)
            first = sock.recv(len(reply), socket.MSG_WAITALL) if transport != "tls" else sock.recv(len(reply))
            self.assertTrue(reply.startswith(first) and first)
            left -= len(first)
            last = first
            while left > 0:
                chunk = sock.recv(1 << 20)
                self.assertTrue(chunk, f"closed with {left} bytes of replies missing")
                left -= len(chunk)
                last = (last + chunk)[-len(reply):]
            self.assertEqual((left, last), (0, reply))

    def test_every_request_is_answered(self):
        for transport in ("tcp", "unix", "tls"):
            with self.subTest(transport=transport):
                self.exchange(transport, set_request, SETS, b"+OK\r\n")
                self.exchange(transport, get_request, GETS, b"$100\r\n" + VALUE + b"\r\n")
        self.assertEqual(self.server.info("write_timeout_disconnections"), "0")
        self.assertEqual(self.server.info("evicted_clients"), "0")

    def ask_for_much(self):
        """Returns a client under TLS whose replies, 20 MB, wait since it has read none of them."""
        with self.server.connect() as c:
            c.send(b"*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n" + BIG)
            self.assertEqual(c.line(), b"+OK\r")
        client = Records(self.server.tls_port, self.authority.certificate)
        client.send(client.seal(b"*2\r\n$3\r\nGET\r\n$3\r\nbig\r\n" * 20))
        self.assertTrue(client.has_arrived())
        return client

    def test_part_of_a_tls_record_does_not_hold_back_replies(self):
        with self.ask_for_much() as client:
            record = client.seal(b"*1\r\n$4\r\nPING\r\n")
            client.send(record[:-5])
            with self.server.connect() as c:
                for _ in range(1000):  # turns of the server, in which it reads the part
                    self.assertEqual(c.ask(b"PING"), b"+PONG\r")
            self.assertEqual(client.read(len(MUCH)), MUCH)
            client.send(record[-5:])
            self.assertEqual(client.read(7), b"+PONG\r\n")

    def test_a_client_that_ends_its_side_of_tls_gets_all_replies(self):
        with self.ask_for_much() as client:
            with self.assertRaises(ssl.SSLWantReadError):
                client.tls.unwrap()  # writes close_notify, and would wait for the server's
            client.send(client.sealed.read())
            self.assertEqual(client.read(len(MUCH)), MUCH)


class Records:
    """A TLS client that has its records in its hands before they are sent."""

    def __init__(self, port, authority):
        self.sock = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self.arrived, self.sealed = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context(cafile=authority)
        self.tls = context.wrap_bio(self.arrived, self.sealed, server_hostname="localhost")
        self.opened = bytearray()
        while True:
            try:
                self.tls.do_handshake()
                self.sock.sendall(self.sealed.read())
                return
            except ssl.SSLWantReadError:
                self.sock.sendall(self.sealed.read())
                self.receive()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def receive(self):
        chunk = self.sock.recv(1 << 20)
        if not chunk:
            raise EOFError("closed by the server")
        self.arrived.write(chunk)

    def has_arrived(self):
        return bool(select.select([self.sock], [], [], TIMEOUT)[0])

    def seal(self, data):
        self.tls.write(data)
        return self.sealed.read()

    def send(self, records):
        self.sock.sendall(records)

    def read(self, count):
        while len(self.opened) < count:
            try:
                chunk = self.tls.read(1 << 16)
            except ssl.SSLWantReadError:
                self.receive()
                continue
            if not chunk:
                raise EOFError("closed by the server")
            self.opened += chunk
        data, self.opened = self.opened[:count], self.opened[count:]
        return data


class SilentReaders(unittest.TestCase):
    @unittest.skipIf(SANITIZED, "a sanitizer keeps freed memory")
    def test_ten_clients_that_read_nothing_do_not_make_the_server_grow(self):
        with Server() as server:
            with server.connect() as c:
                c.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\n" + b"v" * 1_000_000 + b"\r\n")
                self.assertEqual(c.line(), b"+OK\r")
            before = int(server.info("used_memory_rss"))
            clients = [server.connect() for _ in range(10)]
            for each in clients:
                each.send(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n" * 500)
            for each in clients:  # its first reply is under way: its requests have been read
                self.assertTrue(select.select([each.sock], [], [], TIMEOUT)[0])
            with server.connect() as c:
                for _ in range(1000):  # turns of the server, in which a client could have been read on
                    self.assertEqual(c.ask(b"PING"), b"+PONG\r")
            grown = int(server.info("used_memory_rss")) - before
            self.assertLess(grown, 16 << 20)
            for each in clients:
                each.close()

    def test_a_client_that_sends_on_and_reads_nothing_is_bounded(self):
        """It is read on up to --max-pending-output, then its sending blocks."""
        with Server("--max-pending-output", "1MiB", "--write-timeout", "1") as server, server.connect() as c:
            c.sock.setblocking(False)
            request = get_request(0) * 1000 + b"*2\r\n$4\r\nECHO\r\n$100\r\n" + VALUE + b"\r\n"
            sent = 0
            while select.select([], [c.sock], [], TIMEOUT)[1] and sent < (1 << 28):
                try:
                    sent += c.sock.send(request)
                except BlockingIOError:
                    pass
                except OSError:
                    break  # the write time-out has closed it
            self.assertLess(sent, 1 << 28)
            self.assertEqual(server.info("write_timeout_disconnections"), "1")


if __name__ == "__main__":
    main()
