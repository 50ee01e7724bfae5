"""A specification is short, typed, and every wrong word in it is named with its place."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from stillmotion.errors import UserError
from stillmotion.studies import VARIANTS, Study, built_in, count_trials, read_study
from stillmotion.studies.sections import Data, Range, Search
from stillmotion.studies.spec import published_attentions
from stillmotion.training import PUBLISHED, Recipe


def written(tmp_path, text):
    path = tmp_path / "study.toml"
    path.write_text(text)
    return path


def test_what_is_not_said_is_default(tmp_path):
    study = read_study(written(tmp_path, 'name = "mine"\n[data]\nname = "hapt"\n'))
    assert study == Study(name="mine", data=Data("hapt"))
    assert study.to_toml(changed=True) == 'name = "mine"\n\n[data]\nname = "hapt"\n'


def test_a_study_survives_its_written_form_whole_and_as_differences(tmp_path):
    for name in built_in():
        study = read_study(name)
        for changed in (True, False):
            assert read_study(written(tmp_path, study.to_toml(changed=changed))) == study


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[dta]\n", r"key in .*study.toml 'dta'. Did you mean 'data'"),
        ("[data]\nwidth = 3\n", r"key in data in .* 'width'.*Valid: name, sensors"),
        ("[data]\nwindow = 'long'\n", r"window in \[data\] must be a number of samples or seconds"),
        ("seeds = 0\n", "seeds in .* must be at least 1 .*, not 0"),
        ('variants = ["lm", "rbkd"]\n', "variant in variants 'rbkd'. Did you mean 'rb-kd'"),
        ("variants = 3\n", "variants in .* must be a list, not 3"),
        ('compare = ["lm"]\n', "compare must name a variant and its reference"),
        ('[networks]\nstudent = "deepconvlstm"\n', "network 'deepconvlstm'.*Valid: .*deepconvlstm-lm"),
        ('[networks]\nattention = ["channel:q=2"]\n', "Cannot read 'channel:q=2'"),
        ('[search]\nkind = "optuna"\n', "trials in .search. must be at least 1"),
        ('[search]\nkind = "grid"\n', r"grid search needs.*\[search\.grid\]"),
        (
            "[search.hyperparameters.beta]\nlow = 5\nhigh = 1\n",
            "beta.*low 5.*high 1",
        ),
        (
            "[search.hyperparameters.omega]\nlow = 1\nhigh = 2\n",
            r"hyperparameter in \[search.hyperparameters\] 'omega'.*beta",
        ),
        ('[teaching]\ntargets = "cross"\n', "'cross'. Did you mean 'cross-fit'"),
        ('[variant.mine]\nmethod = "hint"\n', "method 'hint'.*rb-kd"),
        ('[variant.mine]\nmethod = "lm"\nteacher = "om"\n', "teacher of a variant 'om'.*plain"),
        ('[training]\nselect = "f1"\n', "select 'f1'. Valid: macro-f1, accuracy"),
        ("[training]\nepochs = 1.5\n", "epochs in training .* must be a whole number, not 1.5"),
        ("name 3\n", "is not TOML"),
    ],
)
def test_a_wrong_specification_is_one_sentence_with_the_place(tmp_path, text, said):
    with pytest.raises(UserError, match=said) as caught:
        read_study(written(tmp_path, text if text.startswith("name 3") else f'name = "mine"\n{text}'))
    assert "\n" not in str(caught.value)


def test_a_study_without_a_name_or_a_file_says_so(tmp_path):
    with pytest.raises(UserError, match="lacks the required key name"):
        read_study(written(tmp_path, "seeds = 3\n"))
    with pytest.raises(
        UserError, match=r"no study 'demos'; built-in studies are attention-distillation, best-student, demo, "
    ):
        read_study("demos")
    with pytest.raises(UserError, match="specification .* does not exist"):
        read_study(tmp_path / "nothing.toml")


def test_a_variant_of_ones_own_may_change_a_built_in_one(tmp_path):
    text = 'name = "mine"\nvariants = ["rab-kd", "strict"]\n[variant.rab-kd]\nhyperparameters = {temperature = 2.0}\n'
    text += '[variant.strict]\nmethod = "rb-kd"\nteacher = "plain"\nnetwork = "mlp"\n'
    study = read_study(written(tmp_path, text))
    assert study.all_variants["rab-kd"] == replace(VARIANTS["rab-kd"], hyperparameters={"temperature": 2.0})
    assert study.all_variants["strict"].network == "mlp"


def test_controls_and_the_variant_without_maps_are_always_in_the_table():
    names = list(Study(name="one", variants=("rab-kd",)).all_variants)
    assert names == ["lm", "rab-kd", "rab-kd-no-maps", "label-smoothing", "self-distillation"]
    assert VARIANTS["rab-kd-no-maps"].hyperparameters == {"beta": 0.0}
    alone = Study(name="one", variants=("rb-kd",), compare=(), controls=False)
    assert list(alone.all_variants) == ["rb-kd"]


def test_the_published_recipe_is_taken_unless_something_else_is_said(tmp_path):
    study = read_study(written(tmp_path, 'name = "p"\npublished = true\n[teaching.training]\nepochs = 20\n'))
    assert study.student_training.recipe(published=True) == PUBLISHED
    assert study.teacher_training.recipe(published=True) == replace(PUBLISHED, epochs=20)
    assert Study(name="q").student_training.recipe() == Recipe()


def test_the_sources_60_attention_configurations():
    made = published_attentions()
    assert len(set(made)) == 60
    assert sum("channel" in one and "spatial" in one for one in made) == 36
    for r, k, after in product((2, 4, 8), (3, 5, 7), (1, 2, 3, 4)):
        assert f"channel:r={r},spatial:k={k},after={after}" in made


def test_a_range_holds_its_start():
    with pytest.raises(UserError, match="start of a range must lie between low 1 and high 2"):
        Range(1, 2, start=3)
    with pytest.raises(UserError, match="must be above 0"):
        Range(0, 2, log=True)
    with pytest.raises(UserError, match="rounds"):
        Search(kind="optuna", trials=3, rounds=4)


def test_single_values_are_changed_from_outside():
    study = read_study(
        "demo", "seeds=5", 'split.protocol="loso"', "networks.student=mlp", "training.augment.jitter=0.1"
    )
    assert (study.seeds, study.split.protocol, study.networks.student) == (5, "loso", "mlp")
    assert study.training.augment == {"jitter": 0.1}
    assert read_study("demo").seeds == 1
    with pytest.raises(UserError, match="must be NAME=VALUE"):
        read_study("demo", "seeds")
    with pytest.raises(UserError, match="name in name.first must be a section"):
        read_study("demo", "name.first=1")
    with pytest.raises(UserError, match="Did you mean 'seeds'"):
        read_study("demo", "seed=1")


@pytest.mark.parametrize("name", ["opportunity", "wisdm", "sensors"])
def test_the_published_studies_are_the_sources_grids_with_equal_budgets(name):
    study = read_study(f"published-{name}")
    assert study.published
    assert study.split.protocol == "published"
    assert len(study.attentions) == 60
    assert len(study.search.grid["temperature"]) * len(study.search.grid["alpha"]) == 63
    assert count_trials(study) == 63
    assert count_trials(read_study(f"published-{name}", "search.trials=0")) == 3780


@pytest.mark.parametrize(
    ("text", "old", "place", "new"),
    [
        ("[search]\ntries = 3\n", "tries", "search", "trials"),
        ("[search.numbers.learning_rate]\nlow = 1e-4\nhigh = 1e-2\n", "numbers", "search", "hyperparameters"),
        ("[variant.lm]\nnumbers = {}\n", "numbers", "lm", "hyperparameters"),
    ],
)
def test_a_renamed_key_is_refused_with_its_new_name(tmp_path, text, old, place, new):
    with pytest.raises(UserError, match=rf"key {old} in {place}.* is now called {new}"):
        read_study(written(tmp_path, f'name = "mine"\n{text}'))
