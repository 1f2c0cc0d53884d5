"""The container's image, built for real where there is an engine."""

from __future__ import annotations

import os
import shutil
import subprocess

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest


#: Building takes minutes: only who sets this has it built.
WANTED = "CONNECT_DYNAMICS_TEST_IMAGE"

ROOT = Path(__file__).parents[3]
IMAGE = "connect-dynamics-test"
BUILD_LIMIT_S = 900

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

#: Runs a command line and gives what it prints.
Run = Callable[..., str]


@pytest.fixture(scope="session")
def in_image(tmp_path_factory: pytest.TempPathFactory) -> InImage:
    """Builds the image with ``make image``; the process it runs is the worker's own."""
    if not os.environ.get(WANTED):
        pytest.skip(f"not run: building the image takes minutes; set {WANTED}=1 to have it built")
    if _answers("docker", "info"):
        _make_image(_run)
        return _with_docker
    if not all(map(shutil.which, ("buildah", "debootstrap"))) or os.geteuid():
        pytest.skip("not run: no docker engine answers; buildah needs debootstrap and root")
    return _with_buildah(tmp_path_factory.mktemp("image"))


def _with_docker(environment: dict[str, str], command: list[str]) -> list[str]:
    variables = [f"--env={name}={value}" for name, value in environment.items()]
    options = ["--rm", "--read-only", "--network=host", f"--entrypoint={command[0]}"]
    return ["docker", "run", *options, *variables, IMAGE, *command[1:]]


def _with_buildah(folder: Path) -> InImage:
    """Everything buildah keeps goes into the folder; what is built runs in its own mount."""
    storage = folder / "storage.conf"
    storage.write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{folder}/graph"\nrunroot = "{folder}/run"\n'
    )
    run = partial(_run, CONTAINERS_STORAGE_CONF=str(storage), BUILDAH_ISOLATION="chroot")
    _make_base(run, folder / "base")
    _make_image(run, f"--build-arg=BASE={BASE}")
    container = run("buildah", "from", "--pull-never", f"localhost/{IMAGE}")
    root = run("buildah", "mount", container)
    told = run("buildah", "inspect", "--format", ENVIRONMENT, container)
    own = dict(line.split("=", 1) for line in told.splitlines() if line)

    def in_image(environment: dict[str, str], command: list[str]) -> list[str]:
        variables = [f"{name}={value}" for name, value in (own | environment).items()]
        isolated = ["unshare", "--mount", "sh", "-c", READ_ONLY, root]
        return [*isolated, "/usr/bin/env", "-i", "--chdir=/data", *variables, *command]

    return in_image


def _make_base(run: Run, folder: Path) -> None:
    run("debootstrap", "--variant=minbase", SUITE, str(folder))
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


def _answers(*command: str) -> bool:
    if not shutil.which(command[0]):
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
