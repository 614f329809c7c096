"""What clients do to make the server grow: they do not read, never finish, or ask for much."""

import select
import time
import unittest

from attack import (SANITIZED, TIMEOUT, Attack, KiB, MiB, Target, clean_environment, connect, main, raise_descriptor_limit,
                    rest_of, send_without_waiting)


class Readers(Attack):
    """Clients that take none of their replies, or take their time."""

    options = ("--write-timeout", "1", "--max-pending-output", "1MiB")
    growth_max = 16 * MiB

    def put(self, key, size):
        with self.server.connect() as c:
            c.send(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(key), key, size, b"x" * size))
            self.assertEqual(c.line(), b"+OK\r")

    def test_d1_ten_that_never_read_five_hundred_large_replies(self):
        server = self.server = self.replace("--write-timeout", "1000")
        self.put(b"big", MiB)
        before = server.resident()
        for _ in range(10):
            send_without_waiting(self.attacker(), b"GET big\n" * 500)
        self.expect_served()
        server.wait_until("keyspace_hits", self.stalled_hits())
        self.expect_served()
        if not SANITIZED:
            self.assertLess(server.resident() - before, 16 * MiB)
        self.resident_before = server.resident()

    def replace(self, *options):
        self.server.__exit__(None)
        server = Target(*options)
        self.resident_before = server.resident()
        self.descriptors_before = server.descriptors()
        return server

    def stalled_hits(self):
        """How many GETs are carried out until all of them wait for their readers."""
        seen = -1
        while (hits := self.server.number("keyspace_hits")) != seen:
            seen = hits
            self.expect_served(200)
        return seen

    def test_d3_a_large_reply_and_many_reach_who_reads(self):
        self.put(b"big", 20 * MiB)
        with self.server.connect() as c:
            c.send(b"GET big\n" * 4 + b"EXIT\n")
            self.assertEqual(len(c.rest()), 4 * (20 * MiB + 1))
        with self.server.connect() as c:
            self.assertEqual(c.ask(b"DEL big"), b"DELETED")

    def test_d3_who_reads_slowly_is_not_closed(self):
        self.put(b"big", 100 * KiB)
        slow = self.attacker(receive_buffer=4 * KiB)
        slow.send(b"GET big\n" * 50 + b"EXIT\n")
        received = 0
        while chunk := slow.sock.recv(10_000):
            received += len(chunk)
            self.expect_served(1)
        self.assertEqual(received, 50 * (100 * KiB + 1))
        self.assertEqual(self.server.number("write_timeout_disconnections"), 0)

    def test_d3_e9_who_reads_nothing_is_closed_and_counted(self):
        self.put(b"big", MiB)
        for _ in range(5):
            send_without_waiting(self.attacker(receive_buffer=4 * KiB), b"GET big\n" * 100)
        self.server.wait_until("write_timeout_disconnections", 5)

    def test_f9_who_pauses_longer_than_the_tcp_user_timeout_gets_all_replies(self):
        self.server = self.replace("--write-timeout", "1", "--tcp-user-timeout", "1")
        self.put(b"some", 100 * KiB)
        self.put(b"much", 20 * MiB)
        early = self.attacker(receive_buffer=4 * KiB)  # has its time-out from before CONFIG SET
        with self.server.connect() as c:
            self.assertEqual(c.ask(b"CONFIG SET write-timeout %d" % TIMEOUT), b"OK")
        late = [self.attacker(receive_buffer=4 * KiB) for _ in range(2)]
        for client, request in zip((early, *late), (b"GET some\n", b"GET some\n", b"GET much\n")):
            client.send(request + b"EXIT\n")
        # The system would reset them two seconds after the last byte that they took.
        select.select([], [], [], 4)
        self.assertEqual([len(each.rest()) for each in (early, *late)], [100 * KiB + 1, 100 * KiB + 1, 20 * MiB + 1])
        for name in ("write_timeout_disconnections", "unacknowledged_disconnections"):
            self.assertEqual(self.server.number(name), 0)
        self.forget(b"some", b"much")

    def forget(self, *keys):
        with self.server.connect() as c:
            for key in keys:
                self.assertEqual(c.ask(b"DEL " + key), b"DELETED")

    def test_f9_who_pauses_longer_than_the_write_timeout_is_counted(self):
        self.server = self.replace("--write-timeout", "2", "--tcp-user-timeout", "1")
        self.put(b"much", 20 * MiB)
        self.attacker(receive_buffer=4 * KiB).send(b"GET much\n")
        self.server.await_clients(0)
        self.assertEqual(self.server.number("write_timeout_disconnections"), 1)
        self.forget(b"much")

    def test_d4_a_million_requests_whose_replies_nobody_reads(self):
        deaf = self.attacker(receive_buffer=4 * KiB)
        with self.assertRaises((ConnectionResetError, BrokenPipeError)):
            for _ in range(100):
                deaf.send(b"GET some-key-that-is-not-there\n" * 100_000)
        self.expect_served()
        self.server.wait_until("write_timeout_disconnections", 1)

    def test_d3_d7_replies_over_their_limit_become_errors(self):
        self.put(b"k", 10 * KiB)
        with self.server.connect() as c:
            self.assertEqual(c.ask(b"CONFIG SET max-reply 1MiB"), b"OK")
            reply = c.ask(b"MGET" + b" k" * 500)
            self.assertTrue(reply.startswith(b"ERROR ERR reply is over the limit of 1048576 bytes"), reply)
            self.assertEqual(c.ask(b"PING"), b"+PONG\r")


