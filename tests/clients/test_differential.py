"""Random requests to ButterDB and to Debian's redis-server: the replies are the same bytes.

BUTTERDB_DIFFERENTIAL_COMMANDS says how many (100,000), BUTTERDB_DIFFERENTIAL_SEED where to begin.
Where the two differ on purpose, `KNOWN` says why.
"""

import os
import random
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from harness import Server, main  # noqa: E402
from resp import Peer, reply_end, request  # noqa: E402

COMMANDS = int(os.environ.get("BUTTERDB_DIFFERENTIAL_COMMANDS", "100000"))
SEED = int(os.environ.get("BUTTERDB_DIFFERENTIAL_SEED", "1"))
BATCH = 50

KEYS = ["a", "b", "c", "k1", "k2", "", "key with blanks", b"\x00\xff\r\n", "h[a-c]llo"]
INTEGERS = ["0", "1", "-1", "2", "5", "-3", "10", "100", "9223372036854775807", "9223372036854775806",
            "-9223372036854775808", "-9223372036854775807", "9223372036854775808", "01", "+1", " 1",
            "1 ", "", "-0", "1.5", "abc", "0x10", "1e3", b"1\x00"]
FLOATS = ["0", "1", "0.1", "-0.1", "3.0e3", "1e17", "5", "-5.25", "inf", "-inf", "nan", "abc", "", " 1",
          "1 ", "0x1p3", "1e400", "1e-400", "3.14159265358979", "10.50", "-0", "1e5000"]
VALUES = ["", "x", "hello", "10", "-5", "3.5", "9223372036854775807", b"\r\n", b"\x00\x01", "v" * 60,
          "w" * 300, "z" * 2000, "0", "1e3", " 7"]
PATTERNS = ["*", "k*", "k?", "[a-c]", "[^a]", "h\\[*", "*[", "[", "[a", "[a-", "\\", "a\\", "?", "**k",
            "*1", "[c-a]", "[]", "[^]", "[\\]]", "k[12]", "", "*a*b*"]
# Far enough ahead that nothing expires while the test runs, or in the past.
SPANS = ["1000", "100000", "0", "-1", "abc", "9223372036854775807", "9223372036854775", "99999999999"]
TIMES = ["4102444800", "1", "0", "-1", "9223372036854775807", "x"]
TIMES_MS = ["4102444800000", "1", "0", "-5", "99999999999999999999"]


