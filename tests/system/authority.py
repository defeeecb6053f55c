"""Certificates for tests, made by openssl as docs/operations.md says."""
import os
import subprocess


class Authority:
    """An authority and what it issues, in files of one folder."""

    def __init__(self, folder, name="ca"):
        self.folder, self.name = folder, name
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
                     "-subj", f"/CN={name}", "-keyout", self.path("key"), "-out", self.path("pem"))

    def path(self, kind, name=None):
        return self.folder / f"{name or self.name}.{kind}"

    @staticmethod
    def openssl(*words):
        done = subprocess.run(["openssl", *words], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def issue(self, name, at=None):
        """Writes NAME.pem and NAME.key, or those of `at`, whole and at once."""
        fresh = self.folder / f"fresh-{name}"
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
                     "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", f"{fresh}.key", "-out", f"{fresh}.csr")
        self.openssl("x509", "-req", "-in", f"{fresh}.csr", "-CA", self.path("pem"), "-CAkey", self.path("key"), "-CAcreateserial", "-days", "30",
                     "-copy_extensions", "copy", "-out", f"{fresh}.pem")
        for kind in ("key", "pem"):
            os.replace(f"{fresh}.{kind}", self.path(kind, at or name))
        return {"cert": str(self.path("pem", at or name)), "key": str(self.path("key", at or name))}
