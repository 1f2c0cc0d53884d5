"""Puts the pages together for serving, as ``make desktop`` does.

Nothing is bundled or translated. Pages lie at the top; everything else lies below
``assets/<digest>/``, the digest being that of all of it, so that modules find each other as they do
in ``pages/`` and no browser ever keeps an old one. The same sources make the same bytes.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256, sha384
from pathlib import Path
from typing import Final

from worker.errors import ConfigError


ROOM: Final = Path(__file__).parent
PAGES: Final = ROOM / "pages"
DIST: Final = ROOM / "dist"

#: Where ``make desktop`` installs the packages of package-lock.json.
MODULES: Final = ROOM.parents[1] / ".venv" / "desktop" / "node_modules"

#: Names another place for them.
MODULES_VARIABLE: Final = "DESKTOP_MODULES"

#: Amazon's library, as its package has it, with its licence.
STREAMS: Final = "connect-streams-min.js"
_STREAMS_PATH: Final = "amazon-connect-streams/release/connect-streams-min.js"
_LICENCE: Final = "amazon-connect-streams-LICENSE.txt"
_LICENCE_PATH: Final = "amazon-connect-streams/LICENSE.txt"

#: Ending of what is served -> its type.
TYPES: Final[Mapping[str, str]] = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
}

#: A page names an asset so, in ``src`` or ``href``.
_NAMED: Final = re.compile(r"""(?<=["'])assets/([^"'?#]+)""")
_SCRIPT: Final = re.compile(r"<script\b([^>]*)>(.*?)</script>", re.DOTALL | re.IGNORECASE)
_INTEGRITY: Final = re.compile(r"""\s+integrity=("[^"]*"|'[^']*'|[^\s>]*)""", re.IGNORECASE)
_INLINE_STYLE: Final = re.compile(r"<style\b|<[a-z][^>]*\sstyle\s*=", re.IGNORECASE)
_INLINE_HANDLER: Final = re.compile(r"<[a-z][^>]*\son[a-z]+\s*=", re.IGNORECASE)
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)

_DIGITS: Final = 20


def assemble(modules: Path, pages: Path = PAGES, into: Path = DIST) -> str:
    """Put the pages together in a folder, in place of what it holds; gives the digest.

    Args:
        modules: The node_modules with amazon-connect-streams.
        pages: The pages' sources.
        into: The folder; it is there afterwards only if all went well.

    Raises:
        ConfigError: Something is missing, or a page's policy would not let it work.
    """
    assets = dict(_assets(pages)) | {
        STREAMS: _read(modules / _STREAMS_PATH, "run make desktop, which installs it"),
        _LICENCE: _read(modules / _LICENCE_PATH, "run make desktop, which installs it"),
    }
    digest = _digest(assets)
    documents = {
        path.name: _page(path, digest, assets).encode() for path in sorted(pages.glob("*.html"))
    }
    if not documents:
        raise ConfigError(f"{pages}: there are no pages")
    files = documents | {f"assets/{digest}/{name}": body for name, body in assets.items()}
    _replace(into, files)
    return digest


def _assets(pages: Path) -> Iterator[tuple[str, bytes]]:
    """Everything below the pages that is no page, by its path there."""
    for path in sorted(pages.rglob("*")):
        name = path.relative_to(pages).as_posix()
        if not path.is_file() or path.name.startswith(".") or path.suffix == ".html":
            continue
        if path.suffix not in TYPES:
            raise ConfigError(f"{path}: files of this kind are not served; move it elsewhere")
        yield name, path.read_bytes()


def _digest(assets: Mapping[str, bytes]) -> str:
    """A digest of names and contents, whatever order they are in."""
    whole = sha256()
    for name, body in sorted(assets.items()):
        whole.update(f"{name}\0{len(body)}\0".encode())
        whole.update(body)
    return whole.hexdigest()[:_DIGITS]


def _page(path: Path, digest: str, assets: Mapping[str, bytes]) -> str:
    """A page with its assets' addresses, and the integrity of the library it loads."""
    text = path.read_text(encoding="utf-8")
    _allowed(path, text)
    for name in _NAMED.findall(text):
        if name not in assets:
            raise ConfigError(f"{path}: there is no {name} for assets/{name}")
    seal = b64encode(sha384(assets[STREAMS]).digest()).decode()

    def sealed(script: re.Match[str]) -> str:
        if f"assets/{STREAMS}" not in script[1]:
            return script[0]
        attributes = _INTEGRITY.sub("", script[1])
        return f'<script{attributes} integrity="sha384-{seal}"></script>'

    return _NAMED.sub(rf"assets/{digest}/\1", _SCRIPT.sub(sealed, text))


def _allowed(path: Path, text: str) -> None:
    """Refuse what a page's content security policy would refuse in the browser."""
    markup = _COMMENT.sub("", text)
    if any(not re.search(r"\ssrc\s*=", a) or body.strip() for a, body in _SCRIPT.findall(markup)):
        raise ConfigError(f"{path}: a script within the page is not run; put it in a file")
    if _INLINE_STYLE.search(markup):
        raise ConfigError(f"{path}: a style within the page is not used; put it in styles.css")
    if _INLINE_HANDLER.search(markup):
        raise ConfigError(f"{path}: a handler within the page is not run; add it in a module")


def _replace(into: Path, files: Mapping[str, bytes]) -> None:
    """Write files to a folder beside it first, so that the old one stays whole until then."""
    fresh = into.with_name(f"{into.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    for name, body in files.items():
        place = fresh / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(body)
    if into.exists():
        shutil.rmtree(into)
    fresh.rename(into)


def _read(path: Path, cure: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); {cure}") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m worker.desktop.assembly``; gives the exit status."""
    parser = argparse.ArgumentParser(prog="worker.desktop.assembly", description=__doc__)
    default = os.environ.get(MODULES_VARIABLE) or str(MODULES)
    parser.add_argument("--modules", type=Path, default=default, help="node_modules to take from")
    parser.add_argument("--into", type=Path, default=DIST, help="folder to put the pages in")
    given = parser.parse_args(arguments)
    try:
        digest = assemble(given.modules, into=given.into)
    except ConfigError as error:
        print(f"desktop: {error}", file=sys.stderr)  # noqa: T201 - a build step's one line
        return 1
    print(f"{given.into}: {digest}")  # noqa: T201 - the same
    return 0


if __name__ == "__main__":
    sys.exit(main())
