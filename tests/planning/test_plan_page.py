"""The page of a plan in a real Chromium: drawn, readable, silent, and asking nobody for anything."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from binwright_clients.cli.plan_report import plan_page
from binwright_optimizer.model.forecast import Band
from binwright_optimizer.model.offers import USUAL_OFFERS
from binwright_optimizer.planning.planner import make_plan
from chromium import Chromium, installed
from plan_cases import forecast, market

PROGRAM = installed()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium here: make browser installs one as root")

WIDE, NARROW = 1200, 360


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four quarters of growing, uncertain demand with four commitments on offer; no solve takes a second."""
    bands = [Band(40 + 4 * at, 46 + 4 * at, 60 + 5 * at) for at in range(4)]
    found = make_plan(forecast(bands, USUAL_OFFERS), catalogs=market(c4=0.10, c16=0.36))
    path = tmp_path_factory.mktemp("page") / "plan.html"
    path.write_text(plan_page(found, "Capacity plan for demand.yaml"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    assert PROGRAM is not None, "without it all is skipped"
    with Chromium(PROGRAM, tmp_path_factory.mktemp("chromium")) as running:
        yield running


BOXES = """
[...document.querySelectorAll("svg")].map(svg => [...svg.querySelectorAll("%s")].map(one => {
  const box = one.getBoundingClientRect(), frame = svg.getBoundingClientRect();
  return {text: one.textContent, left: box.left, right: box.right, top: box.top, bottom: box.bottom,
          inside: box.left >= frame.left - 0.5 && box.right <= frame.right + 0.5
               && box.top >= frame.top - 0.5 && box.bottom <= frame.bottom + 0.5};
}))
"""


def boxes(tab: Any, kind: str) -> list[list[dict[str, Any]]]:
    """Boxes on the screen of the elements of each chart."""
    found: list[list[dict[str, Any]]] = tab.value(BOXES % kind)
    return found


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_every_chart_is_drawn_and_no_label_covers_another(browser: Chromium, page: Path, width: int) -> None:
    tab = browser.open(page, width=width)
    charts = boxes(tab, "rect:has(title)")
    assert len(charts) == 4
    for bars in charts:
        assert any(bar["bottom"] - bar["top"] > 20 for bar in bars), "no bar is drawn"
        assert all(bar["inside"] for bar in bars)
    for texts in boxes(tab, "text"):
        assert all(text["inside"] for text in texts), [t["text"] for t in texts if not t["inside"]]
        for one, other in combinations(texts, 2):
            beside = one["right"] <= other["left"] or other["right"] <= one["left"]
            above = one["bottom"] <= other["top"] + 1 or other["bottom"] <= one["top"] + 1
            assert beside or above, (one, other)


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_page_is_never_wider_than_the_window(browser: Chromium, page: Path, width: int) -> None:
    tab = browser.open(page, width=width)
    assert tab.value("document.documentElement.scrollWidth") <= width


def test_labels_can_be_read_on_a_telephone(browser: Chromium, page: Path) -> None:
    tab = browser.open(page, width=NARROW)
    heights = [text["bottom"] - text["top"] for texts in boxes(tab, "text") for text in texts]
    assert min(heights) >= 9


def test_page_asks_for_nothing_but_itself_and_complains_of_nothing(browser: Chromium, page: Path) -> None:
    tab = browser.open(page)
    assert tab.requests == [page.absolute().as_uri()]
    assert tab.complaints == []


def test_request_or_mistake_would_be_noticed(browser: Chromium, tmp_path: Path) -> None:
    """The browser's own check: what the test above must not see is seen where it is."""
    page = tmp_path / "bad.html"
    page.write_text('<img src="missing.png"><script>undefinedName()</script>', encoding="utf-8")
    tab = browser.open(page)
    assert any(request.endswith("missing.png") for request in tab.requests)
    assert any("Uncaught" in complaint for complaint in tab.complaints)


def test_text_stands_out_in_the_dark_too(browser: Chromium, page: Path) -> None:
    """Contrast of 4.5 to 1 and more, as the Web Content Accessibility Guidelines ask (WCAG 2.2, 1.4.3)."""
    for dark in (False, True):
        tab = browser.open(page, dark=dark)
        text, ground = tab.value(
            """(() => {
              const shown = getComputedStyle(document.body), canvas = document.createElement("canvas");
              const paint = canvas.getContext("2d", {willReadFrequently: true});
              const light = colour => {
                paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1);
                const [r, g, b] = [...paint.getImageData(0, 0, 1, 1).data].map(v => {
                  const s = v / 255; return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
                });
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
              };
              return [light(shown.color), light(shown.backgroundColor)];
            })()"""
        )
        lighter, darker = max(text, ground), min(text, ground)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def test_commitments_nodes_and_prices_are_on_the_page(browser: Chromium, page: Path) -> None:
    text = browser.open(page).value("document.body.innerText")
    for part in ("Cost by period", "3 years, all upfront", "2027-Q4", "c16\ton-demand", "2026-01-01"):
        assert part in text
