"""butterdb-bench --report: the page as a browser sees it."""

import re
import shutil
import struct
import subprocess
import tempfile
import unittest
import zlib
from pathlib import Path

from harness import TIMEOUT, clean_environment, main, run

BROWSER = shutil.which("chromium")
OPTIONS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--enable-logging=stderr"]
DARK = "--force-dark-mode"
POINT = 'class="point"'


def first_pixel(png):
    """Red, green and blue at the top left. No filter of PNG changes a picture's first pixel."""
    packed = b""
    at = 8
    while at < len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        if kind == b"IDAT":
            packed += png[at + 8:at + 8 + length]
        at += length + 12
    return tuple(zlib.decompress(packed)[1:4])


@unittest.skipUnless(BROWSER, "chromium is not installed (tools/setup installs it)")
class Report(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.page = cls.folder / "report.html"
        done = run("butterdb-bench", "--spawn", "--clients", "1,4", "--duration", 1,
                   "--report", cls.page)
        assert done.returncode == 0, done

    def browse(self, *options):
        """What the browser prints of the page. No console message may come of it."""
        profile = tempfile.mkdtemp(dir=self.folder)
        done = subprocess.run(
            [BROWSER, *OPTIONS, f"--user-data-dir={profile}", *options, self.page.as_uri()],
            capture_output=True, env=clean_environment(), timeout=TIMEOUT)
        log = done.stderr.decode(errors="replace")
        self.assertEqual(done.returncode, 0, log)
        self.assertEqual(re.findall(r".*(?:CONSOLE|Refused to).*", log), [])
        return done.stdout.decode()

    def assert_drawn(self, dom):
        charts = dict(re.findall(
            r'<figure class="chart" data-chart="(\w+)">(.*?)</figure>', dom, re.S))
        for kind, points_min in ("throughput", 4), ("p99", 4), ("percentiles", 20):
            self.assertIn(kind, charts)
            self.assertGreaterEqual(charts[kind].count(POINT), points_min, kind)
            self.assertRegex(charts[kind], r'<svg role="img" viewBox="[\d. ]+"><title>\w')
            for clients in "1 clients", "4 clients":
                self.assertIn(clients, charts[kind])
        self.assertEqual(dom.count(POINT), sum(each.count(POINT) for each in charts.values()))
        self.assertNotRegex(dom, r'(?i)(?:d|x|y|width)="[^"]*(?:nan|inf)')

    def test_every_chart_has_its_points_light_and_dark(self):
        for mode in [], [DARK]:
            with self.subTest(mode=mode):
                self.assert_drawn(self.browse(*mode, "--dump-dom"))

    def test_it_follows_the_readers_colour_scheme(self):
        brightness = []
        for mode in [], [DARK]:
            picture = self.folder / "picture.png"
            self.browse(*mode, "--window-size=800,600", f"--screenshot={picture}")
            brightness.append(sum(first_pixel(picture.read_bytes())))
        light, dark = brightness
        self.assertGreater(light, 600)
        self.assertLess(dark, 150)

    def test_the_table_has_a_row_for_each_test(self):
        rows = re.findall(r'<tr><th scope="row">', self.browse("--dump-dom"))
        self.assertEqual(len(rows), 2)

    def test_it_is_one_file_without_scripts(self):
        text = self.page.read_text()
        self.assertNotRegex(text, r"(?i)<script|\ssrc=|https?:|@import|url\(|\son\w+=")
        self.assertIn("default-src 'none'", text)


if __name__ == "__main__":
    main()
