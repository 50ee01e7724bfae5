"""A budget in bytes: what is recommended fits, and was selected on validation subjects."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest

from stillmotion.bundles import Bundle
from stillmotion.cli import main
from stillmotion.errors import DataWarning, UserError
from stillmotion.evaluation import Interval
from stillmotion.networks import build_network, network_cost
from stillmotion.reports.report import write_report
from stillmotion.studies import (
    VARIANTS,
    Data,
    Networks,
    Results,
    Row,
    Split,
    Study,
    Training,
    Variant,
    load_study_data,
    parse_budget,
    read_study,
    recommend,
)
from stillmotion.studies.candidates import leave_out_too_large

from .conftest import small_index

SCORE = Interval(0.8, 0.7, 0.9, 9, 0.95)


@pytest.mark.parametrize(
    ("text", "size"), [("8kB", 8000), ("8 KiB", 8192), ("1.5kib", 1536), ("4096", 4096), ("2MB", 2_000_000), ("", None)]
)
def test_a_budget_is_read_in_bytes(text, size):
    assert parse_budget(text) == size


@pytest.mark.parametrize("text", ["8 apples", "-3kB", "kB", "0", "1e9MB", "∞", "99999999MiB"])
def test_what_is_no_budget_is_refused_when_the_specification_is_read(text):
    with pytest.raises(UserError, match="A budget is a size such as 8kB"):
        Study(name="one", budget=text)


def test_under_a_budget_the_best_epoch_of_one_variant_is_not_compared_with_the_last_of_another():
    mine = {"small": Variant("lm", network="feature-net-xs", training=Training(keep="last"))}
    mixed = {"name": "one", "variants": ("feature-net-s", "small"), "controls": False, "variant": mine}
    with pytest.raises(UserError) as refused:
        Study(**mixed, budget="8kB")
    assert "feature-net-s keeps the best epoch and small keeps the last epoch" in str(refused.value)
    # One choice for all is none to refuse, whoever makes it, and without a budget nothing is chosen by that score.
    Study(**mixed, budget="8kB", training=Training(keep="last"))
    Study(**mixed)
    Study(**{**mixed, "variants": ("small",)}, budget="8kB")
    # The control is compared too.
    with pytest.raises(UserError, match="lm keeps the best epoch and small keeps the last"):
        Study(**{**mixed, "variants": ("small",), "controls": True}, budget="8kB")


def row(name, kind, size, validation, test):
    score = replace(SCORE, score=test)
    return Row(name, "", kind, parameters=9, bytes=4 * size, bytes_int8=size, validation=validation, macro_f1=score)


def test_validation_subjects_choose_among_what_fits_and_test_subjects_never():
    rows = [
        row("small", "reference", 2000, 0.80, 0.90),
        row("middle", "variant", 7000, 0.90, 0.70),
        row("large", "variant", 9000, 0.99, 0.99),
        row("regression", "baseline", 6000, 0.85, 0.85),
        row("teacher", "teacher", 100, 1.0, 1.0),
    ]
    assert recommend(rows, budget=8000).row.variant == "middle"
    assert [each.variant for each in recommend(rows, budget=8000).baselines] == ["regression"]
    assert recommend(rows, budget=6500).row.variant == "regression"
    assert recommend(rows, budget=5000).row.variant == "small"
    # Where windows are decoded in sequence, that score decides, as the model will answer so.
    in_sequence = dict(zip(("small", "middle", "regression"), (0.95, 0.92, 0.91), strict=True))
    decoded = [replace(each, validation_in_sequence=in_sequence.get(each.variant)) for each in rows]
    assert recommend(decoded, budget=8000).row.variant == "small"
    assert recommend(rows, budget=1000) == replace(recommend([], budget=1000), reason="too large")
    assert recommend([], budget=1000).reason == "none"


def test_a_study_recommends_ships_and_explains_what_fits(runner, recordings, capsys, monkeypatch):
    # The interval over so few subjects is wide, for which a recommendation is withheld elsewhere.
    monkeypatch.setattr(import_module("stillmotion.studies.recommend"), "WIDEST", 1.0)
    features = {name: Variant("lm", network=name, training=Training(epochs=2)) for name in ("feature-net-xs",)}
    made = runner(
        variants=("lm", "feature-net-xs"),
        compare=(),
        variant=features,
        seeds=1,
        baselines=("majority",),
        budget="4kB",
    )
    results = made.run(score_test=True)
    rows = {each.variant: each for each in results.rows}
    for name, network in (("lm", "mlp-small"), ("feature-net-xs", "feature-net-xs")):
        cost = network_cost(build_network(network, made.planner.index.spec))
        assert rows[name].bytes_int8 == cost.weight_bytes_int8
    assert rows["lm"].bytes_int8 > 4000 > rows["feature-net-xs"].bytes_int8
    assert results.recommended == "feature-net-xs"
    assert Bundle.open(made.folder / "models" / "best").provenance["variant"] == "feature-net-xs"
    text = write_report(made.folder).read_text(encoding="utf-8")
    assert "Take feature-net-xs: of the models within 4kB it scores highest on validation subjects" in text
    made.close()
    # Another budget trains nothing, and may fit nothing.
    spec = made.folder / "study.toml"
    call = ["study", str(spec), "--out", str(made.folder), "--data", str(recordings), "--continue", "--json"]
    assert main([*call, "--budget", "100B"]) == 0
    assert json.loads(capsys.readouterr().out)["recommended"] == "majority"
    assert main([*call, "--budget", "2B"]) == 0
    assert json.loads(capsys.readouterr().out)["recommended"] is None
    text = write_report(made.folder).read_text(encoding="utf-8")
    assert "No model fits into 2B: the smallest, majority, stores" in text


def candidates(**changes):
    sizes = {f"feature-net-{size}": Variant("lm", network=f"feature-net-{size}") for size in ("xs", "m")}
    return Study(name="one", **{"variants": tuple(sizes), "compare": (), "controls": False, **changes}, variant=sizes)


def test_variants_with_networks_of_their_own_that_are_too_large_are_left_out_before_training():
    spec = small_index().spec
    small, large = (network_cost(build_network(f"feature-net-{size}", spec)).weight_bytes_int8 for size in ("xs", "m"))
    assert small < large
    study = candidates(budget=f"{large - 1}B")
    assert leave_out_too_large(study, spec).variants == ("feature-net-xs",)
    assert leave_out_too_large(replace(study, budget=f"{large}B"), spec).variants == study.variants
    assert leave_out_too_large(replace(study, budget=""), spec).variants == study.variants
    # What is compared, and the student of the study, are not there for the budget alone.
    compared = candidates(budget=f"{small}B", compare=("feature-net-m", "feature-net-xs"))
    assert leave_out_too_large(compared, spec).variants == compared.variants
    student = candidates(budget="1B", variants=("lm", "feature-net-xs"), networks=Networks("deepconvlstm-lm"))
    assert leave_out_too_large(student, spec).variants == ("lm",)
    with pytest.raises(UserError, match=f"fits into {small - 1}B: the smallest, feature-net-xs, stores {small:,} byte"):
        leave_out_too_large(replace(study, budget=f"{small - 1}B"), spec)


def test_classes_without_a_window_are_named(recordings):
    study = Study(name="one", data=Data("hapt", rate=12.5, window=20, hop=20), split=Split("subjects:3"))
    counts = np.bincount(load_study_data(study, data=recordings).index.labels, minlength=12)
    assert (counts == 0).any()
    with pytest.warns(DataWarning, match=f"{(counts == 0).sum()} of 12 classes have no window: .*LIE_TO_STAND"):
        load_study_data(study, data=recordings)


def test_a_variant_has_its_own_training_where_it_says_so(runner):
    own = Variant("lm", network="mlp-small", training=Training(epochs=7, augment={"jitter": 0.1}))
    made = runner(variants=("lm", "own"), compare=(), variant={"own": own})
    runs = {trial.variant: made.planner.run(trial) for trials in made.state.trials.values() for trial in trials}
    assert (runs["lm"].recipe["epochs"], runs["own"].recipe["epochs"]) == (3, 7)
    assert (runs["lm"].recipe["augment"], runs["own"].recipe["augment"]) == ((), ("jitter",))
    assert (runs["own"].recipe["batch"], runs["own"].hyperparameters) == (32, {"jitter": 0.1})
    with pytest.raises(UserError, match=r"warmup in .training. must be at least 0 and below 1, not 2"):
        Study(name="one", variants=("own",), compare=(), variant={"own": replace(own, training=Training(warmup=2.0))})


def test_the_best_student_is_searched_among_networks_that_fit():
    study = read_study("best-student", "budget=64kB")
    assert parse_budget(study.budget) == 64_000
    assert {"feature-net-xs", "hybrid-net-s", "gru-8"} <= set(study.all_variants)
    assert study.training_of(VARIANTS["feature-net-s"]) == study.training_of(study.all_variants["feature-net-s-kd"])


def test_rows_become_a_table_of_pandas_where_it_is_there(monkeypatch):
    results = Results("one", "data", "lm", "loso", False, 9, rows=(row("lm", "reference", 2000, 0.8, 0.9),))
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=list))
    (values,) = results.to_pandas()
    assert (values["variant"], values["bytes_int8"], values["macro_f1"]) == ("lm", 2000, 0.9)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UserError, match="needs pandas"):
        results.to_pandas()
