"""Every variant has the same number of trials, the first with what is default; draws repeat and stay in range."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stillmotion.studies import Study, count_trials
from stillmotion.studies.search import LATER_SEEDS, next_trials, search_space
from stillmotion.studies.sections import Networks, Range, Search

GRID = {"temperature": (1.0, 2.0, 4.0), "alpha": (0.1, 0.9)}
RATE = {"learning_rate": Range(5e-4, 5e-3, log=True, start=1e-3)}


def searched(**search):
    return Study(name="one", search=Search(**search))


def test_without_a_search_there_is_one_try_with_the_defaults():
    study = searched()
    (only,) = next_trials(study, "rab-kd", 0)
    assert only.hyperparameters == {"alpha": 0.5, "beta": 1.0, "temperature": 4.0}
    assert only.attention == "channel:r=2,spatial:k=5,after=2"
    assert next_trials(study, "lm", 0)[0].attention == ""
    assert next_trials(study, "rab-kd", 0, [(only, 0.5)]) == []


@pytest.mark.parametrize("sampler", ["random", "qmc", "tpe"])
def test_every_variant_has_the_same_number_of_trials_and_starts_from_the_defaults(sampler):
    study = searched(kind="optuna", trials=5, sampler=sampler, hyperparameters=RATE)
    for name, variant in study.all_variants.items():
        trials = next_trials(study, name, 0)
        assert [each.number for each in trials] == [0, 1, 2, 3, 4]
        first = trials[0].hyperparameters
        assert first["learning_rate"] == 1e-3
        for number, given in search_space(study, variant).items():
            assert first[number] == given.start
            values = [each.hyperparameters[number] for each in trials[1:]]
            assert all(given.low <= value <= given.high for value in values)
            assert len(set(values)) == 4
        for number, value in variant.hyperparameters.items():
            assert {each.hyperparameters[number] for each in trials} == {value}


def test_draws_repeat_and_differ_between_variants_and_seeds():
    study = searched(kind="optuna", trials=4, hyperparameters=RATE)
    own, other = next_trials(study, "rb-kd", 0), next_trials(study, "rb-kd", 1)
    assert own == [replace(each, fold=0) for each in other]
    assert own[1].hyperparameters != next_trials(study, "rb-kd-att", 0)[1].hyperparameters
    other = searched(kind="optuna", trials=4, hyperparameters=RATE, seed=1)
    assert next_trials(study, "rb-kd", 0)[1] != next_trials(other, "rb-kd", 0)[1]


def test_a_learning_sampler_goes_where_earlier_rounds_did_well():
    study = searched(kind="optuna", trials=40, sampler="tpe", rounds=4, hyperparameters=RATE)
    told = []
    while trials := next_trials(study, "lm", 0, told):
        assert len(trials) == 10
        told += [(each, -abs(each.hyperparameters["learning_rate"] - 2e-3)) for each in trials]
    assert len(told) == 40

    def distance(part):
        return sum(-score for _, score in part) / len(part)

    assert distance(told[30:]) < 0.7 * distance(told[1:10])


def test_a_failed_try_is_told_to_no_sampler_but_uses_the_budget():
    study = searched(kind="optuna", trials=4, sampler="tpe", rounds=2, hyperparameters=RATE)
    first = next_trials(study, "lm", 0)
    told = [(first[0], None), (first[1], 0.5)]
    assert [each.number for each in next_trials(study, "lm", 0, told)] == [2, 3]


def test_a_grid_is_all_combinations_and_the_plain_student_gets_as_many_seeds():
    study = replace(searched(kind="grid", grid=GRID), networks=Networks(attention=("published",)))
    assert count_trials(study) == 6 * 60
    trials = next_trials(study, "rab-kd", 0)
    assert (
        len({(each.hyperparameters["temperature"], each.hyperparameters["alpha"], each.attention) for each in trials})
        == 360
    )
    assert {each.seed for each in trials} == {0}
    plain = next_trials(study, "lm", 0)
    assert len(plain) == 360
    assert [each.seed for each in plain[:3]] == [0, LATER_SEEDS + 1, LATER_SEEDS + 2]
    assert len({each.seed for each in plain}) == 360
    taught = next_trials(study, "rb-kd", 0)
    assert (
        len({(each.hyperparameters["temperature"], each.hyperparameters["alpha"], each.seed) for each in taught}) == 360
    )


def test_part_of_a_grid_is_drawn_and_holds_the_first_setting():
    study = searched(kind="grid", grid=GRID, trials=3)
    trials = next_trials(study, "rb-kd", 0)
    assert len(trials) == 3
    assert (trials[0].hyperparameters["temperature"], trials[0].hyperparameters["alpha"]) == (1.0, 0.1)
    assert len({tuple(each.hyperparameters.values()) for each in trials}) == 3


def test_attention_is_searched_where_there_is_a_choice():
    both = ("channel:r=2,after=1", "spatial:k=3,after=2")
    study = replace(searched(kind="optuna", trials=12), networks=Networks(attention=both))
    assert {each.attention for each in next_trials(study, "lm-att", 0)} == set(both)
    assert {each.attention for each in next_trials(study, "rb-kd", 0)} == {""}


def test_what_is_fixed_is_not_searched():
    study = searched(kind="optuna", trials=3, hyperparameters=RATE)
    assert set(search_space(study, study.all_variants["rab-kd"])) == {"alpha", "beta", "learning_rate", "temperature"}
    assert set(search_space(study, study.all_variants["rab-kd-no-maps"])) == {"alpha", "learning_rate", "temperature"}
    assert set(search_space(study, study.all_variants["label-smoothing"])) == {"learning_rate", "smoothing"}
    assert set(search_space(study, study.all_variants["lm"])) == {"learning_rate"}