class Requests:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def key(self):
        return self.random.choice(KEYS)

    def keys(self, most=4):
        return [self.key() for _ in range(self.random.randint(1, most))]

    def value(self):
        return self.random.choice(VALUES)

    def integer(self):
        r = self.random
        return r.choice(INTEGERS) if r.random() < 0.6 else str(r.randint(-20, 40))

    def expiry(self):
        r = self.random
        word = r.choice(["EX", "PX", "EXAT", "PXAT", "ex", "KEEPTTL", "PERSIST", "NX", "XX", "GET", "nope"])
        if word in ("EX", "PX", "ex"):
            return [word, r.choice(SPANS)]
        if word == "EXAT":
            return [word, r.choice(TIMES)]
        if word == "PXAT":
            return [word, r.choice(TIMES_MS)]
        return [word]

    def options(self, most=3):
        return [w for _ in range(self.random.randint(0, most)) for w in self.expiry()]

    def expire_conditions(self, clock=False):
        # Two servers read their clocks at different times: spans are not compared with each other.
        r = self.random
        words = ["NX", "XX", "no", "nx"] if clock else ["NX", "XX", "GT", "LT", "gt", "no"]
        return r.sample(words, r.choice([0, 0, 1, 1, 2]))

    def offset(self):
        return self.random.choice(["0", "1", "5", "100", "-1", "abc", "9223372036854775808", "007"])

    def make(self):
        r = self.random
        k, v, i = self.key, self.value, self.integer
        words = r.choice([
            lambda: ["SET", k(), v()],
            lambda: ["SET", k(), v(), *self.options()],
            lambda: ["GET", k()],
            lambda: ["MGET", *self.keys()],
            lambda: ["MSET", *[x for _ in range(r.randint(1, 3)) for x in (k(), v())]],
            lambda: ["MSETNX", *[x for _ in range(r.randint(1, 2)) for x in (k(), v())]],
            lambda: ["MSET", *self.keys()],
            lambda: ["SETNX", k(), v()],
            lambda: ["SETEX", k(), r.choice(SPANS), v()],
            lambda: ["PSETEX", k(), r.choice(SPANS), v()],
            lambda: ["GETSET", k(), v()],
            lambda: ["GETDEL", k()],
            lambda: ["GETEX", k(), *self.options(1)],
            lambda: ["APPEND", k(), v()],
            lambda: ["STRLEN", k()],
            lambda: [r.choice(["GETRANGE", "SUBSTR"]), k(), i(), i()],
            lambda: ["SETRANGE", k(), self.offset(), v()],
            lambda: [r.choice(["INCR", "DECR"]), k()],
            lambda: [r.choice(["INCRBY", "DECRBY"]), k(), i()],
            lambda: ["INCRBYFLOAT", k(), r.choice(FLOATS)],
            lambda: [r.choice(["DEL", "UNLINK", "EXISTS", "TOUCH"]), *self.keys()],
            lambda: ["TYPE", k()],
            lambda: [r.choice(["RENAME", "RENAMENX"]), k(), k()],
            lambda: ["COPY", k(), k(), *r.choice([[], ["REPLACE"], ["DB", "0"], ["DB", "x"], ["nope"]])],
            lambda: ["DBSIZE"],
            lambda: [r.choice(["EXPIRE", "PEXPIRE"]), k(), r.choice(SPANS), *self.expire_conditions(clock=True)],
            lambda: ["EXPIREAT", k(), r.choice(TIMES), *self.expire_conditions()],
            lambda: ["PEXPIREAT", k(), r.choice(TIMES_MS), *self.expire_conditions()],
            lambda: ["TTL", k()],
            lambda: [r.choice(["EXPIRETIME", "PERSIST"]), k()],
            lambda: ["KEYS", r.choice(PATTERNS)],
            lambda: ["SCAN", "0", "COUNT", "100000", "MATCH", r.choice(PATTERNS)],
            lambda: ["SCAN", r.choice(["x", "1x", "0"]), *r.choice(
                [["COUNT", "0"], ["COUNT", "x"], ["MATCH"], ["NO", "x"]])],
            lambda: [r.choice(["SSCAN", "HSCAN", "ZSCAN"]), k(), r.choice(["0", "5", "x"]), *r.choice(
                [[], ["COUNT", "0"], ["MATCH", "*"], ["NOVALUES"], ["NO", "x"]])],
            lambda: ["MULTI"], lambda: ["EXEC"], lambda: ["EXEC"], lambda: ["EXEC"], lambda: ["DISCARD"],
            lambda: ["WATCH", *self.keys(2)], lambda: ["UNWATCH"],
            lambda: ["PING"], lambda: ["PING", v()], lambda: ["PING", v(), v()],
            lambda: ["ECHO", v()], lambda: ["SELECT", r.choice(["0", "0", "16", "x", "-1"])],
            lambda: ["RESET"] if r.random() < 0.1 else ["PING"],
            lambda: ["FLUSHALL", *r.choice([[], ["ASYNC"], ["no"]])] if r.random() < 0.2 else ["GET", k()],
            lambda: ["HELLO", r.choice(["4", "x", "1"])],
            lambda: [r.choice(["nosuch", "G\r\nET", "SE"]), *self.keys(2)],
            lambda: [r.choice(["GET", "SET", "TTL", "COPY", "GETRANGE", "expire", "scan"])],
            lambda: [r.choice(["CLIENT", "COMMAND", "CONFIG", "FUNCTION", "MEMORY"]), "nosuch"],
            lambda: ["GET", k(), k()],
        ])()
        if r.random() < 0.1:
            words[0] = words[0].lower()
        return words


# What may differ, and why. Each takes the request, our reply and theirs.
KNOWN = [
    ("the two servers read their clocks one after the other",
     lambda words, ours, theirs: words[0].upper() in ("TTL", "EXPIRETIME") and
     abs(int(ours[1:]) - int(theirs[1:])) == 1),
    ("an entry stored with a deadline in the past is gone at once; Redis counts it until it meets it",
     lambda words, ours, theirs: words[0].upper() == "DBSIZE" and int(ours[1:]) <= int(theirs[1:])),
    ("keys and cursors come in the order of the table",
     lambda words, ours, theirs: words[0].upper() in ("KEYS", "SCAN") and bags(ours) == bags(theirs)),
    ("what is shown of an unknown command has '.' for control characters; Redis ends it at a NUL",
     lambda words, ours, theirs: ours.startswith(b"-ERR unknown command '") and
     theirs.startswith(b"-ERR unknown command '")),
    ("an empty key matches `**` and the like; in Redis an empty text matches the empty pattern alone",
     lambda words, ours, theirs: words[0].upper() in ("KEYS", "SCAN") and
     without_empty(ours) == without_empty(theirs)),
]


def bags(reply):
    return b" ".join(sorted(reply.split(b"\r\n")))