class Buffers(Attack):
    """Clients that begin what they do not end, and clients that rest."""

    growth_max = 8 * MiB

    def test_d5_d8_an_idle_client_gives_its_buffers_back(self):
        idle = [self.attacker() for _ in range(20)]
        for c in idle:
            c.send(b"*2\r\n$4\r\nECHO\r\n$1000000\r\n" + b"x" * 1_000_000 + b"\r\n" + b"\n" * 100_000 + b"PING\n")
        for c in idle:
            self.assertEqual(c.line(), b"$1000000\r")
            self.assertEqual(len(c.line()), 1_000_001)
            self.assertEqual(c.line(), b"+PONG\r")
        # Within two seconds of rest; this asks until it is so.
        while self.server.number("mem_clients_normal") > 21 * 4 * KiB:
            pass

    def test_a6_a_header_that_promises_two_gigabytes(self):
        for header in (b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$500000000\r\n", b"*1\r\n$536870912\r\n", b"*65536\r\n$67108864\r\n"):
            for _ in range(20):
                self.attacker().send(header)
        self.expect_served()
        self.server.wait_until("connected_clients", 61)
        self.assertLess(self.server.number("mem_clients_normal"), 62 * 4 * KiB)

    def test_d6_many_that_hold_a_megabyte_each(self):
        with self.server.connect() as c:
            self.assertEqual(c.ask(b"CONFIG SET max-client-memory 64MiB"), b"OK")
        before = self.server.resident()
        half = b"*2\r\n$4\r\nECHO\r\n$2000000\r\n" + b"x" * 1_000_000
        for _ in range(200):
            send_without_waiting(self.attacker(), half)
        self.expect_served()
        while self.server.number("evicted_clients") == 0:
            pass
        self.assertLessEqual(self.server.number("mem_clients_normal"), 64 * MiB)
        if not SANITIZED:
            self.assertLess(self.server.resident() - before, 2 * 64 * MiB)
        self.assertIn("--max-client-memory", self.server.stderr())

    def test_a9_arguments_of_requests_that_are_never_carried_out(self):
        with self.server.connect() as c:
            c.ask(b"CONFIG SET max-value 1MiB max-request 3MiB")
        c = self.attacker()
        c.send(b"*10\r\n" + b"$1000000\r\n" % () + b"x" * 1_000_000 + b"\r\n")
        for _ in range(9):
            c.send(b"$1000000\r\n" + b"x" * 1_000_000 + b"\r\n")
        self.assertTrue(c.line().startswith(b"-ERR request of at least "))
        self.assertEqual(c.ask(b"PING"), b"+PONG\r")

    def test_what_transactions_and_watches_keep_is_bounded(self):
        with self.server.connect() as c:
            c.ask(b"CONFIG SET max-client-memory 4MiB")
        hoarder = self.attacker()
        watcher = self.attacker()
        with self.assertRaises((ConnectionResetError, BrokenPipeError)):
            hoarder.send(b"MULTI\n")
            while True:
                hoarder.send(b"PUT k " + b"x" * 60_000 + b"\n")
        with self.assertRaises((ConnectionResetError, BrokenPipeError)):
            for i in range(1_000_000):
                watcher.send(b"WATCH %06d" % i + b"y" * 60_000 + b"\n")
        self.assertEqual(self.server.number("evicted_clients"), 2)


class LargeReplies(Attack):
    """Replies near the limit of all clients' memory."""

    options = ("--max-memory", "1GiB", "--max-client-memory", "128MiB")
    growth_max = 16 * MiB

    def put(self, c, key, value):
        c.send(b"*3\r\n$3\r\nSET\r\n$1\r\n%b\r\n$%d\r\n" % (key, len(value)) + value + b"\r\n")
        self.assertEqual(c.line(), b"+OK\r")

    def tearDown(self):
        self.assertEqual(self.server.number("evicted_clients"), 0)
        self.expect_served()
        with self.server.connect() as c:
            c.ask(b"FLUSHALL")
        super().tearDown()

    def test_d17_a_value_that_quotes_make_four_times_as_long(self):
        with self.server.connect() as writer, self.server.connect() as reader:
            self.put(writer, b"k", b"\0" * (63 * MiB))
            reply = reader.ask(b"GET k")
            self.assertEqual(reply[:52], b"ERROR ERR reply is over the limit of 130023424 bytes")
            self.assertEqual(reader.ask(b"STRLEN k"), b"%d" % (63 * MiB))

    def test_d18_a_reply_just_below_the_limit(self):
        with self.server.connect() as writer, self.server.connect() as reader:
            value = b"v" * MiB
            self.put(writer, b"k", value)
            reader.send(b"*121\r\n$4\r\nMGET\r\n" + b"$1\r\nk\r\n" * 120)
            self.assertEqual(reader.line(), b"*120\r")
            for _ in range(120):
                self.assertEqual(reader.line(), b"$1048576\r")
                self.assertEqual(reader.line(), value + b"\r")


class Store(Attack):
    options = ("--max-memory", "8MiB")
    growth_max = 12 * MiB

    def test_d12_d15_a_full_store_refuses_and_everything_else_goes_on(self):
        with self.server.connect() as c:
            count = 0
            while True:
                c.send(b"".join(b"PUT key:%d %s\n" % (i, b"v" * 30) for i in range(count, count + 500)))
                replies = [c.line() for _ in range(500)]
                count += 500
                if replies[-1] != b"OK":
                    break
            self.assertTrue(replies[-1].startswith(b"ERROR OOM "), replies[-1])
            self.assertLessEqual(self.server.number("used_memory"), 8 * MiB)
            self.assertEqual(c.ask(b"GET key:7"), b"v" * 30)
            self.assertEqual(c.ask(b"PUT key:7 shorter"), b"OK")
            self.assertEqual(c.ask(b"DEL key:8"), b"DELETED")
            self.assertEqual(c.ask(b"PUT key:8 " + b"v" * 30), b"OK")
            self.assertTrue(c.ask(b"PUT big " + b"v" * 60_000).startswith(b"ERROR OOM "))
            self.assertGreater(self.server.number("rejected_writes"), 1)
            with self.server.connect() as other:
                stats = other.exchange(b"INFO errorstats\nEXIT\n")
                self.assertIn(b"errorstat_OOM:count=%d\n" % self.server.number("rejected_writes"), stats)
        full = "memory is full: writes are refused; raise --max-memory, or have entries evicted with --eviction clock"
        self.assertIn(full, self.server.stderr())

    def test_g4_one_key_asked_for_in_every_argument(self):
        with self.server.connect() as c:
            c.ask(b"PUT k v")
            c.send(b"*65536\r\n$4\r\nMGET\r\n" + b"$1\r\nk\r\n" * 65_535)
            self.assertEqual(c.line(), b"*65535\r")
            for _ in range(65_535):
                self.assertEqual((c.line(), c.line()), (b"$1\r", b"v\r"))

    def test_g5_patterns_made_to_take_long(self):
        with self.server.connect() as c:
            c.ask(b"PUT " + b"a" * 1000 + b" v")
            self.assertEqual(c.ask(b"KEYS " + b"*a" * 500 + b"*b"), b"LIST 0")
            self.assertEqual(c.ask(b"KEYS " + b"a*" * 511), b"LIST 1")
            c.line()
            self.assertTrue(c.ask(b"KEYS " + b"*" * 1025).startswith(b"ERROR ERR pattern of 1025 bytes"))

    def test_g9_a_transaction_of_more_requests_than_may_wait(self):
        with self.server.connect() as c:
            c.send(b"MULTI\n" + b"SCAN 0 COUNT 10000\n" * 30_000 + b"EXEC\n")
            self.assertEqual(c.line(), b"OK")
            replies = [c.line() for _ in range(30_001)]
            self.assertEqual(set(replies[:10_000]), {b"QUEUED"})
            self.assertTrue(replies[10_000].startswith(b"ERROR ERR transaction of more requests"), replies[10_000])
            self.assertTrue(replies[-1].startswith(b"ERROR EXECABORT"), replies[-1])

    def test_g12_more_ids_and_names_than_there_are(self):
        def array(*words):
            return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(each), each) for each in words)

        with self.server.connect() as c:
            c.send(array(b"CLIENT", b"LIST", b"ID", *(b"%d" % (9_000_000 + i) for i in range(60_000))))
            self.assertEqual((c.line(), c.line()), (b"$0\r", b"\r"))
            c.send(array(b"COMMAND", b"DOCS", *[b"nonsense"] * 60_000))
            self.assertEqual(c.line(), b"*0\r")
            c.send(array(b"CONFIG", b"GET", *[b""] * 60_000))
            self.assertEqual(c.line(), b"*0\r")

    def test_g6_g7_numbers_at_the_limits(self):
        least, most = b"-9223372036854775808", b"9223372036854775807"
        refused = b"ERROR", b"INVALID"
        with self.server.connect() as c:
            c.ask(b"PUT n " + most)
            for request in (b"INCR n", b"DECRBY n " + least, b"INCRBY n 9223372036854775808", b"SETRANGE n %s x" % most,
                            b"SETRANGE n -1 x", b"EXPIRE n " + most, b"PEXPIREAT n 9223372036854775808",
                            b"PUT k v EX " + most, b"SCAN 18446744073709551616", b"SCAN 0 COUNT 0", b"SCAN -1",
                            b"SCAN 0 COUNT 9223372036854775808", b"DELPREFIX 18446744073709551616 x"):
                reply = c.ask(request)
                self.assertTrue(reply.startswith(refused), (request, reply))
            self.assertEqual(c.ask(b"GETRANGE n %s %s" % (least, most)), most)
            self.assertEqual(c.ask(b"GETRANGE n %s %s" % (most, least)), b'""')
            for request in (b"SCAN 18446744073709551615", b"SCAN 9223372036854775808", b"SCAN 0 COUNT " + most):
                self.assertEqual(c.ask(request), b"LIST 2", request)
                c.line()
                for _ in range(int(c.line().split()[1])):
                    c.line()
            self.assertEqual(c.ask(b"GET n"), most)


