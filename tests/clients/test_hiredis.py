"""hiredis: the C program beside this file."""

import os
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from harness import TIMEOUT, Server, main  # noqa: E402


class Hiredis(unittest.TestCase):
    def test_program(self):
        with Server() as server:
            done = subprocess.run(
                [os.environ["BUTTERDB_HIREDIS"], str(server.port)], capture_output=True, timeout=TIMEOUT)
            self.assertEqual(done.stdout, b"OK\n", done.stderr)


if __name__ == "__main__":
    main()