def without_empty(reply):
    """The keys of a reply, without the empty one and the counts."""
    found = re.findall(rb"\$(\d+)\r\n", reply)
    return sorted(x for x in reply.split(b"\r\n")[1:] if x and not x.startswith((b"$", b"*"))), \
        sorted(n for n in found if n != b"0")


def is_known(words, ours, theirs):
    return any(same(words, ours, theirs) for _, same in KNOWN)


class Redis:
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        with Server() as finder:  # a port that was free a moment ago
            port = finder.port
        self.port = port
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
             "--dir", self.folder.name, "--loglevel", "warning"], stdout=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        self.folder.cleanup()


def elements(reply):
    """Of an array."""
    at = reply.index(b"\r\n") + 2
    found = []
    while at < len(reply):
        end = reply_end(reply, at)
        found.append(reply[at:end])
        at = end
    return found


# One request each, whose key `k` is there or absent.
COUNTED = """SET k v|SET k v NX|SET k v GET|SET k v EX 0|GET k|GETEX k|GETEX k EX 10|GETDEL k|GETSET k v|SETNX k v
MGET k x k|MSET k v|MSETNX k v x y|APPEND k v|STRLEN k|GETRANGE k 0 1|SETRANGE k 0 v|INCR k|INCRBYFLOAT k 1|DEL k
EXISTS k k|TOUCH k|TYPE k|RENAME k x|RENAMENX k x|COPY k x|COPY k x REPLACE|COPY k k|RANDOMKEY|KEYS *|SCAN 0
EXPIRE k 10|EXPIRE k -1|PERSIST k|TTL k|EXPIRETIME k|MEMORY USAGE k|SSCAN k 0|HSCAN k x|WATCH k|GET|NOSUCH k|EXEC
CONFIG NOSUCH|CONFIG SET maxmemory x|HELLO 9|AUTH a|CLIENT KILL x"""


def numbers(peer):
    """What INFO counts of keys found and of errors."""
    peer.send(request("INFO", "stats") + request("INFO", "errorstats"))
    fields = dict(re.findall(rb"(\w+):([^\r]*)\r\n", peer.reply() + peer.reply()))
    names = {b"keyspace_hits", b"keyspace_misses", b"expired_keys", b"evicted_keys", b"total_error_replies"}
    return {name: count for name, count in fields.items() if name in names or name.startswith(b"errorstat_")}


class Counters(unittest.TestCase):
    def test_each_command_counts_keys_and_errors_as_redis_does(self):
        with Server() as server, Redis() as redis:
            peers = Peer(server.port), Peer(redis.port)
            for line in re.split(r"[|\n]", COUNTED):
                for present in True, False:
                    seen = []
                    for peer in peers:
                        before = [["FLUSHALL"], *([["SET", "k", "v"]] if present else []), ["CONFIG", "RESETSTAT"]]
                        for words in (*before, line.split(" ")):
                            peer.send(request(*words))
                            reply = peer.reply()
                        seen.append((reply[:1], numbers(peer)))
                        peer.send(request("UNWATCH"))
                        peer.reply()
                    with self.subTest(line, present=present):
                        self.assertEqual(*seen)
            for peer in peers:
                peer.close()


class Differential(unittest.TestCase):
    def compare(self, words, queued, mine, other, history):
        if mine == other or is_known(words, mine, other):
            return
        if words[0].upper() == "EXEC" and mine[:1] == other[:1] == b"*":
            pairs = list(zip(queued, elements(mine), elements(other)))
            self.assertEqual(len(elements(other)), len(queued))
        else:
            pairs = [(words, mine, other)]
        for each, ours, theirs in pairs:
            if ours != theirs and not is_known(each, ours, theirs):
                past = "\n".join(str([w[:40] for w in each]) for each in history[-12:])
                self.fail(f"seed {SEED}:\n{past}\n\n{each}\nours   {ours!r}\ntheirs {theirs!r}")

    def test_random_commands_get_the_same_replies(self):
        requests = Requests(SEED)
        history = []
        with Server("--max-memory", "256MiB") as server, Redis() as redis:
            ours, theirs = Peer(server.port), Peer(redis.port)
            queued = []  # of the transaction that is open
            for _ in range(COMMANDS // BATCH):
                batch = [requests.make() for _ in range(BATCH)]
                data = b"".join(request(*words) for words in batch)
                ours.send(data)
                theirs.send(data)
                for words in batch:
                    history.append(words)
                    mine, other = ours.reply(), theirs.reply()
                    self.compare(words, queued, mine, other, history)
                    queued = queued + [words] if mine == b"+QUEUED\r\n" else queued
                    if words[0].upper() in ("EXEC", "DISCARD", "RESET"):
                        queued = []
            ours.close()
            theirs.close()


if __name__ == "__main__":
    main()
