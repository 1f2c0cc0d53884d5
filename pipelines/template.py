"""Templates: a pipeline's body and query strings, filled with a contact's names.

A body is JSON data whose strings are templates. Each string is rendered by itself and put back as
data, so nothing a caller says can add a column or leave its string. A string that is nothing but
one placeholder keeps the value's JSON type. Placeholders without filters need no engine; the rest
is Liquid (python-liquid), without anything that reads files or clocks.
"""

from __future__ import annotations

import re

from collections.abc import Callable, Iterator, Mapping
from inspect import Parameter, signature
from typing import Any, TextIO
from urllib.parse import quote

from liquid import Environment, RenderContext, Undefined
from liquid.builtin.output import Output, OutputNode
from liquid.exceptions import LiquidError, UndefinedError
from liquid.output import LimitedStringIO
from liquid.stringify import to_liquid_string
from liquid.undefined import StrictDefaultUndefined

from pipelines.conversion import Kind, fitted
from pipelines.filters import CHOICES, FILTERS, LENGTH, Choices, forgiving
from pipelines.link import LINK, one_each, unbraced
from pipelines.liquid_text import advised, no_filter
from pipelines.odata import GUID, doubled, unwild
from pipelines.possibility import CONDITIONALS, Possibility, is_text, literals, possibilities
from pipelines.text import units
from pipelines.value import ABSENT, HELD, Nothing, as_text, plain
from pipelines.view import Names


class TemplateError(ValueError):
    """A template that cannot be used. ``index`` is the offset of the fault in ``source``."""

    def __init__(self, message: str, source: str, index: int) -> None:
        super().__init__(message)
        self.source = source
        self.index = index


#: Colons, which Liquid does not have in names, are in those of segment attributes.
_PLAIN = re.compile(r"\{\{\s*([A-Za-z_][\w-]*(?:\.[A-Za-z_][\w:-]*)*)\s*\}\}")

_PLACEHOLDER = re.compile(r"\{\{.*?\}\}", re.DOTALL)

#: Dropped from Liquid: they would read files, or need state that one leaf does not have.
_TAGS_LEFT_OUT = ("include", "render", "increment", "decrement", "extends", "block", "cycle")


#: Longest text that is rendered; Liquid counts its bytes, we its UTF-16 units. The longest columns
#: there are hold 1,048,576 characters, as a table's metadata tells (``MaxLength``).
LONGEST = 1_000_000


#: Where the values of placeholders are noted while a text is rendered (``tag_namespace``).
_SHOWN = "values shown"


