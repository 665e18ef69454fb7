"""docs/losses.md: prose from ``text``, tables from docstrings and signatures, numbers from the losses, examples."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from bev3d import compat, losses
from bev3d.bench._format import markdown_table
from bev3d.guide._docstrings import Entry, markdown, read_entry
from bev3d.guide._facts import facts
from bev3d.guide._families import FAMILIES, Family, compat_functions, members, module_of, normalisers

__all__ = ["guide_page"]

_NAME = re.compile(r"\[\[(\w+)\]\]")
_PARTS = ("table", "kinds", "normalisers", "compat", "figure", "example")

_INTRO = """# The losses

Every loss of `bev3d.losses`: what it computes, when to use it, what others do differently and what goes wrong there.

Written by `tools/make_loss_guide.py`: tables from the docstrings, numbers and figures from the losses themselves,
examples from `tests/losses/examples`, where they run as tests, and prose from `bev3d/guide/text`.
"""


def guide_page(examples: Path) -> str:
    """The page as Markdown.

    Args:
        examples: folder with one script for each family.

    Raises:
        ValueError: the text names a number that is not computed, or one is computed and never named.
        FileNotFoundError: a family without an example.
    """
    text = _Text(facts())
    titles = ["Which one", "What holds for all of them", "Often told wrongly", *(f.title for f in FAMILIES)]
    contents = "\n".join(f"* [{title}](#{_anchor(title)})" for title in titles)
    parts = [_INTRO, contents + "\n", *(text.named(name) for name in ("choose", "rules", "misconceptions"))]
    parts += [_section(family, text, examples) for family in FAMILIES]
    text.check()
    return "\n".join(parts)


def _anchor(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


class _Text:
    """The prose, with numbers in place of their names in double brackets."""

    def __init__(self, numbers: Mapping[str, str]) -> None:
        self.numbers, self.named_so_far = numbers, set(_PARTS)

    def named(self, name: str) -> str:
        """One file of ``text``."""
        raw = (resources.files("bev3d.guide") / "text" / f"{name}.md").read_text(encoding="utf-8")
        self.named_so_far |= set(_NAME.findall(raw))
        return _NAME.sub(lambda match: self.numbers.get(match[1], match[0]), raw)

    def check(self) -> None:
        """Raise unless every number is named, and every name a number or a part."""
        known = set(self.numbers) | set(_PARTS)
        if self.named_so_far != known:
            unknown, unused = sorted(self.named_so_far - known), sorted(known - self.named_so_far)
            raise ValueError(f"text: expected the numbers of facts(); it names unknown {unknown}, leaves out {unused}")


def _section(family: Family, prose: _Text, examples: Path) -> str:
    entries = [read_entry(name, getattr(losses, name)) for name in members(family)]
    made = {
        "table": _table(entries) if entries else "",
        "kinds": "\n\n".join(_kinds(entry) for entry in entries if entry.table),
        "normalisers": _short_table([read_entry(name, getattr(losses, name)) for name in normalisers()]),
        "compat": _compat_table(),
        "figure": _figure(family),
        "example": f"```python\n{(examples / f'{family.key}.py').read_text(encoding='utf-8').strip()}\n```",
    }
    text = prose.named(family.key)
    for name, value in made.items():
        text = text.replace(f"[[{name}]]", value)
    return f"## {family.title}\n\n{text}"


def _figure(family: Family) -> str:
    if family.figure is None:
        return ""
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="losses/{family.key}_dark.png">'
        f'<img alt="{html.escape(family.title)}: value above, gradient below" src="losses/{family.key}.png"></picture>'
    )


def _table(entries: list[Entry]) -> str:
    rows = [(_names(e), _formula(e), _cell(e.defaults), _cell(e.source)) for e in entries]
    return markdown_table(("loss", "what it computes", "defaults", "source"), rows)


def _names(entry: Entry) -> str:
    module = module_of(entry.name)
    return f"`{entry.name}`<br>`{module}`" if module else f"`{entry.name}`"


def _formula(entry: Entry) -> str:
    if not entry.formula:
        return _cell(markdown(entry.summary))
    return "<br>".join([_cell(markdown(entry.summary)), *(_code(line) for line in entry.formula)])


def _kinds(entry: Entry) -> str:
    header, *rows = entry.table
    shown = [[_cell(markdown(row[0])), _code(row[1]), *(_cell(markdown(cell)) for cell in row[2:])] for row in rows]
    return markdown_table(header, shown)


def _short_table(entries: list[Entry]) -> str:
    return markdown_table(("normaliser", "is"), [(f"`{e.name}`", _cell(markdown(e.summary))) for e in entries])


def _compat_table() -> str:
    rows = []
    for name in compat_functions():
        entry = read_entry(name, getattr(compat, name))
        wrong = next((p for p in entry.rest if p.startswith("Wrong: ")), "")
        rows.append((f"`{name}`", _cell(markdown(entry.summary)), _cell(markdown(wrong.removeprefix("Wrong: ")))))
    return markdown_table(("function", "whose", "what is wrong, and what to use"), rows)


def _code(formula: str) -> str:
    return f"<code>{_cell(html.escape(formula, quote=False)).replace('*', '&#42;')}</code>"


def _cell(text: str) -> str:
    return text.replace("|", "&#124;")
