"""Certificates for tests, made with the openssl program as docs/operations.md says, for each run."""

import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from harness import TIMEOUT

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


class Authority:
    """Signs certificates in a folder that is removed with it. Skips the test where there is no openssl."""

    def __init__(self):
        if not shutil.which("openssl"):
            raise unittest.SkipTest("openssl is not installed (tools/setup installs it)")
        self.folder = tempfile.TemporaryDirectory()
        self.certificate = self._path("ca.pem")
        self._openssl(
            "req", "-x509", *NEW_KEY, "-subj", "/CN=authority", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
            "-keyout", self._path("ca.key"), "-out", self.certificate)

    def sign(self, name, alternatives="DNS:localhost,IP:127.0.0.1", purpose="serverAuth", algorithm=None):
        """Returns the paths of a certificate for `name` and of its key. `purpose` None: it names no purpose."""
        purposes = ["-addext", f"extendedKeyUsage={purpose}"] if purpose else []
        new_key = ["-newkey", algorithm, "-nodes", "-days", "2"] if algorithm else NEW_KEY
        certificate, key = self._path(f"{name}.pem"), self._path(f"{name}.key")
        self._openssl(
            "req", "-CA", self.certificate, "-CAkey", self._path("ca.key"), "-extensions", "usr_cert", *new_key,
            "-subj", f"/CN={name}", "-addext", f"subjectAltName={alternatives}",
            "-addext", "keyUsage=critical,digitalSignature", *purposes, "-keyout", key, "-out", certificate)
        return certificate, key

    def sign_client(self, name):
        return self.sign(name, purpose="clientAuth")

    def revoke(self, *certificates):
        """Returns the path of a CRL that has these certificates, and those that were revoked before."""
        settings, database, crl = (self._path(name) for name in ("ca.conf", "index.txt", "crl.pem"))
        Path(settings).write_text(
            f"[ca]\ndefault_ca = this\n[this]\ndatabase = {database}\ndefault_md = sha256\ndefault_crl_days = 2\n"
            f"certificate = {self.certificate}\nprivate_key = {self._path('ca.key')}\n")
        Path(database).touch()
        for each in certificates:
            self._openssl("ca", "-config", settings, "-revoke", each)
        self._openssl("ca", "-config", settings, "-gencrl", "-out", crl)
        return crl

    def encrypt(self, key, pass_phrase, form="pkcs8"):
        """Returns the path of an encrypted copy of a key, in PKCS #8 or in OpenSSL's older form."""
        encrypted = self._path(f"{Path(key).stem}.{form}")
        older = ["-traditional"] if form == "traditional" else []
        self._openssl("pkey", *older, "-in", key, "-aes256", "-passout", f"pass:{pass_phrase}", "-out", encrypted)
        return encrypted

    def _path(self, name):
        return str(Path(self.folder.name, name))

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=TIMEOUT)