class _NotedOutput(OutputNode):
    """A placeholder that notes its value beside its text, for a branch that is nothing else."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        value = self.expression.evaluate(context)
        text = to_liquid_string(value, context.autoescape)
        context.tag_namespace[_SHOWN].append((value, text))
        return buffer.write(text)


class _NotedOutputTag(Output):
    node_class = _NotedOutput


class _Liquid(Environment):
    loop_iteration_limit = 1_000
    output_stream_limit = LONGEST


def _environment(undefined: type[Undefined]) -> Environment:
    environment = _Liquid(undefined=undefined)
    environment.filters.update(FILTERS)
    for name, function in environment.filters.items():
        environment.filters[name] = forgiving(name, function, undefined)
    for tag in _TAGS_LEFT_OUT:
        environment.tags.pop(tag, None)
    environment.add_tag(_NotedOutputTag)
    return environment


_STRICT = _environment(StrictDefaultUndefined)
_LENIENT = _environment(Undefined)


def arguments_of(filter_name: str) -> tuple[int, int | None]:
    """How many arguments a filter needs and takes, its value aside; None: any number."""
    kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    parameters = signature(_STRICT.filters[filter_name]).parameters.values()
    taken = [one for one in parameters if one.kind in kinds][1:]
    needed = sum(one.default is Parameter.empty for one in taken)
    several = any(one.kind is Parameter.VAR_POSITIONAL for one in parameters)
    return needed, None if several else len(taken)


class Template:
    """One string with placeholders.

    Args:
        source: The text.
        length: Most characters of the column it is for, if known; what ``fit`` cuts to.
        kind: What that column holds, if known; see ``fitted``.
        choices: The pipeline's tables for the filter ``choice``.

    Attributes:
        names: (path, offset) of every name it reads.
        whole: It is nothing but one placeholder.
        conditional: It is nothing but one ``if``, ``unless`` or ``case``. A branch that is nothing
            but one placeholder keeps the value's JSON type.
        literals: Its branches that are nothing but text.

    Raises:
        TemplateError: The text is not a template.
    """

    __slots__ = (
        "_choices", "_kind", "_length", "_lenient", "_parts", "_strict",
        "conditional", "literals", "names", "source", "whole",
    )  # fmt: skip

    def __init__(
        self,
        source: str,
        length: int | None = None,
        kind: Kind | None = None,
        choices: Choices | None = None,
    ) -> None:
        self.source = source
        self._length = length
        self._kind = kind
        self._choices = choices or {}
        self.conditional = False
        self.literals: list[str] = []
        self._strict = self._lenient = None
        self._parts = _plain_parts(source)
        if self._parts is not None:
            self.names = [(part, at) for part, at in self._parts if isinstance(part, tuple)]
            self.whole = len(self._parts) == 1 and bool(self.names)
            return
        try:
            self._strict = _STRICT.from_string(source)
            self._lenient = _LENIENT.from_string(source)
            analysis = self._strict.analyze()
        except LiquidError as error:
            index = error.token.start_index if error.token is not None else 0
            if index < 0:  # the end came too early
                index = len(source)
            message = advised(str(error.message or "not a template"))
            raise TemplateError(message, source, index) from error
        for name, spans in analysis.filters.items():
            if name not in _STRICT.filters:
                raise TemplateError(no_filter(name, _STRICT.filters), source, spans[0].index)
        used = analysis.globals
        self.names = [
            (tuple(str(segment) for segment in v.segments), v.span.index)
            for variables in used.values()
            for v in variables
        ]
        alone = self._strict.nodes[0] if len(self._strict.nodes) == 1 else None
        self.whole = isinstance(alone, OutputNode)
        self.conditional = isinstance(alone, CONDITIONALS)
        if alone is not None and self.conditional:
            self.literals = list(literals(alone, RenderContext(self._strict)))

    @property
    def constant(self) -> bool:
        """There is nothing to fill in."""
        return not self.names and (self._strict is None or is_text(self._strict.nodes))

    @property
    def possibilities(self) -> list[Possibility]:
        """What it may give, if it is ``whole``, or its branches that are nothing but one value."""
        if self._parts is not None:
            return [Possibility((path[0],)) for path, _ in self.names] if self.whole else []
        assert self._strict is not None  # noqa: S101 - by construction: not made of plain parts
        if not (self.whole or self.conditional):
            return []
        context = self._context(self._strict, Names({}))
        return list(possibilities(self._strict.nodes[0], context))

    def render(self, names: Names, *, lenient: bool = False) -> Any:
        """The value: any JSON value if ``whole``, else text; or ABSENT or HELD.

        Args:
            names: The contact's names.
            lenient: Text is not held back for names without a value; they render empty.
        """
        if self._parts is not None:
            value = self._fill(self._parts, names, lenient=lenient)
        elif self.whole:
            value = self._evaluate(names)
        else:
            value = self._run(names, lenient=lenient)
        value = value if value is HELD else plain(value)
        if isinstance(value, str) and units(value) > LONGEST:
            return ABSENT if lenient or self.whole else HELD
        return fitted(value, self._kind)

    def _fill(self, parts: list[tuple[Any, int]], names: Names, *, lenient: bool) -> Any:
        if self.whole:
            return resolve(names, parts[0][0])
        texts = []
        for part, _ in parts:
            value = part if isinstance(part, str) else plain(resolve(names, part))
            if value is ABSENT:
                if not lenient:
                    return HELD
                continue
            texts.append(value if isinstance(value, str) else as_text(value))
        return "".join(texts)

    def _evaluate(self, names: Names) -> Any:
        assert self._strict is not None  # noqa: S101 - by construction: not made of plain parts
        node = self._strict.nodes[0]
        assert isinstance(node, OutputNode)  # noqa: S101 - that is what whole means
        context = self._context(self._strict, Names(names))  # strict: nothing is absent
        try:
            value = node.expression.evaluate(context)
            if isinstance(value, Names):  # to touch a strict Undefined raises
                value = value.plain()
        except Exception:  # noqa: BLE001 - a name without value, or one of no use where it stands
            return ABSENT
        return value

    def _run(self, names: Names, *, lenient: bool) -> Any:
        template = self._lenient if lenient else self._strict
        assert template is not None  # noqa: S101 - by construction: not made of plain parts
        context = self._context(template, Names(names, lenient=lenient))
        buffer = LimitedStringIO(limit=_Liquid.output_stream_limit, newline="")
        try:
            template.render_with_context(context, buffer)
        except UndefinedError:
            return HELD
        except Exception:  # noqa: BLE001 - a value of no use where it stands: as if there were none
            return ABSENT if lenient else HELD
        text = buffer.getvalue()
        shown = context.tag_namespace[_SHOWN]
        if self.conditional and len(shown) == 1 and shown[0][1] == text.strip():
            value = shown[0][0]
            return value.plain() if isinstance(value, Names) else value
        return text

    def _context(self, template: Any, names: Names) -> RenderContext:
        context = RenderContext(template, globals=names)
        context.tag_namespace |= {LENGTH: self._length, CHOICES: self._choices, _SHOWN: []}
        return context


def _plain_parts(source: str) -> list[tuple[Any, int]] | None:
    """Text and paths in turn with their offsets, or None if it takes Liquid."""
    parts: list[tuple[Any, int]] = []
    position = 0
    for match in _PLAIN.finditer(source):
        parts.append((source[position : match.start()], position))
        parts.append((tuple(match[1].split(".")), match.start(1)))
        position = match.end()
    parts.append((source[position:], position))
    texts = [part for part, _ in parts if isinstance(part, str)]
    if any("{{" in text or "{%" in text for text in texts):
        return None
    return [(part, at) for part, at in parts if part] or [("", 0)]


def resolve(names: Names, path: tuple[str, ...]) -> Any:
    """The value at a path of names, or ABSENT."""
    value: Any = names
    for name in path:
        try:
            value = value[name]
        except (KeyError, IndexError, TypeError):
            return ABSENT
    if isinstance(value, Names):
        value = value.plain()
    return ABSENT if value is None else value


# --- queries ------------------------------------------------------------------------------------

#: A user or a team, as an owner is linked.
_OWNER = re.compile(r"(?:teams|systemusers)\(" + GUID.pattern + r"\)", re.ASCII)

#: Values that may stand outside quotes in a URL: GUIDs, numbers, dates, true, false and an owner.
_LITERAL = re.compile(
    GUID.pattern + r"|" + _OWNER.pattern + r"|[+-]?\d{1,30}(?:\.\d{1,30})?"
    r"|\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d{1,7})?Z)?"
    r"|true|false",
    re.ASCII,
)
_LIKE = re.compile(r"\b(contains|startswith|endswith)\s*\([^()]*$")
_ENCODED = re.compile(r"%(?![0-9A-Fa-f]{2})")

#: What may stand as it is in the author's own part of a URL.
_URL = "?$&=()',/:@-._~*+%;!"

#: What is made of a value where it stands: text, or HELD.
_Escape = Callable[[str], Any]

#: What parts a URL, or would be taken for an encoded character, in a value of a link.
_PARTING = re.compile(r"[%#?/\\\x00-\x1f]")


class Query:
    """What is appended to an entity set's URI: a key in parentheses, or an OData query. Or a link.

    Values are put between quotes with their quotes doubled, wildcards of ``contains`` and its like
    escaped, everything percent-encoded (Dataverse "query/filter-rows"). A value outside quotes
    must be a plain literal, or the request is held back; a GUID in braces stands without them.

    A link is no part of a URL but text in a body. Whether Dataverse decodes it is not documented,
    so all stands as it is that means the same either way, and encoded is only what a URL would be
    parted at; keys with such characters are not supported (``webapi/use-alternate-key…``).

    Args:
        source: The text.
        choices: The pipeline's tables for the filter ``choice``.
        link: Whether it is a link.

    Raises:
        TemplateError: The text is not a template.
    """

    __slots__ = ("_link", "_pieces", "names", "source")

    def __init__(self, source: str, choices: Choices | None = None, *, link: bool = False) -> None:
        self.source = source
        self._link = link
        if "{%" in source:
            raise TemplateError("tags are not allowed in a query", source, source.index("{%"))
        self._pieces: list[tuple[str, Template | None, _Escape]] = []
        self.names: list[tuple[tuple[str, ...], int]] = []
        position, before = 0, ""
        for match in _PLACEHOLDER.finditer(source):
            try:
                template = Template(match[0], choices=choices)
            except TemplateError as error:
                raise TemplateError(str(error), source, match.start() + error.index) from error
            self.names += [(path, at + match.start()) for path, at in template.names]
            text = self._text(source[position : match.start()])
            before += text
            self._pieces.append((self._authored(text), template, _escape(before)))
            position = match.end()
        self._pieces.append((self._authored(self._text(source[position:])), None, _literal))

    def _text(self, source: str) -> str:
        """The author's own part between two placeholders."""
        text = unbraced(source)
        if "{{" in text:
            at = self.source.index(text) + text.index("{{")
            raise TemplateError("{{ is not closed; write }}", self.source, at)
        return text

    def _authored(self, text: str) -> str:
        return text if self._link else quote(_ENCODED.sub("%25", text), safe=_URL)

    def render(self, names: Names) -> Any:
        """The text to append, percent-encoded, or HELD."""
        encoded = ""
        for text, template, escape in self._pieces:
            encoded += text
            if template is None:
                continue
            value = template.render(names)
            if isinstance(value, Nothing):
                return HELD
            escaped = escape(as_text(value))
            if escaped is HELD:
                return HELD
            encoded += self._encoded(escaped)
        return encoded

    def _encoded(self, value: str) -> str:
        if self._link:
            return _PARTING.sub(lambda found: quote(found[0], safe=""), value)
        return quote(value, safe="()" if _OWNER.fullmatch(value) else "")


