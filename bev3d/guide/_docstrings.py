"""What a docstring and a signature say about a loss, as Markdown."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

__all__ = ["Entry", "markdown", "read_entry"]

_ARXIV = re.compile(r"(?:arXiv:)?\b(\d{4}\.\d{5})\b")
_RULE = re.compile(r"=+(?: +=+)+")


@dataclass(frozen=True)
class Entry:
    """A function or class of the library.

    Attributes:
        name: as it is imported.
        summary: first paragraph, without the source.
        formula: lines of the first indented paragraph; empty where there is none.
        source: authors, year and a link, as the first parenthesis gives them; empty where there is none.
        defaults: options with their defaults, as code.
        table: header and rows of the first table in the description; empty where there is none.
        rest: the other paragraphs of the description.
    """

    name: str
    summary: str
    formula: tuple[str, ...]
    source: str
    defaults: str
    table: tuple[tuple[str, ...], ...]
    rest: tuple[str, ...]


def read_entry(name: str, thing: Callable[..., Any]) -> Entry:
    """Read the docstring and the signature of a function or class.

    Raises:
        ValueError: it has no docstring.
    """
    text = inspect.getdoc(thing)
    if not text:
        raise ValueError(f"{name}: expected a docstring, got none")
    paragraphs = _description(text)
    summary, source = _without_source(" ".join(paragraphs[0].split()))
    formula = next((p for p in paragraphs[1:] if all(line.startswith("    ") for line in p.splitlines())), "")
    table = next((p for p in paragraphs[1:] if _RULE.match(p)), "")
    rest = [p for p in paragraphs[1:] if p not in (formula, table)]
    return Entry(
        name,
        summary,
        tuple(line.strip().replace("``", "") for line in formula.splitlines()),
        source,
        _defaults(thing),
        _rows(table.splitlines()),
        tuple(" ".join(p.split()) for p in rest),
    )


def markdown(text: str) -> str:
    """Roles and literals of reStructuredText as Markdown, arXiv numbers as links."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text)
    text = re.sub(r"``([^`]+)``", r"`\1`", text)
    text = "".join(part if k % 2 else part.replace("*", "\\*") for k, part in enumerate(re.split(r"(`[^`]*`)", text)))
    return _ARXIV.sub(r"[\1](https://arxiv.org/abs/\1)", text)


def _description(text: str) -> list[str]:
    """Paragraphs up to the first section such as Args."""
    body = re.split(r"\n(?:Args|Returns|Raises|Attributes):\n", "\n" + text)[0]
    return [p.strip("\n") for p in re.split(r"\n\s*\n", body.strip("\n"))]


def _without_source(summary: str) -> tuple[str, str]:
    for match in re.finditer(r" ?\(([^()]*)\)", summary):
        if _ARXIV.search(match[1]) or re.search(r"\b(19|20)\d\d\b", match[1]):
            return summary[: match.start()] + summary[match.end() :], markdown(match[1])
    return summary, ""


def _defaults(thing: Callable[..., Any]) -> str:
    shown = [
        f"{p.name}={_value(p.default)}"
        for p in inspect.signature(thing).parameters.values()
        if p.default is not inspect.Parameter.empty and p.name != "reduction"
    ]
    return ", ".join(f"`{option}`" for option in shown)


def _value(value: Any) -> str:
    if isinstance(value, float) and not value.is_integer():
        if math.isclose(value, math.pi / 4):
            return "π/4"
        fraction = Fraction(value).limit_denominator(12)
        decimal = f"{value:g}"
        exact = math.isclose(float(fraction), value, rel_tol=1e-12)
        return f"{fraction}" if exact and len(decimal) > 5 else decimal
    return f"{value:g}" if isinstance(value, float) else repr(value).replace("'", '"')


def _rows(lines: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Cells of a simple table of reStructuredText: its columns begin where the rules do."""
    if not lines:
        return ()
    starts = [match.start() for match in re.finditer(r"=+", lines[0])]
    ends = [*starts[1:], None]
    body = [line for line in lines if not _RULE.match(line)]
    return tuple(tuple(line[a:b].strip() for a, b in zip(starts, ends, strict=True)) for line in body)
