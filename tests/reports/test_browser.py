"""The page in a browser: nothing is asked of a network, nothing goes wrong, tables sort, variants can be chosen."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser import Browser


@pytest.mark.parametrize(("width", "dark"), [(375, False), (375, True), (1280, False), (1280, True)])
def test_the_page_is_quiet_and_fits(browser: Browser, page: Path, width: int, dark: bool) -> None:
    browser.open(page, width=width, dark=dark)
    assert browser.ask("document.readyState") == "complete"
    assert browser.ask("document.documentElement.scrollWidth") <= width
    assert browser.ask("innerWidth") == width, "the layout grew beyond the device"
    small = (
        """[...document.querySelectorAll('figure svg text')].filter(t => t.getBoundingClientRect().height < 6).length"""
    )
    assert browser.ask(small) == 0, "words in figures are too small to read"
    background = browser.ask("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(20, 24, 29)" if dark else "rgb(254, 254, 254)")
    assert browser.requests() == []
    assert browser.complaints() == []


def test_every_figure_is_there_and_has_words(browser: Browser, page: Path) -> None:
    browser.open(page, width=1280)
    names = {path.stem for path in (page.parent / "figures").glob("*.csv")}
    assert {f"figure-{name}" for name in names} == set(
        browser.ask("[...document.querySelectorAll('figure')].map(f => f.id)")
    )
    empty = """[...document.querySelectorAll('figure svg')].filter(s => {
      const box = s.getBoundingClientRect();
      const said = s.getAttribute('aria-labelledby').split(' ').map(id => document.getElementById(id));
      return box.width < 200 || box.height < 50 || s.getAttribute('role') !== 'img'
        || said.some(part => !part || part.textContent.length < 5) || s.querySelectorAll('path').length < 3;
    }).length"""
    assert browser.ask(empty) == 0
    assert browser.ask("new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size") == browser.ask(
        "document.querySelectorAll('[id]').length"
    ), "an id stands twice"


def test_a_heading_sorts_its_table_both_ways(browser: Browser, page: Path) -> None:
    browser.open(page, width=1280)
    button = "#choice table thead th:nth-child(2) button"
    column = "[...document.querySelectorAll('#choice > .scroll tbody tr')].map(r => Number(r.cells[1].dataset.key))"
    before = browser.ask(column)
    browser.press(button)
    assert browser.ask(column) == sorted(before)
    assert browser.ask(f"document.querySelector('{button}').parentElement.ariaSort") == "ascending"
    browser.ask(f"document.querySelector('{button}').focus()")
    browser.type(Keys.ENTER)
    assert browser.ask(column) == sorted(before, reverse=True)
    assert browser.ask(f"document.querySelector('{button}').parentElement.ariaSort") == "descending"


def test_a_variant_can_be_hidden_and_shown(browser: Browser, page: Path) -> None:
    browser.open(page, width=1280)
    parts = """[...document.querySelectorAll('[data-variant="rab-kd"]')]"""
    unseen = "(s => ['hidden', 'collapse'].includes(s.visibility) || s.display === 'none')(getComputedStyle(e))"
    hidden = f"{parts}.filter(e => {unseen}).length"
    total = browser.ask(f"{parts}.length")
    assert total > 10
    assert browser.ask(hidden) == 0
    browser.press("fieldset input[value=rab-kd]")
    assert browser.ask(hidden) == total
    others = """[...document.querySelectorAll('[data-variant="lm"].hidden')].length"""
    assert browser.ask(others) == 0
    browser.press("fieldset input[value=rab-kd]")
    assert browser.ask(hidden) == 0


def test_pointing_at_a_mark_tells_its_value(browser: Browser, page: Path) -> None:
    browser.open(page, width=1280)
    assert browser.ask("document.getElementById('tip').hidden")
    mark = "#figure-changes [data-tip] path"
    browser.point_at(mark)
    assert not browser.ask("document.getElementById('tip').hidden")
    assert "points" in browser.ask("document.getElementById('tip').textContent")


def test_on_paper_it_is_black_on_white_without_buttons(browser: Browser, page: Path) -> None:
    browser.open(page, width=1000, dark=True, media="print")
    assert browser.ask("getComputedStyle(document.body).backgroundColor") == "rgb(254, 254, 254)"
    assert browser.ask("getComputedStyle(document.querySelector('fieldset')).display") == "none"
