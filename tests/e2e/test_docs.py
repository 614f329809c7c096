"""The documents tell the truth: every dialogue in docs/protocol.md and README.md is run.

A block marked `dialogue` is one conversation with a fresh server: a line `> ` is sent, the lines
`< ` behind it are its reply, `<...` stands for lines that depend on the machine, and `closed` for
the end of the connection.
"""

import re
import unittest
from pathlib import Path

from harness import Server, main, run

ROOT = Path(__file__).resolve().parents[2]


def dialogues(path):
    text = path.read_text()
    for match in re.finditer(r"```dialogue\n(.*?)```", text, re.S):
        yield text.count("\n", 0, match.start()) + 1, match.group(1).splitlines()


class Dialogues(unittest.TestCase):
    def play(self, lines):
        with Server() as server, server.connect() as c:
            pending = 0  # reply lines of a list that `<...` stands for
            for line in lines:
                if line.startswith("> "):
                    self.skip_rest(c, pending)
                    pending = 0
                    c.send(line[2:].encode() + b"\n")
                elif line == "<...":
                    pending = None
                elif line.startswith("< "):
                    self.assertEqual(c.line().decode().rstrip("\r"), line[2:])
                elif line == "closed":
                    self.assertEqual(c.rest(), b"")
                else:
                    self.fail(f"not understood: {line}")
            if lines[-1] != "closed":
                self.skip_rest(c, pending)
                self.assertEqual(c.ask(b"ECHO nothing-behind"), b"nothing-behind")

    def skip_rest(self, c, pending):
        if pending is None:
            c.send(b"ECHO end-of-list\n")
            while c.line() != b"end-of-list":
                pass

    def test_every_one(self):
        count = 0
        for name in ("docs/protocol.md", "README.md"):
            for number, lines in dialogues(ROOT / name):
                with self.subTest(f"{name}:{number}"):
                    self.play(lines)
                    count += 1
        self.assertGreater(count, 10)


class Commands(unittest.TestCase):
    def test_every_command_of_the_table_is_documented(self):
        text = (ROOT / "docs/protocol.md").read_text()
        with Server() as server:
            lines = run("butterdb-client", "--port", server.port, "HELP").stdout.decode()
        usages = [line.split(" - ")[0] for line in lines.splitlines()[1:]]
        self.assertGreater(len(usages), 10)
        table = re.findall(r"(?m)^\| `([A-Z]+[^`]*)` \|", text.split("## Commands")[1])
        self.assertEqual(sorted(table), sorted(u.replace("|", "\\|") for u in usages))
        for usage in usages:
            self.assertIn(f"| `{usage.replace('|', chr(92) + '|')}` |", text)


class Defaults(unittest.TestCase):
    def setUp(self):
        self.text = (ROOT / "docs/operations.md").read_text()

    def test_every_option_is_in_the_operations_page(self):
        for option in re.findall(r"(?m)^  (--[a-z-]+)", run("butterdb", "--help").stdout.decode()):
            self.assertTrue(f"| `{option}` |" in self.text, option)

    def test_its_table_of_limits_tells_the_defaults_and_what_can_be_changed(self):
        shown = dict(
            line.split(" = ") for line in run("butterdb", "--print-config").stdout.decode().splitlines()
            if " = " in line)
        rows = re.findall(r"(?m)^\| `--([a-z-]+)` \| (·?) ?\| ([^|]+) \| [^|]+ \|$", self.text)
        self.assertGreater(len(rows), 15)
        with Server() as server, server.connect() as c:
            for name, live, default in rows:
                if name != "max-memory":
                    self.assertEqual(default, shown[name], name)
                reply = c.ask(f"CONFIG SET {name} {shown[name]}".encode())
                self.assertEqual(reply == b"OK", live == "·", reply)


if __name__ == "__main__":
    main()