def _escape(before: str) -> _Escape:
    """How a value is escaped that stands after this text of the author's."""
    if before.count("'") % 2 == 0:
        return _literal
    return _pattern if _LIKE.search(before[: before.rindex("'")]) else doubled


def _literal(value: str) -> Any:
    value = unbraced(value)
    return value if _LITERAL.fullmatch(value) else HELD


def _pattern(value: str) -> str:
    return doubled(unwild(value))


# --- bodies -------------------------------------------------------------------------------------

Body = dict[str, Any]


def compile_data(
    data: Any,
    length: int | None = None,
    key: str = "",
    kind: Kind | None = None,
    choices: Choices | None = None,
) -> Any:
    """JSON data with every string that has something to fill in made a ``Template``.

    A link (``…@odata.bind``) is an address, so it is made a ``Query``. Length and kind are of the
    column that the data is for.

    Raises:
        TemplateError: With the string at fault and the offset in it.
    """
    if isinstance(data, dict):
        return {
            name: compile_data(value, length, name, choices=choices) for name, value in data.items()
        }
    if isinstance(data, list):
        return [compile_data(value, length, choices=choices) for value in data]
    if not isinstance(data, str):
        return data
    if key.endswith(LINK):
        link = Query(data, choices, link=True)
        return link if link.names else unbraced(data)
    template = Template(data, length, kind, choices)
    return data if template.constant else template