class LongKeys(Attack):
    """Keys as long as can be, and requests that look at many of them."""

    options = ("--max-memory", "128MiB")
    growth_max = 24 * MiB

    def put(self, count, size):
        with self.server.connect() as c:
            for i in range(count):
                key = (b"%04d" % i).ljust(size, b"a")
                c.send(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$1\r\nv\r\n" % (size, key))
                self.assertEqual(c.line(), b"+OK\r")

    def test_g8_the_slowest_pattern_over_the_longest_keys(self):
        self.put(100, 64 * KiB)
        pattern = b"*" + b"a" * 1000 + b"b"
        with self.server.connect() as c:
            calls = 0
            cursor = b"0"
            while calls == 0 or cursor != b"0":
                calls += 1
                self.assertEqual(c.ask(b"SCAN " + cursor + b" MATCH " + pattern + b" COUNT 10000"), b"LIST 2")
                cursor = c.line()
                self.assertEqual(c.line(), b"LIST 0")
            self.assertGreater(calls, 5)
            self.assertIn(b"use SCAN", c.ask(b"KEYS " + pattern))
            self.assertEqual(c.ask(b"KEYS 0099*"), b"LIST 1")
            self.assertEqual(len(c.line()), 64 * KiB)
            self.assertEqual(c.ask(b"FLUSHALL"), b"OK")

    def test_g11_delprefix_over_long_keys_takes_no_memory(self):
        self.put(1000, 60_000)
        before = self.server.resident()
        with self.server.connect() as c:
            cursor = b"0"
            deleted = 0
            while deleted == 0 or cursor != b"0":
                self.assertEqual(c.ask(b"DELPREFIX " + cursor + b" 0 COUNT 10000"), b"LIST 2")
                cursor = c.line()
                deleted += int(c.line())
        self.assertEqual(deleted, 1000)
        if not SANITIZED:
            self.assertLess(self.server.resident() - before, 2 * MiB)


class Strangers(unittest.TestCase):
    """Without the password, little is to be had."""

    def setUp(self):
        self.server = Target(env=clean_environment(BUTTERDB_PASSWORD="sesame"))
        self.attackers = []

    def tearDown(self):
        for each in self.attackers:
            each.close()
        with self.server.connect() as c:
            self.assertEqual(c.ask(b"AUTH sesame"), b"+OK\r")
        self.server.__exit__(None)

    def attacker(self):
        c = connect(self.server.port, receive_buffer=4 * KiB)
        self.attackers.append(c)
        return c

    def ask(self, name):
        with self.server.connect() as c:
            c.send(b"AUTH sesame\nINFO\nEXIT\n")
            return int([line.split(b":")[1] for line in c.rest().split(b"\n") if line.startswith(name + b":")][0])

    def test_a8_f6_many_large_promises(self):
        raise_descriptor_limit()
        before = self.server.resident()
        for _ in range(200):
            self.attacker().send(b"*10\r\n" + b"$16384\r\n")
        for _ in range(100):
            c = self.attacker()
            c.send(b"*1048576\r\n")
            self.assertIn(b"Protocol error", c.rest())
            c = self.attacker()
            c.send(b"*2\r\n$4\r\nECHO\r\n$536870912\r\n")
            self.assertEqual(c.rest(), b"-ERR Protocol error: unauthenticated bulk length\r\n")
            for each in self.attackers[-2:]:
                each.close()
        while self.ask(b"connected_clients") > 201:
            pass
        if not SANITIZED:
            self.assertLess(self.server.resident() - before, 8 * MiB)

    def test_d2_refusals_that_nobody_reads(self):
        for _ in range(50):
            send_without_waiting(self.attacker(), b"GET a\n" * 300_000)
        gone = 0
        looks = 0
        while gone < 50:
            self.assertLess(self.ask(b"mem_clients_normal"), 52 * 80 * KiB)
            gone = self.ask(b"write_timeout_disconnections")
            looks += gone < 50
        self.assertGreater(looks, 0)

    def test_b4_a_flood_of_empty_lines(self):
        c = self.attacker()
        c.send(b"\n" * 1_000_000)
        self.assertEqual(c.ask(b"AUTH sesame"), b"+OK\r")

    def test_f3_a_password_of_gigabytes(self):
        c = self.attacker()
        c.send(b"*2\r\n$4\r\nAUTH\r\n$2147483648\r\n")
        self.assertIn(b"Protocol error", c.rest())
        c = self.attacker()
        c.send(b"*2\r\n$4\r\nAUTH\r\n$16384\r\n" + b"x" * 16_384 + b"\r\n")
        self.assertTrue(c.line().startswith(b"-WRONGPASS"))

    def test_x11_guessing_over_new_connections_is_no_faster_and_locks_nobody_out(self):
        guessers = [self.attacker() for _ in range(40)]
        with self.server.connect() as client:
            self.assertEqual(client.ask(b"AUTH sesame"), b"+OK\r")
            begin = time.monotonic()
            for each in guessers:
                each.send(b"AUTH guess\n")
            judged = b""
            while judged != b"acl_access_denied_auth:40":
                client.send(b"INFO stats\n")
                while not (judged := client.line()).startswith(b"acl_access_denied_auth:"):
                    pass
        answered, _, _ = select.select([each.sock for each in guessers], [], [], 0)
        self.assertLessEqual(len(answered), 3 + 1 + 10 * (time.monotonic() - begin))
        self.assertGreaterEqual(len(answered), 3)
        with self.server.connect() as c:
            self.assertEqual(c.ask(b"AUTH sesame"), b"+OK\r")

    def test_x6_who_does_not_say_the_password_cannot_take_all_places(self):
        with self.server.connect() as client:
            self.assertEqual(client.ask(b"AUTH sesame"), b"+OK\r")
            self.assertEqual(client.ask(b"CONFIG SET max-clients 40"), b"OK")
            guests = [self.attacker() for _ in range(200)]
            for each in guests:
                send_without_waiting(each, b"PING\n" * 10)
            self.assertEqual(client.ask(b"PING"), b"+PONG\r")
            with self.server.connect() as other:
                self.assertEqual(other.ask(b"AUTH sesame"), b"+OK\r")
            while self.ask(b"connected_clients") > 12:
                pass
            self.assertEqual(self.ask(b"rejected_connections"), 0)
            self.assertGreater(self.ask(b"unauthenticated_disconnections"), 180)

    def test_f5_guessing_goes_slower_and_ends(self):
        guesser = self.attacker()
        guesser.send(b"AUTH guess\n" * 1000)
        with self.server.connect() as other:
            for _ in range(100):
                self.assertTrue(other.ask(b"PING").startswith(b"ERROR NOAUTH"))
        replies = guesser.rest().split(b"\n")
        self.assertEqual(len(replies), 11)
        self.assertTrue(all(reply.startswith(b"ERROR WRONGPASS") for reply in replies[:10]))
        self.assertEqual(self.ask(b"acl_access_denied_auth"), 10)
        self.assertLessEqual(self.server.stderr().count("a wrong password from"), 10)


if __name__ == "__main__":
    main()
