"""A certificate authority of one test, by openssl."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Authority:
    """Signs certificates."""

    folder: Path

    @classmethod
    def of(cls, folder: Path) -> "Authority":
        """A new one, kept in a folder of its own."""
        folder.mkdir()
        _openssl(
            folder,
            "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=authority -addext keyUsage=critical,keyCertSign,digitalSignature "
            "-keyout ca.key -out ca.crt",
        )
        return cls(folder)

    @property
    def pem(self) -> bytes:
        """Its own certificate."""
        return (self.folder / "ca.crt").read_bytes()

    def server(self, *names: str) -> ssl.SSLContext:
        """What a server with a certificate for these names (`DNS:chat.svc`, `IP:127.0.0.1`) needs."""
        _openssl(
            self.folder,
            "req -x509 -CA ca.crt -CAkey ca.key -newkey rsa:2048 -nodes -days 1 -subj /CN=server "
            f"-addext subjectAltName={','.join(names)} -addext basicConstraints=critical,CA:FALSE "
            "-keyout server.key -out server.crt",
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "server.crt", self.folder / "server.key")
        return context


def _openssl(folder: Path, command: str) -> None:
    done = subprocess.run(["openssl", *command.split()], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
