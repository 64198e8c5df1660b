"""The documentation site as ``make docs`` has built it, in a browser: on a phone and a desktop, in light and dark."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev import parameters
from tests.end_to_end.test_connection_form import CHROMIUM, FLAGS

SITE = Path(__file__).parents[2] / "docs" / "_build" / "html"
PAGES = sorted(SITE.glob("**/*.html"))

# The theme lets the whole text scroll sideways if a part of it is too wide. So every part must fit, or be within a
# table, a block of code or a picture that scrolls by itself.
TOO_WIDE = """
[...document.querySelectorAll(".content *")].filter((each) => {
  for (let box = each; !box.matches('.content'); box = box.parentElement) {
    if (["auto", "scroll"].includes(getComputedStyle(box).overflowX)) return false;
  }
  return each.getBoundingClientRect().right > window.innerWidth + 1;
}).map((each) => each.outerHTML.slice(0, 100))
"""

pytestmark = pytest.mark.skipif(not PAGES, reason="needs the site: make docs")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync = pytest.importorskip("playwright.sync_api")
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(390, 844), (1360, 900)], ids=["phone", "desktop"])
def test_every_page_is_complete_without_another_server_and_never_too_wide(
    browser: Any, size: tuple[int, int], scheme: str
) -> None:
    width, height = size
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    for path in PAGES:
        if "_modules" in path.parts:
            continue
        page.goto(path.as_uri())
        for diagram in page.locator("pre.mermaid").all():
            diagram.locator("svg").wait_for()
        assert page.evaluate(TOO_WIDE) == [], path
        light = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert light == (scheme == "light")
    page.close()
    assert asked
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert errors == []


@pytest.mark.browser
def test_the_search_finds_a_parameter(browser: Any) -> None:
    page = browser.new_page()
    page.goto(f"{(SITE / 'search.html').as_uri()}?q=required_share")
    page.locator("#search-results li").first.wait_for()
    assert page.locator("#search-results a", has_text="Parameters of sensors").count() >= 1
    page.close()


def test_other_projects_can_link_to_every_class() -> None:
    inventory = (SITE / "objects.inv").read_bytes().split(b"\n", 4)
    names = {line.split(" ")[0] for line in zlib.decompress(inventory[4]).decode().splitlines()}
    for classes in parameters.public_classes().values():
        for cls in classes:
            assert any(re.fullmatch(rf"airflow_provider_lms\.[\w.]+\.{cls.__name__}", name) for name in names), cls
