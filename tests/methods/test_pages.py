"""Every method says when to use it, and its page in the documentation is up to date."""

from __future__ import annotations

import json
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from stillmotion.methods import METHODS
from stillmotion.networks import list_networks

from .test_arrows import CASES

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
    for number, searched in way.hyperparameters.items():
        assert f"| `{number}` | {searched.default:g} |" in page
    for option, choices in way.options.items():
        assert f"- `{option}`: `{choices[0]}`" in page


@pytest.mark.parametrize("name", METHODS)
def test_a_page_says_where_the_method_differs_from_published_code(name):
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    _, _, differs = page.partition("Where this differs from the published code:")
    assert differs.strip(), "write it into the file's docstring: 'nowhere' only where it was checked"


def test_pages_of_networks_with_attention_say_where_it_differs_from_published_code():
    attended = [entry.name for entry in list_networks() if "attention" in entry.options]
    assert attended
    for name in attended:
        page = (PAGES.parent / "networks" / f"{name}.md").read_text(encoding="utf-8")
        assert "Where this differs from the published code" in page
        assert "batch norm" in page


@pytest.mark.parametrize("name", METHODS)
def test_a_page_denies_auxiliary_parameters_only_where_there_are_none(name):
    shapes = [{tap: values.shape[1:] for tap, values in tree.items()} for tree in CASES[name][1]]
    trained = METHODS[name].init_aux_params(*shapes, 0)
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert "## Auxiliary parameters" in page
    assert ("The method trains no auxiliary parameters." in page) == (not trained)
    assert ("| 0 |" in page) <= (not trained)


def test_ofa_s_page_counts_a_classifier_for_every_stage_of_the_student():
    page = (PAGES / "ofa.md").read_text(encoding="utf-8")
    assert f"| resnet-lstman | mlp | {3 * (500 + 1) * 12:,} |" in page, "three stages of 500 features to 12 classes"


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_a_page_is_what_the_method_is_now(name, monkeypatch):
    monkeypatch.syspath_prepend(PAGES.parent)
    made = import_module("make_methods").page(METHODS[name])
    assert (PAGES / f"{name}.md").read_text(encoding="utf-8") == made


def test_there_is_no_page_without_a_method():
    assert {page.stem for page in PAGES.glob("*.md")} == {*METHODS, "index"}


def test_the_overview_leads_to_every_page():
    text = (PAGES / "index.md").read_text(encoding="utf-8")
    assert [name for name in METHODS if f"[`{name}`]({name}.md)" not in text] == []


@pytest.fixture
def results(tmp_path, monkeypatch):
    """docs/method_results.py on a study and a bench of a few rows."""
    spec = spec_from_file_location("method_results", PAGES.parent / "method_results.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    return module


def interval(score, low, high):
    return {"score": score, "low": low, "high": high}


def written(folder):
    def row(variant, score, gain, *, kind="variant", verdict="not distinguishable", failed=0):
        scores = dict(zip(("macro_f1", "low", "high"), score, strict=True))
        gains = dict(zip(("gain", "gain_low", "gain_high"), gain, strict=True))
        return {"variant": variant, "kind": kind, "verdict": verdict, "failed": failed, **scores, **gains}

    nothing = (None, None, None)
    rows = [
        row("lm", (0.7, 0.6, 0.8), nothing, kind="reference", verdict=""),
        row("rb-kd-att", (0.6, 0.5, 0.7), (-0.1, -0.2, 0.1)),
        row("hmkd", (0.72, 0.62, 0.81), (0.02, -0.01, 0.05)),
        row("hmkd-even", (0.71, 0.61, 0.8), (0.01, -0.02, 0.04)),
        row("at", nothing, nothing, verdict="", failed=3),
        row("resnet-lstman", (0.8, 0.7, 0.9), nothing, kind="teacher"),
    ]
    beside = {"variant": "hmkd", "teacher": "resnet-lstman", "score": interval(0.79, 0.7, 0.9)}
    teachers = [{**beside, "alone": interval(0.8, 0.7, 0.9), "change": interval(-0.01, -0.03, 0.02)}]
    found = {"protocol": "official", "subjects": 9, "rows": rows, "co_trained_teachers": teachers}
    place = folder / "mutual-distillation-hapt-mlp"
    place.mkdir()
    (place / "results.json").write_text(json.dumps(found), encoding="utf-8")
    (place / "study.toml").write_text('[networks]\nstudent = "mlp"\nteacher = ["resnet-lstman"]\n', encoding="utf-8")


def test_a_page_says_what_came_of_a_method_and_of_its_teacher(results, tmp_path):
    assert results.measured(METHODS["hmkd"]) == []
    results.studies.cache_clear()
    written(tmp_path)
    text = "\n".join(results.measured(METHODS["hmkd"]))
    assert "`mlp` from `resnet-lstman`, protocol `official`, 9 test subjects:" in text
    assert "| `hmkd` | 72.0 [62.0, 81.0] | +2.0 [−1.0, +5.0] | not distinguishable |" in text
    assert "| `hmkd-even` | 71.0 [61.0, 80.0] | +1.0 [−2.0, +4.0] |" in text
    assert "79.0 % [70.0, 90.0]; trained alone 80.0 % [70.0, 90.0], a change of −1.0 points [−3.0, +2.0]." in text
    assert "rb-kd-att" not in "\n".join(results.measured(METHODS["rb-kd"]))
    assert "| `at` | – | – | failed |" in "\n".join(results.measured(METHODS["at"]))
    assert "| `mlp` from `resnet-lstman` |\n" in results.overview()
    assert "| +2.0 [−1.0, +5.0] |\n" in f"{results.overview()}\n"


def test_a_page_says_what_a_step_costs(results, tmp_path):
    (tmp_path / "bench").mkdir()
    pair = {"student": "mlp", "teacher": "resnet-lstman"}
    times = {"milliseconds": 10.0, "plain": 8.0, "ratio": 1.25, "low": 1.2, "high": 1.3, "goal": "≤ 1.15×", "met": "no"}
    rows = [
        {**pair, "method": "lm", **times},
        {**pair, "method": "kd", **times},
        {**pair, "method": "at", "note": "no"},
    ]
    (tmp_path / "bench" / "methods.json").write_text(json.dumps({"rows": rows}), encoding="utf-8")
    row = "| `mlp` | `resnet-lstman` | 10 | 8 | 1.25 [1.20, 1.30] | ≤ 1.15×: missed |"
    assert row in results.cost(METHODS["kd"])[-1]
    same = results.cost(METHODS["takd"])
    assert same[1].endswith("The objective is that of `kd`, which was measured.")
    assert row in same[2]
    assert "refused" in results.cost(METHODS["at"])[-1]
    assert results.cost(METHODS["lm"]) == results.cost(METHODS["vid"]) == []
