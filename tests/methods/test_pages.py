"""Every method says when to use it, and has a page that was made from what it is now."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from stillmotion.methods import METHODS

PAGES = Path(__file__).parents[2] / "docs" / "methods"


@pytest.mark.parametrize("name", METHODS)
def test_a_method_has_its_file_its_advice_and_its_page(name):
    way, file = METHODS[name], import_module(f"stillmotion.methods.{name.replace('-', '_')}")
    assert getattr(file, name.replace("-", "_").upper()) is way
    assert file.__doc__
    assert way.objective.__doc__
    assert way.objective.__doc__.lstrip().startswith("L = ")
    assert way.when
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    for part in (f"# {name}\n", way.source, way.when, way.objective.__doc__.strip().splitlines()[0]):
        assert part in page
    for number, searched in way.numbers.items():
        assert f"| `{number}` | {searched.default:g} |" in page
    for option, choices in way.options.items():
        assert f"- `{option}`: `{choices[0]}`" in page


def test_there_is_no_page_without_a_method():
    assert {page.stem for page in PAGES.glob("*.md")} == {*METHODS, "index"}


def test_the_overview_leads_to_every_page():
    text = (PAGES / "index.md").read_text(encoding="utf-8")
    assert [name for name in METHODS if f"[`{name}`]({name}.md)" not in text] == []
