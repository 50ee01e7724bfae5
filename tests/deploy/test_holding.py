"""The page of what each form can hold is what the exports do."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

from stillmotion.deploy import find_refusals
from stillmotion.deploy.holding import FORMS, write_holdings
from stillmotion.networks import build_network

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def page(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    yield import_module("make_forms")
    sys.modules.pop("make_forms", None)


def cells(text, name):
    (line,) = (line for line in text.splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip().split(" ")[0] for cell in line.strip("|").split("|")[1:]]


def test_its_rows_are_those_of_today(page):
    """Of three networks and of both kinds of classifiers; the slow test writes them all."""
    kept = (DOCS / "networks" / "forms.md").read_text(encoding="utf-8")
    names = {f"[`{name}`]({name}.md)": name for name in ("tinyhar", "gru-4", "feature-net-xs")}
    models = {row: build_network(name, page.SHAPE) for row, name in names.items()} | page.classifiers()
    now = write_holdings(models)
    for name in models:
        assert cells(kept, name) == cells(now, name)
    assert cells(kept, "[`tinyhar`](tinyhar.md)") == ["yes", "no", "no", "no", "yes"]
    assert cells(kept, "[`gru-4`](gru-4.md)")[0] == "yes"
    for line in now.splitlines():
        if line[:1].isdigit():
            assert line.partition(". ")[2] in kept


@pytest.mark.slow
def test_it_is_written_anew_alike(page, tmp_path, monkeypatch):
    kept = page.FILE.read_text(encoding="utf-8")
    monkeypatch.setattr(page, "FILE", tmp_path / "forms.md")
    page.main()
    assert (tmp_path / "forms.md").read_text(encoding="utf-8") == kept


def test_a_refusal_names_layer_and_form():
    refusals = find_refusals(build_network("tinyhar", (48, 2, 3)))
    assert list(refusals) == list(FORMS)
    assert "(Matmul) has no int8 form" in refusals["C and web page, int8"]
    assert refusals["C and web page, float32"] == refusals["ONNX, float32"] == ""
