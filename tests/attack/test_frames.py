"""What may arrive instead of requests: malformed RESP and malformed lines, over raw sockets.

Each case says what is sent and what comes back; afterwards another client is served, and the
server has not grown. The numbers are those of the table in README.md beside this file.
"""

import itertools
import re
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from harness import SANITIZED, Server, main  # noqa: E402

MiB = 1 << 20
CLOSED_AFTER = [
    # row, sent, the one error line, after which the connection closes
    ("A1", b"*3000000000\r\n", b"-ERR Protocol error: invalid multibulk length\r\n"),
    ("A4", b"*1\r\n$-10\r\n", b"-ERR Protocol error: invalid bulk length\r\n"),
    ("A4", b"*1\r\n$2000000000\r\n", b"-ERR Protocol error: invalid bulk length\r\n"),
    ("A4", b"*1\r\n$blabla\r\n", b"-ERR Protocol error: invalid bulk length\r\n"),
    ("A4", b"*1\r\nfoo\r\n", b"-ERR Protocol error: expected '$', got 'f'\r\n"),
    ("A5", b"*\x00" + b"x" * 200, b"-ERR Protocol error: invalid multibulk length\r\n"),
    ("A5", b"*1\r\n$\x00" + b"x" * 200, b"-ERR Protocol error: invalid bulk length\r\n"),
    ("A7", b"*1\r\n*2000000000\r\n", b"-ERR Protocol error: expected '$', got '*'\r\n"),
    ("A11", b"*2\r\n$3\r\nGET\r\n$-1\r\n", b"-ERR Protocol error: invalid bulk length\r\n"),
    ("A12", b"*x\r\n", b"-ERR Protocol error: invalid multibulk length\r\n"),
    ("A14", b"*1\r\n$" + b"1" * 33, b"-ERR Protocol error: invalid bulk length\r\n"),
    ("A14", b"*1\r\n$4\rx", b"-ERR Protocol error: invalid bulk length\r\n"),
    ("A15", b"*1\r\n$4\x00\r\n", b"-ERR Protocol error: invalid bulk length\r\n"),
    ("A16", b"*1048576\r\n$0\r\n", b"-ERR Protocol error: invalid multibulk length\r\n"),
    ("A19", b"*1\r\n$4\r\nPINGPING\r\n", b"-ERR Protocol error: bulk without its CR LF\r\n"),
    ("B5", b"GET \"a\n", b"INVALID Protocol error: unbalanced quotes in request\n"),
    ("B5", b"GET 'a'b\n", b"INVALID Protocol error: unbalanced quotes in request\n"),
    *[("A10", b"*1\r\n$" + length + b"\r\n", b"-ERR Protocol error: invalid bulk length\r\n")
      for length in (b"2147483648", b"4294967296", b"4294967297", b"9223372036854775807",
                     b"9223372036854775808", b"18446744073709551615", b"00000000000000000001",
                     b"+5", b" 5", b"5 ", b"", b"-0", b"123456789012345678901")],
]
FOREIGN = [
    ("A5", b"\x00" * 1000), ("A11", b"\x89PNG\r\n\x1a\n"), ("C3", b"\x16\x03\x01\x02\x00"), ("C3", b"\x80\x00"),
    ("C2", b"PUT /asdf HTTP/1.1\r\n\r\n"), ("C1", b"POST / HTTP/1.1\r\nHost: x\r\n\r\nPUT pwn 1\r\n"),
    ("B6", b"\xef\xbb\xbfPING\n"),
]
GOES_ON = [
    # row, sent, the replies; then the connection is still good
    ("A2", b"*-10\r\n*0\r\n*-1\r\n\r\n", b"+OK\r\n"),  # of EXIT: it is a connection of RESP now
    ("B2", b"ECHO " + b"x" * (64 * 1024 - 5) + b"\r\n", b"x" * (64 * 1024 - 5) + b"\n"),
    ("B3", b"GET a " + b"k" * 300 + b"\n", b"INVALID wrong number of arguments for 'get' command; usage: GET key "
     b"(with quotes around what has blanks)\n"),
    ("B6", b"PUT  a\t\tb  \nGET a\n", b"OK\nb\n"),
    ("B6", b"GET a\x0bb\n", b"INVALID control character outside quotes, write it as \"\\xHH\"\n"),
    ("B6", b"ECHO \"a\x00b\"\n", b"\"a\\x00b\"\n"),
    ("B6", b"ECHO \xc3\xa4\xff\n", b"\xc3\xa4\xff\n"),
    ("B7", b"PUT k ''\nGET k\n", b"OK\n\"\"\n"),
    ("B7", b"EXIT x\n", b"INVALID wrong number of arguments for 'exit' command; usage: EXIT\n"),
]


