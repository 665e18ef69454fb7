"""A report page: text, tables, pictures and links in one static HTML file with its style inside."""

from __future__ import annotations

import base64
import html
import mimetypes
import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from bev3d._files import write_text

__all__ = ["Page"]


class Page:
    """Collects parts in their order and writes them as one page. Every text is escaped.

    ::

        page = Page("bev3d demo", "A detector trained in four minutes.")
        page.facts([("mAP", "0.31"), ("training", "212 s")])
        page.section("Detections", "Ground truth solid, detections dashed.").figure("bev.png", "One validation sample")
        page.table(["class", "AP"], [["car", 0.71]], "Official nuScenes score")
        page.link("scene.html", "Open the scene in 3D").write("demo/index.html")

    Args:
        title: heading and name of the page.
        lead: a sentence or two under it.
    """

    def __init__(self, title: str, lead: str = "") -> None:
        self.title = title
        self.lead = lead
        self._parts: list[str] = []
        self._images: list[tuple[int, Path, str, bool, Path | None]] = []
        self._contents: list[tuple[str, str]] = []

    def section(self, heading: str, text: str = "") -> Page:
        """Begin a section; an empty line in the text begins a new paragraph."""
        anchor = f"s{len(self._contents) + 1}"
        self._contents.append((anchor, heading))
        return self._add(f'<h2 id="{anchor}">{html.escape(heading)}</h2>').text(text)

    def text(self, text: str) -> Page:
        """Paragraphs; an empty line parts them."""
        for paragraph in filter(None, (part.strip() for part in text.split("\n\n"))):
            self._add(f"<p>{html.escape(paragraph)}</p>")
        return self

    def facts(self, facts: Sequence[tuple[str, str]]) -> Page:
        """Large numbers in a row: (what, value)."""
        cells = "".join(
            f"<div><dt>{html.escape(what)}</dt><dd>{html.escape(value)}</dd></div>" for what, value in facts
        )
        return self._add(f'<dl class="facts">{cells}</dl>')

    def figure(
        self,
        path: str | os.PathLike[str],
        caption: str = "",
        *,
        embed: bool = False,
        wide: bool = True,
        dark: str | os.PathLike[str] | None = None,
    ) -> Page:
        """A picture with its caption.

        Args:
            path: an image file; the page refers to it relative to its own folder.
            caption: under the picture, and its text for who cannot see it.
            embed: put the image into the page itself.
            wide: let the picture be wider than the text.
            dark: the same picture for readers who have asked for dark pages.
        """
        self._images.append((len(self._parts), Path(path), caption, embed, None if dark is None else Path(dark)))
        below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
        return self._add(f'<figure class="{"wide" if wide else "narrow"}">\0{below}</figure>')

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[object]], caption: str = "") -> Page:
        """A table; numbers stand right, floats with three decimals, NaN and None as a dash.

        Raises:
            ValueError: a row of another length than the headers.
        """
        for i, row in enumerate(rows):
            if len(row) != len(headers):
                raise ValueError(f"rows: expected {len(headers)} cells in row {i}, got {len(row)}")
        head = "".join(f"<th>{html.escape(header)}</th>" for header in headers)
        body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
        under = f"<caption>{html.escape(caption)}</caption>" if caption else ""
        table = f"<table>{under}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        wide = " wide" if len(headers) > 7 else ""
        return self._add(f'<div class="scroll{wide}">{table}</div>')

    def link(self, target: str, text: str, note: str = "") -> Page:
        """A prominent link, such as to a page of :func:`bev3d.viz.write_html`."""
        after = f" <span>{html.escape(note)}</span>" if note else ""
        return self._add(f'<p class="link"><a href="{html.escape(target)}">{html.escape(text)}</a>{after}</p>')

    def code(self, text: str) -> Page:
        """Text as it is, in a fixed-width face: commands, logs."""
        return self._add(f"<pre><code>{html.escape(text)}</code></pre>")

    def render(self, folder: str | os.PathLike[str]) -> str:
        """The page as text, with pictures relative to ``folder``.

        Raises:
            FileNotFoundError: a picture does not exist.
        """
        parts = list(self._parts)
        for index, path, caption, embed, dark in self._images:
            source = _embedded(path) if embed else _relative(path, Path(folder))
            image = f'<img src="{html.escape(source)}" alt="{html.escape(caption)}" loading="lazy">'
            if dark is not None:
                other = _embedded(dark) if embed else _relative(dark, Path(folder))
                for_dark = f'<source srcset="{html.escape(other)}" media="(prefers-color-scheme: dark)">'
                image = f"<picture>{for_dark}{image}</picture>"
            shown = image if embed else f'<a href="{html.escape(source)}">{image}</a>'
            parts[index] = parts[index].replace("\0", shown)
        style = (files("bev3d.viz") / "_report.css").read_text(encoding="utf-8")
        entries = "".join(f'<a href="#{anchor}">{html.escape(name)}</a>' for anchor, name in self._contents)
        title, lead = html.escape(self.title), html.escape(self.lead)
        body = "\n".join(parts)
        return (
            f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
            f"<style>\n{style}</style>\n</head>\n<body>\n<main>\n<header><h1>{title}</h1>"
            f'<p class="lead">{lead}</p><nav>{entries}</nav></header>\n{body}\n</main>\n</body>\n</html>\n'
        )

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the page; it appears whole or not at all.

        Raises:
            FileNotFoundError: a picture does not exist.
        """
        write_text(path, self.render(Path(path).parent))
        return Path(path)

    def _add(self, part: str) -> Page:
        self._parts.append(part)
        return self


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return '<td class="number">–</td>'
    if isinstance(value, float):
        return f'<td class="number">{value:.3f}</td>'
    if isinstance(value, int) and not isinstance(value, bool):
        return f'<td class="number">{value:,}</td>'
    return f"<td>{html.escape(str(value))}</td>"


def _relative(path: Path, folder: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(f"figure: expected an image file, but {path} does not exist")
    return Path(os.path.relpath(path, folder)).as_posix()


def _embedded(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(f"figure: expected an image file, but {path} does not exist")
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
