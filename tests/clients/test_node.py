"""ioredis and node-redis, from npm, with the versions of the lock file. Skipped without npm."""

import os
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from harness import Server, main  # noqa: E402

SOURCES = Path(__file__).resolve().parent / "node"
WORK = Path(os.environ.get("BUTTERDB_NODE_WORK", "build/node"))


def installed():
    """The folder with the modules; None where they cannot be had."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        return None
    WORK.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", ".npmrc", "clients.js"):
        shutil.copy(SOURCES / name, WORK / name)
    command = ["npm", "ci", "--no-audit", "--no-fund", "--silent", "--fetch-retries=1", "--fetch-timeout=20000"]
    try:
        done = subprocess.run(command, cwd=WORK, timeout=120)
    except subprocess.TimeoutExpired:
        return None
    return WORK if done.returncode == 0 else None


class Node(unittest.TestCase):
    def test_clients(self):
        work = installed()
        if work is None:
            self.skipTest("npm is not there, or its registry cannot be reached")
        with Server() as server:
            done = subprocess.run(
                ["node", "clients.js", str(server.port)], cwd=work, capture_output=True, timeout=120)
            self.assertEqual(done.stdout, b"OK\n", done.stderr.decode())


if __name__ == "__main__":
    main()
