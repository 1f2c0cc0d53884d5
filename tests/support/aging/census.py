"""Counts what Python objects hold: the sizes of all collections that can be reached from some."""

from __future__ import annotations

import asyncio
import functools
import sys

from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import BuiltinFunctionType, CoroutineType, FunctionType, MethodType, ModuleType
from typing import Any, Final


#: Where the product's modules are.
ROOMS: Final = ("pipelines.", "worker.")

#: Whose contents say nothing.
_LEAVES: Final = (str, bytes, int, float, bool, type(None), type, ModuleType, BuiltinFunctionType)

#: What a collection is called: the class, module or coroutine that holds it, and its name there.
Place = str


def collections(roots: Iterable[object], leave: Collection[object] = ()) -> Counter[Place]:
    """The sizes of all collections reached from some objects, those at one place added up.

    Attributes, closures, partial calls and the local variables of waiting coroutines are followed.

    Args:
        roots: Where to begin.
        leave: Objects that are somebody else's.
    """
    found: Counter[Place] = Counter()
    seen = {id(one) for one in leave}
    stack: list[tuple[object, Place]] = [(root, "") for root in roots]
    kept = []  # what was made on the way stays, or its id would be another's
    while stack:
        one, place = stack.pop()
        if isinstance(one, _LEAVES) or id(one) in seen:
            continue
        seen.add(id(one))
        kept.append(one)
        if isinstance(one, Mapping | set | frozenset | list | tuple | deque):
            if not isinstance(one, tuple | frozenset):
                found[place] += len(one)
            inner = (*one.keys(), *one.values()) if isinstance(one, Mapping) else tuple(one)
            stack += ((value, f"{place}[]") for value in inner)
        else:
            stack += _parts(one, place)
    return found


def module_collections() -> Counter[Place]:
    """The same of the product's modules: their globals, and what functions remember for ever."""
    found: Counter[Place] = Counter()
    for name, module in list(sys.modules.items()):
        if not name.startswith(ROOMS) or name.startswith("worker.sandbox"):
            continue
        for key, value in vars(module).items():
            for inner in (value, *(vars(value).values() if isinstance(value, type) else ())):
                if isinstance(inner, functools._lru_cache_wrapper):
                    remembered = inner.cache_info()
                    if remembered.maxsize is None:
                        found[f"{inner.__module__}.{inner.__qualname__}"] = remembered.currsize
            if isinstance(value, dict | set | list | deque):
                found[f"{name}.{key}"] += len(value)
    return found


def _parts(one: Any, place: Place) -> Iterator[tuple[object, Place]]:
    """What an object that is no collection holds."""
    match one:
        case functools.partial():
            yield from ((value, place) for value in (one.func, *one.args, *one.keywords.values()))
        case MethodType():
            yield one.__self__, place
        case FunctionType():
            held = zip(one.__code__.co_freevars, one.__closure__ or (), strict=True)
            # A cell that is not set yet has no contents.
            yield from (
                (getattr(cell, "cell_contents", None), f"{one.__qualname__}.{name}")
                for name, cell in held
            )
        case asyncio.Task():
            yield one.get_coro(), place
        case CoroutineType():
            variables = one.cr_frame.f_locals if one.cr_frame else {}
            yield from ((v, f"{one.__qualname__}.{name}") for name, v in variables.items())
            yield one.cr_await, place
        case _:
            yield from _attributes(one)


def _attributes(one: object) -> Iterator[tuple[object, Place]]:
    """The attributes of an object of the product."""
    kind = type(one)
    if kind.__module__.startswith(ROOMS):
        names = {name for base in kind.__mro__ for name in getattr(base, "__slots__", ())}
        for name in sorted({*names, *getattr(one, "__dict__", {})}):
            yield getattr(one, name, None), f"{kind.__module__}.{kind.__qualname__}.{name}"