def templates(compiled: Any) -> Iterator[Template | Query]:
    """Every template and link in compiled data."""
    if isinstance(compiled, Template | Query):
        yield compiled
    elif isinstance(compiled, Mapping):
        for value in compiled.values():
            yield from templates(value)
    elif isinstance(compiled, list):
        for value in compiled:
            yield from templates(value)


def render_data(compiled: Any, names: Names, *, lenient: bool = False) -> Any:
    """Compiled data with its templates rendered; ABSENT parts are left out.

    A link is never made of names that have no value. A member of a list none of whose templates
    has a value, such as a party nobody is known for, is left out. HELD anywhere holds back the
    whole. A member that is one placeholder whose value is a list stands for that list's members. Of
    several links of one lookup, such as whom a party is, the last that has a value is kept.
    """
    if isinstance(compiled, Template):
        return compiled.render(names, lenient=lenient)
    if isinstance(compiled, Query):
        value = compiled.render(names)
        return ABSENT if value is HELD else value
    if isinstance(compiled, dict):
        return _render_object(compiled, names, lenient=lenient)
    if isinstance(compiled, list):
        return _render_list(compiled, names, lenient=lenient)
    return compiled


def _render_object(compiled: Body, names: Names, *, lenient: bool) -> Any:
    values = {k: render_data(v, names, lenient=lenient) for k, v in compiled.items()}
    if any(value is HELD for value in values.values()):
        return HELD
    filled = {k: v for k, v in values.items() if v is not ABSENT}
    return one_each({k: v for k, v in filled.items() if v is not None or not k.endswith(LINK)})


def _render_list(compiled: list[Any], names: Names, *, lenient: bool) -> Any:
    values: list[Any] = []
    for member in compiled:
        value = _render_member(member, names, lenient=lenient)
        if value is HELD:
            return HELD
        if isinstance(member, Template) and isinstance(value, list):
            values += value
        elif value is not ABSENT:
            values.append(value)
    return values


def _render_member(compiled: Any, names: Names, *, lenient: bool) -> Any:
    rendered = render_data(compiled, names, lenient=lenient)
    if isinstance(compiled, dict) and isinstance(rendered, dict):
        filled = [k for k, v in compiled.items() if isinstance(v, Template | Query)]
        if filled and not any(k in rendered for k in filled):
            return ABSENT
    return rendered
