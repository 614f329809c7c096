"""Other protocols on our port, and what a client may try to have written into the log."""

import contextlib
import socket
import unittest
from pathlib import Path

from attack import Attack, main, rest_of

CLOSED_WITHOUT_A_WORD = {
    "C1": [b"POST / HTTP/1.1\r\nHost: localhost:9090\r\nContent-Length: 9\r\n\r\nPUT pwn 1\r\n",
           b"Host: localhost\r\nPUT pwn 1\r\n", b"post /x\r\nPUT pwn 1\r\n"],
    "C2": [b"GET / HTTP/1.0\r\n\r\nPUT pwn 1\r\n", b"PUT /asdf HTTP/1.1\r\nHost: x\r\n\r\nPUT pwn 1\r\n",
           b"DELETE /pwn HTTP/1.1\r\n\r\nPUT pwn 1\r\n", b"OPTIONS * HTTP/1.1\r\n\r\nPUT pwn 1\r\n"],
    "C3": [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"r" * 500 + b"\nPUT pwn 1\n",  # TLS
           b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + b"\x7f\x00\x00\x01" * 3 + b"\nPUT pwn 1\n",  # PROXY v2
           b"\x80\x00\x00\x03\x00\x00\x00\x00" + b"\x00" * 16 + b"\nPUT pwn 1\n",  # memcached's binary protocol
           b"\x00\x00\x00\x08\x04\xd2\x16\x2f\nPUT pwn 1\n"],  # PostgreSQL's request for TLS
    "C8": [line + b"\r\nPUT pwn 1\r\n" for line in (
        b"User-Agent: curl/7.88.1", b"Content-Length: 9", b"PRI * HTTP/2.0", b"DESCRIBE rtsp://localhost/a RTSP/1.0",
        b"REGISTER sip:localhost SIP/2.0", b"HTTP/1.1 200 OK", b"EHLO mail.example.com", b"HELO mail.example.com",
        b"SSH-2.0-OpenSSH_9.2p1 Debian-2", b"PROXY TCP4 127.0.0.1 127.0.0.1 5000 9090")],
}
ONE_INVALID_EACH = [b"stats\r\n", b"version\r\n"]


class Protocols(Attack):
    def tearDown(self):
        with self.server.connect() as c:
            self.assertEqual(c.ask(b"DBSIZE"), b"0")
        super().tearDown()

    def test_they_are_closed_and_nothing_of_them_is_executed(self):
        count = 0
        for row, requests in CLOSED_WITHOUT_A_WORD.items():
            for request in requests:
                for pieces in ([request], [request[i:i + 1] for i in range(40)] + [request[40:]]):
                    with self.subTest(row=row, request=request[:30]), self.server.connect() as c:
                        try:
                            for piece in pieces:
                                c.send(piece)
                        except OSError:
                            pass
                        self.assertEqual(rest_of(c), b"")
                        count += 1
        self.assertEqual(self.server.number("foreign_disconnections"), count)
        self.assertEqual(self.server.stderr().count("another protocol"), 1)

    def test_c3_lines_of_others_are_invalid(self):
        for line in ONE_INVALID_EACH:
            with self.subTest(line), self.server.connect() as c:
                self.assertTrue(c.send(line).line().startswith(b"INVALID unknown command"))
                self.assertEqual(c.ask(b"PING"), b"+PONG\r")

    def test_c4_there_is_no_udp(self):
        own = {link.stat().st_ino for link in Path(f"/proc/{self.server.process.pid}/fd").iterdir()}
        for table in ("udp", "udp6"):
            path = Path(f"/proc/{self.server.process.pid}/net/{table}")
            inodes = {int(line.split()[9]) for line in path.read_text().splitlines()[1:]} if path.exists() else set()
            self.assertFalse(own & inodes)

    def test_c7_nothing_that_a_client_sends_reaches_the_log(self):
        evil = b"\x1b[31mFAKE\x1b[0m 2026-01-01T00:00:00.000Z error injected"
        for request in (b"*2\r\n$3\r\nGET\r\n$%d\r\n%s\n%s\r\n" % (2 * len(evil) + 1, evil, evil), b"AUTH injected\n" * 5,
                        b"AUTH injected injected\n", b"GET injected HTTP/1.1\r\n", b"CLIENT SETNAME injected\nCLIENT LIST\n",
                        b"*1\r\n$%d\r\n%s\r\n" % (len(evil), evil), b"injected\n" * 1000):
            with self.server.connect() as c:
                c.send(request)
                with contextlib.suppress(OSError):  # the server may have closed it already
                    c.sock.shutdown(socket.SHUT_WR)
                rest_of(c)
        self.assertNotIn("injected", self.server.stderr())
        self.assertLess(self.server.stderr().count("\n"), 10)


if __name__ == "__main__":
    main()
