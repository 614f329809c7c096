"""WAITKEY: clients that wait for a key are answered when it is written."""

import os
import signal
import socket
import time
import unittest

from harness import Server, main


class Waiting(unittest.TestCase):
    def wait_until_waiting(self, server, count):
        while server.info("blocked_clients") != str(count):
            pass

    def test_a_key_that_is_there_is_given_at_once(self):
        with Server() as server, server.connect() as c:
            self.assertEqual(c.exchange(b"PUT k v\nWAITKEY k 0\nEXIT\n"), b"OK\nv\n")

    def test_a_write_answers_all_who_wait_and_what_they_sent_behind(self):
        with Server() as server, server.connect() as writer:
            waiters = [server.connect() for _ in range(100)]
            for c in waiters:
                c.send(b"WAITKEY k 60000\nECHO behind\n")
            self.wait_until_waiting(server, 100)
            self.assertEqual(writer.ask(b"PUT other 1"), b"OK")
            self.assertEqual(writer.ask(b"PUT k v"), b"OK")
            for c in waiters:
                self.assertEqual((c.line(), c.line()), (b"v", b"behind"))
                c.close()

    def test_every_way_to_write_a_key_wakes(self):
        ways = [b"SET k 1", b"MSET k 1 j 2", b"APPEND k 1", b"INCR k", b"SETNX k 1", b"RENAME there k", b"COPY there k",
                b"SETRANGE k 0 1", b"GETSET k 1", b"PSETEX k 100000 1"]
        with Server() as server, server.connect() as c, server.connect() as writer:
            for way in ways:
                writer.ask(b"DEL k")
                writer.ask(b"PUT there 1")
                c.send(b"WAITKEY k 60000\n")
                self.wait_until_waiting(server, 1)
                writer.ask(way)
                self.assertEqual(c.line(), b"1")

    def test_what_was_sent_behind_does_not_hide_the_write(self):
        with Server() as server, server.connect() as c, server.connect() as writer:
            os.kill(server.process.pid, signal.SIGSTOP)  # so that all of it arrives together
            c.send(b"WAITKEY k 0\n" + b"\r\n" * 3000)
            writer.send(b"PUT k 1\n")
            os.kill(server.process.pid, signal.SIGCONT)
            self.assertEqual(writer.line(), b"OK")
            self.assertEqual(c.line(), b"1")

    def test_who_has_closed_one_side_gets_an_answer(self):
        with Server() as server, server.connect() as c:
            c.send(b"WAITKEY k 60000\nECHO behind\n")
            c.sock.shutdown(socket.SHUT_WR)
            self.assertEqual(c.rest(), b"NOT_FOUND\nbehind\n")

    def test_a_wait_of_centuries_ends_with_a_write(self):
        with Server() as server, server.connect() as c, server.connect() as writer:
            c.send(b"WAITKEY k 9000000000000000000\n")
            self.wait_until_waiting(server, 1)
            self.assertEqual(writer.ask(b"PUT k 1"), b"OK")
            self.assertEqual(c.line(), b"1")

    def test_time_out(self):
        with Server() as server, server.connect() as c:
            began = time.monotonic()
            self.assertEqual(c.ask(b"WAITKEY k 50"), b"NOT_FOUND")
            self.assertGreaterEqual(time.monotonic() - began, 0.045)
            c.send(b"*3\r\n$7\r\nWAITKEY\r\n$1\r\nk\r\n$1\r\n1\r\n")
            self.assertEqual(c.line(), b"$-1\r")
            self.assertEqual(c.ask(b"WAITKEY k -1"), b"-ERR timeout is negative\r")

    def test_who_leaves_stops_waiting(self):
        with Server() as server:
            c = server.connect()
            c.send(b"WAITKEY k 0\n")
            self.wait_until_waiting(server, 1)
            c.close()
            self.wait_until_waiting(server, 0)

    def test_too_much_behind_it_ends_it(self):
        with Server() as server, server.connect() as c:
            c.send(b"WAITKEY k 0\n" + b"ECHO x\n" * 20_000)
            self.assertEqual(c.line(), b"NOT_FOUND")
            for _ in range(20_000):
                self.assertEqual(c.line(), b"x")

    def test_a_server_that_stops_answers(self):
        with Server() as server, server.connect() as c:
            c.send(b"WAITKEY k 0\n")
            self.wait_until_waiting(server, 1)
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(c.rest(), b"NOT_FOUND\n")
            self.assertEqual(server.wait(), 0)

    def test_inside_a_transaction_it_does_not_wait(self):
        with Server() as server, server.connect() as c:
            out = c.exchange(b"MULTI\nWAITKEY k 0\nEXEC\nEXIT\n")
            self.assertEqual(out, b"OK\nQUEUED\nLIST 1\nNOT_FOUND\n")


if __name__ == "__main__":
    main()
