"""The figures as a page: one HTML file with bars, without scripts and with nothing from outside.

A chart shows what its table says once more, for the eye alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from tests.benchmarks.figure import NOW, Figure


#: Bars that stand out where there are others beside them.
OURS: Final = frozenset({"ours", NOW, "agents first"})

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2128; --soft: #57606a; --paper: #fff; --card: #f6f8fa;
  --line: #d0d7de; --ours: #0969da; --other: #8c959f; --met: #1a7f37; --missed: #cf222e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9da7b3; --paper: #0d1117;
  --card: #161b22; --line: #30363d; --ours: #58a6ff; --other: #6e7681; --met: #3fb950;
  --missed: #ff7b72; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 76rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.9rem; line-height: 1.2; }
h2 { margin: 3.5rem 0 .25rem; padding-top: 1.25rem; border-top: 1px solid var(--line); }
h3 { margin: 2rem 0 .75rem; font-size: 1.05rem; }
p { margin: .25rem 0 1rem; max-width: 46rem; color: var(--soft); }
a { color: var(--ours); }
.sum { color: var(--ink); font-size: 1.15rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 0; padding: 0;
  list-style: none; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr));
  gap: .75rem; margin: 0 0 1rem; }
figure { display: flex; flex-direction: column; justify-content: space-between; margin: 0;
  padding: .75rem 1rem .9rem; background: var(--card); border-radius: .5rem; }
figcaption { margin-bottom: .5rem; font-weight: 600; }
figcaption small { display: block; font-size: .85rem; font-weight: 400; color: var(--soft); }
.bars { display: grid; gap: .45rem; font-size: .875rem; line-height: 1.3;
  font-variant-numeric: tabular-nums; }
.bar { display: flex; flex-wrap: wrap; justify-content: space-between; gap: .15rem 1rem; }
.bar::after { content: ""; flex: none; margin-right: calc(100% - max(3px, var(--part)));
  height: .5rem; width: max(3px, var(--part)); background: var(--other);
  border-radius: 0 .2rem .2rem 0; }
.bar.ours { font-weight: 600; }
.bar.ours::after { background: var(--ours); }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: .9rem;
  font-variant-numeric: tabular-nums; }
caption { text-align: left; }
th, td { padding: .35rem 1.25rem .35rem 0; border-bottom: 1px solid var(--line);
  text-align: left; white-space: nowrap; }
th:first-child { min-width: min(15rem, 40vw); white-space: normal; }
thead th { color: var(--soft); font-weight: 600; }
tbody th { font-weight: 400; }
small .met, td.met { color: var(--met); }
small .missed, td.missed { color: var(--missed); font-weight: 600; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
@media print { figure { break-inside: avoid; border: 1px solid var(--line); }
  .bar::after { print-color-adjust: exact; } }
"""


@dataclass(frozen=True, slots=True)
class Part:
    """What a section measured.

    Attributes:
        title: Its heading.
        about: What was measured, and how.
        groups: Its figures, those together that compare the same things.
    """

    title: str
    about: str
    groups: list[list[Figure]]


def page(where: str, parts: Sequence[Part]) -> str:
    """The whole page; ``where`` says when and on which machine."""
    judged = [
        (part, one)
        for part in parts
        for group in part.groups
        for one in group
        if one.met is not None
    ]
    missed = [(part, one) for part, one in judged if not one.met]
    contents = "".join(
        f'<li><a href="#{_anchor(part)}">{escape(part.title)}</a></li>' for part in parts
    )
    return "\n".join(
        (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>connect-dynamics: benchmark</title>\n<style>{STYLE}</style>\n</head>\n<body>",
            f"<header>\n<h1>How fast, and at what cost</h1>\n<p>{escape(where)}</p>",
            f'<p class="sum">{len(judged) - len(missed)} of {len(judged)} figures asked for are',
            f"met.{' Missed:' if missed else ''}",
            "; ".join(_link(part, one) for part, one in missed) + "</p>",
            f'</header>\n<nav aria-label="Contents"><ul>{contents}</ul></nav>\n<main>',
            *(line for part in parts for line in _part(part)),
            "</main>\n</body>\n</html>\n",
        )
    )


def _link(part: Part, figure: Figure) -> str:
    where = ", ".join(filter(None, (figure.name, figure.group)))
    return f'<a href="#{_anchor(part)}">{escape(where)}</a>'


def _anchor(part: Part) -> str:
    return "".join(c if c.isalnum() else "-" for c in part.title.lower())


def _part(part: Part) -> Iterator[str]:
    yield f'<section id="{_anchor(part)}">\n<h2>{escape(part.title)}</h2>'
    yield f"<p>{escape(part.about)}</p>"
    heading = ""
    for group in part.groups:
        if group[0].group != heading:
            heading = group[0].group
            yield f"<h3>{escape(heading)}</h3>"
        if charts := [line for figure in group for line in _chart(figure)]:
            yield '<div class="charts" aria-hidden="true">'
            yield from charts
            yield "</div>"
        yield from _table(group, heading or part.title)
    yield "</section>"


def _chart(figure: Figure) -> Iterator[str]:
    """A figure's bars, if there is more than one to be drawn."""
    drawn = [(bar, bar.number) for bar in figure.bars if bar.number is not None]
    if len(drawn) < 2:
        return
    most = max(number for _, number in drawn) or 1.0
    contest = OURS & {bar.of for bar, _ in drawn}
    asked = f"<small>{_asked(figure)}: {_verdict(figure, 'span')}</small>" if figure.asked else ""
    yield f'<figure><figcaption>{escape(figure.name)}{asked}</figcaption><div class="bars">'
    for bar, number in drawn:
        kind = "bar" if contest and bar.of not in OURS else "bar ours"
        yield (
            f'<div class="{kind}" style="--part: {max(0.0, number) / most:.2%}">'
            f"<span>{escape(bar.of)}</span><span>{escape(bar.said)}</span></div>"
        )
    yield "</div></figure>"


def _table(group: Sequence[Figure], name: str) -> Iterator[str]:
    columns = [bar.of for bar in group[0].bars] or ["measured"]
    judged = any(figure.asked for figure in group)
    heads = ["figure", *columns, *(["asked", "verdict"] if judged else [])]
    yield f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(name)}"><table>'
    yield f'<caption class="hidden">{escape(name)}</caption>'
    yield "<thead><tr>" + "".join(f'<th scope="col">{escape(h)}</th>' for h in heads)
    yield "</tr></thead><tbody>"
    for figure in group:
        cells = [bar.said for bar in figure.bars] or [figure.value]
        row = [f'<tr><th scope="row">{escape(figure.name)}</th>']
        row += [f"<td>{escape(cell)}</td>" for cell in cells]
        if judged:
            row.append(f"<td>{_asked(figure)}</td>{_verdict(figure, 'td')}")
        yield "".join([*row, "</tr>"])
    yield "</tbody></table></div>"


def _asked(figure: Figure) -> str:
    return escape(figure.asked.replace("<=", "≤").replace(">=", "≥"))


def _verdict(figure: Figure, element: str) -> str:
    said = {None: "", True: "met", False: "missed"}[figure.met]
    return f'<{element} class="{said}">{said}</{element}>'
