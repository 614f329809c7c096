"""redis-py, phpredis and redis-rb write a whole pipeline before they read a reply: over TCP, a unix socket and TLS.

BUTTERDB_PIPELINE_SETS, BUTTERDB_PIPELINE_GETS and BUTTERDB_PIPELINE_OPTIONS as in tests/e2e/test_pipelines.py.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
from certificates import Authority  # noqa: E402
from harness import Server, main  # noqa: E402

SETS = int(os.environ.get("BUTTERDB_PIPELINE_SETS", 100_000))
GETS = int(os.environ.get("BUTTERDB_PIPELINE_GETS", 100_000))
OPTIONS = os.environ.get("BUTTERDB_PIPELINE_OPTIONS", "").split()
SECONDS = 600  # for one client, also under a sanitizer

PYTHON = """
import redis, sys
where, transport, sets, gets, authority = sys.argv[1:]
sets, gets, value = int(sets), int(gets), b"v" * 100
if transport == "unix":
    r = redis.Redis(unix_socket_path=where)
elif transport == "tls":
    r = redis.Redis(host="localhost", port=int(where), ssl=True, ssl_ca_certs=authority)
else:
    r = redis.Redis(host="127.0.0.1", port=int(where))
with r.pipeline(transaction=False) as pipe:
    for i in range(sets):
        pipe.set(f"k{i}", value)
    stored = sum(each is True for each in pipe.execute())
with r.pipeline(transaction=False) as pipe:
    for i in range(gets):
        pipe.get(f"k{i % sets}")
    found = sum(each == value for each in pipe.execute())
print(stored, found)
"""


def works(*command):
    return shutil.which(command[0]) and subprocess.run(command, capture_output=True).returncode == 0


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

    def check(self, *command):
        for transport, where in (
                ("tcp", self.server.port), ("unix", self.path), ("tls", self.server.tls_port)):
            with self.subTest(transport=transport):
                done = subprocess.run(
                    [*command, str(where), transport, str(SETS), str(GETS), self.authority.certificate],
                    capture_output=True, text=True, timeout=SECONDS)
                self.assertEqual(done.stdout, f"{SETS} {GETS}\n", done.stderr[-2000:])

    @unittest.skipUnless(works("/usr/bin/python3", "-c", "import redis"), "python3-redis is not installed (tools/setup)")
    def test_redis_py(self):
        self.check("/usr/bin/python3", "-c", PYTHON)

    @unittest.skipUnless(works("php", "-r", "new Redis();"), "php-redis is not installed (tools/setup)")
    def test_phpredis(self):
        self.check("php", "-d", "memory_limit=-1", str(HERE / "pipeline.php"))

    @unittest.skipUnless(works("ruby", "-e", "require 'redis'"), "ruby-redis is not installed (tools/setup)")
    def test_redis_rb(self):
        self.check("ruby", str(HERE / "pipeline.rb"))


if __name__ == "__main__":
    main()
