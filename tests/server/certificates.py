"""Certificates for TLS, made by openssl for as long as a test lasts."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def made_certificates(directory: Path) -> Path:
    """The directory, with an authority and certificates of it for ``localhost`` and for a client."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, so that no certificates can be made")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1")
    openssl(directory, "req", "-x509", *curve, "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem")
    for name in ("server", "client"):
        request = ("-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl(directory, "req", *curve[:-2], *request)
        (directory / "extensions").write_text("subjectAltName=DNS:localhost\n")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1")
        openssl(
            directory, "x509", "-req", "-in", f"{name}.csr", *signed,
            "-extfile", "extensions", "-out", f"{name}.pem",
        )  # fmt: skip
    return directory


def openssl(directory: Path, *arguments: str) -> None:
    """Run openssl in the directory."""
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True, timeout=60)
