"""A study trains students for their int8 form where it says so, and refuses networks that have none."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from stillmotion.deploy import read_program
from stillmotion.deploy.program import quantise_program
from stillmotion.errors import UserError
from stillmotion.studies import Networks, Planner, Runner, Teaching, Training, load_study_data, read_study_state
from stillmotion.studies.predict import load_model
from stillmotion.studies.search import Trial
from stillmotion.studies.store import Store
from stillmotion.studies.variants import Variant

from .conftest import SMALL

#: So slow that a run stays where it starts.
INT8 = Variant("kd", teacher="self", training=Training(quantise="int8", learning_rate=1e-7))
STUDY = replace(SMALL, variants=("lm", "mine"), compare=("mine", "lm"), seeds=1, variant={"mine": INT8})


def test_a_student_trained_for_int8_goes_on_from_its_own_network_in_float32(recordings, tmp_path):
    with Runner(STUDY, tmp_path / "study", data=recordings, quiet=True) as made:
        made.run(score_test=True)
    with read_study_state(tmp_path / "study") as state:
        runs = {name: run for (name, _), (run,) in state.reported.items()}
        assert {name: run.quantise for name, run in runs.items()} == {"lm": "", "mine": "int8"}
        assert runs["mine"].teachers == (runs["lm"].id,)
        assert replace(runs["mine"], quantise="").id != runs["mine"].id
        assert replace(runs["mine"], quantise="").fleet_key != runs["mine"].fleet_key
        with closing(Store(tmp_path / "study")) as store:
            (theirs, _), (ours, _) = (store.weights(runs[name].id) for name in ("lm", "mine"))
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
        assert not np.array_equal(ours, theirs)
        data = load_study_data(state.study, data=recordings)
        model, test = load_model(state, runs["mine"]), data.index.folds[0].test
        windows = data.windows.values(test)
        exact = read_program(model)
        np.testing.assert_allclose(exact.run(windows), state.logits([runs["mine"]], "test"), atol=1e-3)
        integers = quantise_program(exact, windows, (2.0**-12,) * windows.shape[2])
        counts = np.rint(windows * 4096).astype(np.int16)
        assert (integers.run(counts).argmax(1) == exact.run(windows).argmax(1)).mean() > 0.9


def test_a_network_without_an_int8_form_is_refused_by_name_before_anything_trains(recordings):
    data = replace(SMALL.data, window=32, hop=32)
    study = replace(SMALL, data=data, networks=Networks("tinyhar", ("mlp",)), training=Training(quantise="int8"))
    data = load_study_data(study, data=recordings)
    with pytest.raises(UserError, match="tinyhar cannot be trained with quantise = 'int8'.*Matmul"):
        Planner(study, data.index).run(Trial("lm", 0, 0, {}, ""))


def test_only_students_can_be_trained_for_int8_and_for_int8_alone():
    with pytest.raises(UserError, match="teachers stay in float32"):
        Teaching(training=Training(quantise="int8"))
    with pytest.raises(UserError, match="quantise.*int4.*int8"):
        Training(quantise="int4")
