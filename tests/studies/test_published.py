"""The sources' three studies run on bytes in the publishers' formats, with the published shapes and sizes."""

from __future__ import annotations

import pytest

from stillmotion.studies import Runner, read_study
from tests.publishers.write_opportunity import write_opportunity
from tests.publishers.write_shoaib import write_shoaib
from tests.publishers.write_wisdm import write_wisdm

from .test_runner import rows_of

#: Writer and folder, (T, D, C), parameters of LM and OM.
SETS = {
    "opportunity": (write_opportunity, "opportunity", (30, 45, 17), 9_037, 816_337),
    "wisdm": (write_wisdm, "wisdm", (20, 3, 6), 1_770, 393_030),
    "sensors": (write_shoaib, "shoaib", (50, 45, 7), 7_987, 1_414_087),
}
REDUCED = (
    "search.trials=1",
    "training.epochs=1",
    "controls=false",
    "baselines=[]",
    "split.protocol=subjects:2",
    "split.folds=1",
)


def reduced(tmp_path, name, *more):
    write, folder, *_ = SETS[name]
    write(tmp_path / folder, subjects=4, minutes=3)
    study = read_study(f"published-{name}", *REDUCED, *more)
    return Runner(study, tmp_path / "study", data=tmp_path, quiet=True)


@pytest.mark.parametrize(
    "name", [name if name == "wisdm" else pytest.param(name, marks=pytest.mark.slow) for name in SETS]
)
def test_the_published_shape_and_size_of_the_student(name, tmp_path):
    _, _, (time, channels, classes), light, _ = SETS[name]
    made = reduced(tmp_path, name, 'variants=["lm"]', "compare=[]")
    spec = made.study_data.windows.spec
    assert (spec.window, spec.hop, len(spec.channels)) == (time, time, channels)
    (row,) = made.run().rows
    if len(spec.classes) == classes:
        assert row.parameters == light
    (trial,) = made.state.trials["lm", 0]
    assert made.planner.run(trial).recipe["select"] == "accuracy"


@pytest.mark.slow
@pytest.mark.parametrize("name", list(SETS))
def test_a_published_study_runs_from_its_bytes_to_its_table(name, tmp_path):
    _, _, _, light, large = SETS[name]
    results = reduced(
        tmp_path,
        name,
        'networks.attention=["channel:r=2,spatial:k=3,after=2"]',
        "teaching.training.epochs=3",
    ).run(score_test=True)
    rows = rows_of(results)
    assert rows["lm"].parameters == light
    assert rows["deepconvlstm-om"].parameters == large
    assert {"lm", "lm-att", "rb-kd", "rb-kd-att", "rab-kd", "rab-kd-no-maps"} <= set(rows)
    assert rows["lm"].macro_f1 is not None
