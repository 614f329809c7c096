"""What a pipelined request costs the kernel: counted, not timed."""

import re
import shutil
import signal
import subprocess
import tempfile
import unittest

from harness import TIMEOUT, Server, main, run

REQUESTS_MAX_CALLS = 0.3


@unittest.skipUnless(shutil.which("strace"), "strace is not installed (tools/setup installs it)")
class SystemCalls(unittest.TestCase):
    def test_at_depth_16(self):
        with Server() as server, tempfile.NamedTemporaryFile() as report:
            tracer = subprocess.Popen(
                ["strace", "-c", "-f", "-o", report.name, "-p", str(server.process.pid)],
                stderr=subprocess.PIPE)
            attached = tracer.stderr.readline()
            if b"attached" not in attached:
                tracer.wait(TIMEOUT)
                tracer.stderr.close()
                self.skipTest("strace may not attach here: " + attached.decode())
            before = int(server.info("total_commands_processed"))
            done = run("butterdb-bench", "--port", server.port, "--clients", 4, "--ops", 20_000,
                       "--pipeline", 16, timeout=TIMEOUT * 3)
            self.assertEqual(done.returncode, 0, done)
            requests = int(server.info("total_commands_processed")) - before
            tracer.send_signal(signal.SIGINT)
            tracer.wait(TIMEOUT)
            tracer.stderr.close()
            text = report.read().decode()
        calls = int(re.search(r"(\d+)\s+(?:\d+\s+)?total$", text, re.M).group(1))
        print(f"{calls} system calls for {requests} requests: {calls / requests:.3f} each")
        self.assertGreaterEqual(requests, 80_000)
        self.assertLessEqual(calls / requests, REQUESTS_MAX_CALLS, text)


if __name__ == "__main__":
    main()
