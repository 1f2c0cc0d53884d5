"""The container's image, built for real."""

from __future__ import annotations

import os
import shutil
import subprocess

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest


ROOT = Path(__file__).parents[3]
IMAGE = "connect-dynamics-test"
BUILD_LIMIT_S = 900

#: Builds without a docker engine, as root. A machine of a CI, which is thrown away, is given them.
BUILDERS = ("buildah", "debootstrap")

#: What buildah builds on, put together from Debian's packages instead of pulled.
SUITE = "trixie"
BASE = f"localhost/debian:{SUITE}-slim"

#: Given to the build where there is one: a proxy's authority may be in it.
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")

#: Runs a command in a root file system that cannot be written, as ``docker run --read-only``.
READ_ONLY = """
mount --bind "$0" "$0" && mount --options remount,bind,ro "$0" \
&& exec chroot --userspec=10001:10001 "$0" "$@"
"""

#: What buildah is asked for to learn the image's own variables.
ENVIRONMENT = '{{range .Docker.Config.Env}}{{.}}{{"\\n"}}{{end}}'

#: The command line that runs a command line in the image, with these variables.
InImage = Callable[[dict[str, str], list[str]], list[str]]

#: How docker and buildah are asked for an image's size.
ASK_SIZE = ("images", "--format", "{{.Size}}")
SIZE = pytest.StashKey[str]()

#: Runs a command line and gives what it prints.
Run = Callable[..., str]


@pytest.fixture(scope="session")
def in_image(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> InImage:
    """Builds the image with ``make image``; the process it runs is the worker's own."""
    if engine_answers():
        _make_image(_run)
        pytestconfig.stash[SIZE] = _run("docker", *ASK_SIZE, IMAGE)
        return _with_docker
    if os.geteuid():
        pytest.skip("not run: the image needs a Docker engine, or root for buildah")
    if not _there(*BUILDERS):
        _install(*BUILDERS)
    in_image, pytestconfig.stash[SIZE] = _with_buildah(tmp_path_factory.mktemp("image"))
    return in_image


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Tell the image's size at the end of the run."""
    if SIZE in config.stash:
        terminalreporter.write_line(f"size of the image: {config.stash[SIZE]}")


@pytest.fixture(scope="session")
def engine() -> None:
    """Docker's, for what nothing else can do."""
    if not engine_answers():
        pytest.skip("not run: compose needs a Docker engine")


@pytest.fixture(scope="session")
def compose() -> Run:
    """Runs ``docker compose`` with our file."""
    if not _succeeds("docker", "compose", "version"):
        pytest.skip("not run: compose's own check of its file needs docker's plug-in")
    return partial(_run, "docker", "compose", "--file", "infra/docker/compose.yaml")


def engine_answers() -> bool:
    return _succeeds("docker", "info")


def _with_docker(environment: dict[str, str], command: list[str]) -> list[str]:
    variables = [f"--env={name}={value}" for name, value in environment.items()]
    options = ["--rm", "--read-only", "--network=host", f"--entrypoint={command[0]}"]
    return ["docker", "run", *options, *variables, IMAGE, *command[1:]]


def _with_buildah(folder: Path) -> tuple[InImage, str]:
    """As ``_with_docker``, and the size. All that buildah keeps is in the folder."""
    storage = folder / "storage.conf"
    storage.write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{folder}/graph"\nrunroot = "{folder}/run"\n'
    )
    run = partial(_run, CONTAINERS_STORAGE_CONF=str(storage), BUILDAH_ISOLATION="chroot")
    _make_base(run, folder / "base")
    _make_image(run, f"--build-arg=BASE={BASE}")
    container = run("buildah", "from", "--pull-never", f"localhost/{IMAGE}")
    root = run("buildah", "mount", container)
    size = run("buildah", *ASK_SIZE, f"localhost/{IMAGE}")
    told = run("buildah", "inspect", "--format", ENVIRONMENT, container)
    own = dict(line.split("=", 1) for line in told.splitlines() if line)

    def in_image(environment: dict[str, str], command: list[str]) -> list[str]:
        variables = [f"{name}={value}" for name, value in (own | environment).items()]
        isolated = ["unshare", "--mount", "sh", "-c", READ_ONLY, root]
        return [*isolated, "/usr/bin/env", "-i", "--chdir=/data", *variables, *command]

    return in_image, size


def _make_base(run: Run, folder: Path) -> None:
    # In a mount namespace: what it mounts is gone with it, whatever ends it.
    run("unshare", "--mount", "debootstrap", "--variant=minbase", SUITE, str(folder))
    for waste in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale"):
        shutil.rmtree(folder / waste)  # an official slim image is without these, too
    container = run("buildah", "from", "scratch")
    run("buildah", "add", "--quiet", container, str(folder))
    run("buildah", "commit", "--quiet", "--rm", container, BASE)
    shutil.rmtree(folder)


def _make_image(run: Run, options: str = "") -> None:
    if AUTHORITIES.exists():
        options += f" --secret=id=ca,src={AUTHORITIES}"
    print(run("make", "image", f"IMAGE={IMAGE}", f"BUILD_OPTIONS={options}"))


def _there(*tools: str) -> bool:
    return all(map(shutil.which, tools))


def _install(*tools: str) -> None:
    if not (os.environ.get("CI") and _there("apt-get")):
        pytest.skip(f"not run: the image needs a Docker engine, or {' and '.join(tools)}")
    _run("apt-get", "update")
    quietly = ("--yes", "--no-install-recommends")
    _run("apt-get", "install", *quietly, *tools, DEBIAN_FRONTEND="noninteractive")


def _succeeds(*command: str) -> bool:
    if not _there(command[0]):
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _run(*command: str, **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=BUILD_LIMIT_S,
        check=False,
    )
    if done.returncode:
        pytest.fail(f"{command[:2]} failed:\n{done.stdout[-1000:]}\n{done.stderr[-2000:]}")
    return done.stdout.strip()
