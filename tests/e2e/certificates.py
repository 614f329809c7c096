"""Certificates for tests, made anew for each run with the openssl program."""

import subprocess
import tempfile
from pathlib import Path

from harness import TIMEOUT


class Authority:
    """Signs certificates; its folder goes with it."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.certificate = self._path("ca.pem")
        self._openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=authority", "-keyout", self._path("ca.key"), "-out", self.certificate)

    def sign(self, name, alternatives="DNS:localhost,IP:127.0.0.1"):
        """Gives the paths of a certificate for `name` and of its key."""
        certificate, key, request = (self._path(f"{name}.{end}") for end in ("pem", "key", "csr"))
        self._openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
            "-addext", f"subjectAltName={alternatives}", "-keyout", key, "-out", request)
        self._openssl(
            "x509", "-req", "-days", "2", "-in", request, "-copy_extensions", "copy", "-CA", self.certificate,
            "-CAkey", self._path("ca.key"), "-CAcreateserial", "-out", certificate)
        return certificate, key

    def _path(self, name):
        return str(Path(self.folder.name, name))

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=TIMEOUT)
