from html.parser import HTMLParser
from pathlib import Path

import pytest
from viz_scenes import empty

from bev3d.viz import Page, bev_figure, save_figure

VOID = {"meta", "img", "br", "link", "source"}


class Balance(HTMLParser):
    """Fails where an end tag closes another element than the one that is open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_page_with_everything(tmp_path: Path) -> None:
    picture = save_figure(bev_figure(empty()), tmp_path / "pictures" / "bev.png", dpi=40)
    page = Page("Demo", "What it is.").facts([("mAP", "0.31")])
    page.section("Score", "First.\n\nSecond.").table(
        ["class", "AP", "boxes"], [["car", 0.5, 1234], ["bus", float("nan"), None]]
    )
    page.section("Pictures").figure(picture, "From above").figure(picture, embed=True, wide=False)
    page.link("viewer.html", "Open", "in 3D").code("make demo")
    text = page.write(tmp_path / "index.html").read_text()
    balance = Balance()
    balance.feed(text)
    assert balance.open == []
    assert '<img src="pictures/bev.png" alt="From above"' in text
    assert "data:image/png;base64," in text
    assert "<p>First.</p>\n<p>Second.</p>" in text
    assert '<td class="number">0.500</td><td class="number">1,234</td>' in text
    assert text.count('<td class="number">–</td>') == 2
    assert '<a href="#s2">Pictures</a>' in text
    assert "http" not in text
    assert "\0" not in text


def test_every_text_is_escaped(tmp_path: Path) -> None:
    evil = '<b title="x">&'
    page = Page(evil, evil).section(evil, evil).facts([(evil, evil)]).table([evil], [[evil]], evil)
    text = page.link(evil, evil, evil).code(evil).render(tmp_path)
    assert "<b" not in text.replace("<body", "")
    assert text.count("&lt;b title=") == 15


def test_a_missing_picture_leaves_no_page(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"figure: expected an image file, but .*nowhere\.png does not exist"):
        Page("x").figure(tmp_path / "nowhere.png").write(tmp_path / "index.html")
    assert list(tmp_path.iterdir()) == []


def test_a_row_of_the_wrong_length_is_named() -> None:
    with pytest.raises(ValueError, match="rows: expected 2 cells in row 1, got 3"):
        Page("x").table(["a", "b"], [[1, 2], [1, 2, 3]])


@pytest.mark.parametrize("embed", [False, True])
def test_a_picture_for_dark_pages(tmp_path: Path, embed: bool) -> None:
    light, dark = (
        save_figure(bev_figure(empty(), theme=theme), tmp_path / f"{theme}.png", dpi=40) for theme in ("light", "dark")
    )
    text = Page("x").figure(light, "both", embed=embed, dark=dark).render(tmp_path)
    balance = Balance()
    balance.feed(text)
    assert balance.open == []
    assert 'media="(prefers-color-scheme: dark)"' in text
    assert text.count("data:image/png;base64,") == (2 if embed else 0)
    assert ('srcset="dark.png"' in text) is not embed
    with pytest.raises(FileNotFoundError, match=r"nowhere\.png does not exist"):
        Page("x").figure(light, dark=tmp_path / "nowhere.png", embed=embed).render(tmp_path)
