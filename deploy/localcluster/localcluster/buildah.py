"""Building images without a daemon: buildah with a storage of its own in the user's cache.

Knows how to run buildah and how to lend a build this machine's way to its package index; does not know which images
there are.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from localcluster.layout import Layout
from localcluster.shell import quietly, run

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
FAST = ("--compression-format=zstd", "--compression-level=1")
RUN_ROOT = "/run/loadtest-localcluster/containers"
STEP = re.compile(r"^--> (?:Using cache )?([0-9a-f]{11,64})$", re.MULTILINE)
NAMELESS = "<none>"


class Buildah:
    def __init__(self, at: Layout) -> None:
        self._at = at

    def has(self, reference: str) -> bool:
        return bool(self._run("images", "--quiet", "--filter", f"reference={reference}").strip())

    def build(self, reference: str, dockerfile: Path, context: Path, options: Sequence[str] = ()) -> None:
        ignored = dockerfile.with_name(f"{dockerfile.name}.dockerignore")
        ignore = [f"--ignorefile={ignored}"] if ignored.exists() else []
        fixed = ("--isolation=chroot", "--layers", "--pull-never", f"--tag={reference}", f"--file={dockerfile}")
        log = self._logs / f"image-{reference.rpartition('/')[2].partition(':')[0]}.log"
        with package_index() as mounts:
            self._run("bud", *fixed, *ignore, *mounts, *options, str(context), log=log)

    def build_from_file(self, reference: str, dockerfile: str, file: Path) -> None:
        """An image of one file, which the text of the Dockerfile calls {file}."""
        with tempfile.TemporaryDirectory(dir=self._at.cache) as folder:
            os.link(file, Path(folder) / file.name)
            path = Path(folder) / "Dockerfile"
            path.write_text(dockerfile.format(file=file.name))
            self.build(reference, path, Path(folder))

    def push(self, reference: str, folder: Path, name: str) -> None:
        """Into an OCI image layout; layers that are there already are not written again."""
        folder.mkdir(parents=True, exist_ok=True)
        self._run("push", "--quiet", *FAST, reference, f"oci:{folder}:{name}")

    def prune(self, named: Collection[str]) -> None:
        """Leaves the images with these names, and of those without a name the steps of each image's last build: they
        make the next build fast. What cannot be removed now is tried again the next time.
        """
        steps = {step for log in self._logs.glob("image-*.log") for step in STEP.findall(log.read_text())}
        listed = self._run("images", "--all", "--no-trunc", "--format={{.ID}} {{.Name}}:{{.Tag}}")
        if superfluous := orphans(listed, named, steps):
            quietly(*self._command("rmi", *superfluous))

    @property
    def _logs(self) -> Path:
        return self._at.cache / "log"

    def _run(self, *arguments: str, log: Path | None = None) -> str:
        return run(self._command(*arguments), log=log)

    def _command(self, *arguments: str) -> list[str]:
        return ["buildah", f"--root={self._at.cache}/containers", f"--runroot={RUN_ROOT}", *arguments]


def orphans(listed: str, named: Collection[str], steps: Collection[str]) -> list[str]:
    """What of buildah's list (`ID NAME:TAG`, the newest first) may go; steps are given by the first digits of their ids.
    Names that are not wanted any more go as names: the image may have another.
    """
    found = [line.split(maxsplit=1) for line in listed.splitlines()]
    pairs = [(identity.removeprefix("sha256:"), name) for identity, name in found]
    old = [name for _, name in pairs if not name.startswith(NAMELESS) and name not in named]
    nameless = [identity for identity, name in pairs if name.startswith(NAMELESS)]
    return old + [identity for identity in nameless if not any(identity.startswith(step) for step in steps)]


@contextmanager
def package_index() -> Iterator[list[str]]:
    """This machine's way to its Python package index, lent to RUN steps by bind mounts: nothing stays in an image."""
    with tempfile.TemporaryDirectory() as folder:
        pip, uv = Path(folder) / "pip.conf", Path(folder) / "uv.toml"
        pip.write_text(pip_file(_pip_settings()))
        uv.write_text("native-tls = true\n")
        mounts = {pip: "/etc/pip.conf", uv: "/etc/uv/uv.toml", CERTIFICATES: str(CERTIFICATES)}
        mounts.update({path: str(path) for path in wheel_folders(os.environ.get("PIP_FIND_LINKS", ""))})
        yield [f"--volume={source}:{target}:ro" for source, target in mounts.items() if source.exists()]


def wheel_folders(find_links: str) -> list[Path]:
    return [Path(word) for word in find_links.split() if Path(word).is_dir()]


def _pip_settings() -> str:
    return run([shutil.which("pip") or "pip3", "config", "list"]) if shutil.which("pip") or shutil.which("pip3") else ""


def pip_file(settings: str) -> str:
    """What `pip config list` says, environment included, as one file."""
    lines = [line.partition("=") for line in settings.splitlines() if "=" in line]
    values = {name.rpartition(".")[2]: value.strip("'\"") for name, _, value in lines}
    return "[global]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())