class Frames(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None)

    def setUp(self):
        self.rss = self.resident()

    def tearDown(self):
        with self.server.connect() as other:
            self.assertEqual(other.ask(b"PING"), b"+PONG\r")
        if not SANITIZED:
            self.assertLess(self.resident() - self.rss, 4 * MiB)

    def resident(self):
        return int(Path(f"/proc/{self.server.process.pid}/statm").read_text().split()[1]) * 4096

    def test_one_error_and_the_end(self):
        for row, sent, reply in CLOSED_AFTER:
            for pieces in ([sent], [sent[i:i + 1] for i in range(min(len(sent), 60))] + [sent[60:]]):
                with self.subTest(row=row, sent=sent[:40], pieces=len(pieces)), self.server.connect() as c:
                    for piece in pieces:
                        try:
                            c.send(piece)
                        except (BrokenPipeError, ConnectionResetError):
                            break
                    self.assertEqual(c.rest(), reply)

    def test_foreign_protocols_are_closed_without_a_word(self):
        for row, sent in FOREIGN:
            with self.subTest(row=row, sent=sent[:40]), self.server.connect() as c:
                self.assertEqual(c.exchange(sent), b"")
        with self.server.connect() as c:
            self.assertEqual(c.ask(b"GET pwn"), b"NOT_FOUND")

    def test_what_the_connection_survives(self):
        for row, sent, reply in GOES_ON:
            with self.subTest(row=row, sent=sent[:40]), self.server.connect() as c:
                self.assertEqual(c.exchange(sent + b"EXIT\n"), reply)

    def test_every_order_of_empty_requests_and_real_ones(self):
        parts = [b"\r\n", b"*0\r\n", b"*-1\r\n", b"ECHO a\r\n", b"*2\r\n$4\r\nECHO\r\n$1\r\na\r\n"]
        with self.server.connect() as c:
            c.send(b"*1\r\n$4\r\nPING\r\n")  # A3; RESP from here on
            c.line()
            for order in itertools.product(parts, repeat=4):
                c.send(b"".join(order))
                for _ in range(sum(b"ECHO" in part for part in order)):
                    self.assertEqual((c.line(), c.line()), (b"$1\r", b"a\r"))

    def test_lengths_that_promise_much_reserve_nothing(self):
        connections = [self.server.connect() for _ in range(200)]  # A6, A8
        for c in connections:
            c.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$67000000\r\nx")
        with self.server.connect() as other:
            self.assertEqual(other.ask(b"PING"), b"+PONG\r")
        for c in connections:
            c.close()

    def test_a_value_over_the_limit_is_skipped_and_refused(self):
        with Server("--max-value", "1MiB") as server, server.connect() as c:
            c.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$20000000\r\n")
            for _ in range(20):
                c.send(b"x" * 1_000_000)
            c.send(b"\r\n*1\r\n$4\r\nPING\r\n")
            self.assertEqual(c.line(), b"-ERR argument of 20000000 bytes is over the limit of 1048576 bytes "
                             b"(--max-value)\r")
            self.assertEqual(c.line(), b"+PONG\r")
            self.assertEqual(c.exchange(b"EXISTS k\nEXIT\n"), b":0\r\n+OK\r\n")

    def test_ten_thousand_pairs_in_one_request(self):
        pairs = b"".join(b"$5\r\nk%04d\r\n$5\r\nvalue\r\n" % i for i in range(10_000))  # A17
        with self.server.connect() as c:
            c.send(b"*20001\r\n$4\r\nMSET\r\n" + pairs)
            self.assertEqual(c.line(), b"+OK\r")
            c.send(b"*1\r\n$8\r\nFLUSHALL\r\n")
            self.assertEqual(c.line(), b"+OK\r")

    def test_a_line_without_end(self):
        for step in (1, 64 * 1024):  # B1
            with self.subTest(step=step), self.server.connect() as c:
                try:
                    for _ in range(min(200_000, 400_000 // step)):
                        c.send(b"x" * step)
                except (BrokenPipeError, ConnectionResetError):
                    pass
                reply = c.rest()
                self.assertEqual(reply, b"INVALID Protocol error: too big inline request\n")

    def test_a_million_empty_lines(self):
        with self.server.connect() as c:  # B4
            c.send(b"\n" * 1_000_000)
            self.assertEqual(c.ask(b"PING"), b"+PONG\r")

    def test_errors_are_one_line_whatever_the_client_sent(self):
        with self.server.connect() as c:  # B8
            c.send(b"*1\r\n$11\r\nA\r\n+OK\r\nGET\r\n")
            line = c.line()
            self.assertRegex(line, rb"^-ERR unknown command 'A\.\.\+OK\.\.GET'.*\r$")
            c.send(b"*1\r\n$500\r\n" + b"Z" * 500 + b"\r\n")
            self.assertLessEqual(len(c.line()), 250)
            self.assertEqual(c.ask(b"PING"), b"+PONG\r")

    def test_a_value_from_one_dialect_cannot_split_replies_of_the_other(self):
        with self.server.connect() as resp, self.server.connect() as text:  # B9
            resp.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$11\r\na\r\nDELETED\n\r\n")
            self.assertEqual(resp.line(), b"+OK\r")
            self.assertEqual(text.ask(b"GET k"), b'"a\\r\\nDELETED\\n"')

    def test_the_tail_of_a_line_that_is_too_long_is_not_executed(self):
        with self.server.connect() as c:  # B10
            self.assertEqual(c.ask(b"PUT other 1"), b"OK")
        with self.server.connect() as c:
            reply = c.exchange(b"PUT k " + b"x" * 70_000 + b"\nDEL other\n")
            self.assertEqual(reply, b"INVALID Protocol error: too big inline request\n")
        with self.server.connect() as c:
            self.assertEqual(c.ask(b"GET other"), b"1")

    def test_what_stands_behind_exit_is_not_executed(self):
        with self.server.connect() as c:  # B11
            self.assertEqual(c.exchange(b"PUT last 1\nEXIT\nPUT last 2\n"), b"OK\n")
        with self.server.connect() as c:
            self.assertEqual(c.ask(b"GET last"), b"1")
            c.send(b"ECHO whole\nECHO half")
            c.sock.shutdown(1)
            self.assertEqual(c.rest(), b"whole\n")


class Table(unittest.TestCase):
    ROWS = {"A": 20, "B": 11, "C": 8, "D": 18, "E": 17, "F": 6, "G": 12, "H": 8, "I": 4}

    def test_every_row_is_named_once(self):
        text = Path(__file__).with_name("README.md").read_text()
        rows = re.findall(r"^\| ([A-I]\d+) \|", text, re.M)
        self.assertEqual(rows, [f"{letter}{i}" for letter, count in self.ROWS.items() for i in range(1, count + 1)])


if __name__ == "__main__":
    main()
