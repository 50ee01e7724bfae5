"""The command as a user calls it: exit codes, one-sentence errors, JSON."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest

from stillmotion.cli import main
from stillmotion.evaluation import macro_f1
from stillmotion.signals import get_card
from tests.signals.test_hapt import small

SHAPE = ["--window", "20", "--channels", "3", "--classes", "6"]


@pytest.fixture
def still(capsys):
    def call(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_without_a_command_it_explains_itself(still):
    code, out, _ = still()
    assert code == 0
    assert "COMMAND" in out


def test_data_sets_are_listed_with_licence_and_citation(still, tmp_path):
    code, out, _ = still("datasets", "--data", tmp_path)
    assert code == 0
    for name in ("simulated", "spar", "hapt", "uci-har", "wisdm", "wisdm-2019", "opportunity", "shoaib"):
        assert name in out
    assert "CC BY 4.0" in out
    listed = json.loads(still("datasets", "--json")[1])
    assert {card["name"]: card["subjects"] for card in listed} == {
        "simulated": 24,
        "spar": 10,
        "hapt": 30,
        "uci-har": 30,
        "wisdm": 36,
        "wisdm-2019": 51,
        "opportunity": 4,
        "opportunity-locomotion": 4,
        "shoaib": 10,
    }
    assert all(card["citation"] and card["licence"] for card in listed)


def test_inspect_prints_a_row_for_every_subject_and_json(still, tmp_path):
    small(tmp_path)
    code, out, err = still("inspect", "hapt", "--data", tmp_path)
    assert code == 1  # recordings of a second are not fit to train on
    assert "Not fit to train on" in out
    assert "150 samples, 2 subjects" in out
    assert "part of the set: 3 of 61 recordings" in err
    quality = json.loads(still("inspect", "hapt", "--data", tmp_path, "--json")[1])
    assert [subject["subject"] for subject in quality["subjects"]] == ["1", "2"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["inspect", "hpat"], "Unknown data set 'hpat'. Did you mean 'hapt'?"),
        (["inspect", "hapt"], "--data"),
        (["audit", "simulated", "--protocol", "official"], "simulated has no protocol 'official'"),
        (["audit", "simulated", "--protocol", "subjects:99"], "24 subjects"),
        (["audit", "simulated", "--protocol", "loso", "--window", "0"], "--window must be"),
        (["audit", "simulated", "--protocol", "loso", "--sensors", "ankle"], "Unknown sensor 'ankle'"),
        (["cost", "nope", *SHAPE], "Unknown network 'nope'. Valid: cnn-har"),
        (["cost", "mlp", "--window", "0", *SHAPE[2:]], "window"),
        (["cost", "deepconvlstm-lm", *SHAPE, "--attention", "channel:r=4,after=9"], "no convolution 9"),
        (["cost", "mlp", *SHAPE, "--features", "norms"], "mlp takes no option 'features'"),
        (["cost", "feature-net-xs", *SHAPE, "--features=-1.spectrun"], "Unknown unit of features '1.spectrun'"),
    ],
)
@pytest.mark.usefixtures("simulated_once")
def test_an_error_of_the_user_is_one_sentence_and_exit_code_2(still, arguments, said):
    code, out, err = still(*arguments)
    assert code == 2
    assert out == ""
    assert said in err
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_debug_shows_the_traceback():
    done = subprocess.run(
        [sys.executable, "-m", "stillmotion", "inspect", "hpat", "--debug"], capture_output=True, text=True, check=False
    )
    assert "Traceback" in done.stderr


@pytest.mark.usefixtures("simulated_once")
def test_an_honest_split_is_clean_and_the_published_one_exits_1(still):
    code, out, _ = still("audit", "simulated", "--protocol", "subjects:4")
    assert (code, "Clean" in out) == (0, True)
    code, out, _ = still("audit", "simulated", "--protocol", "published", "--json")
    found = json.loads(out)
    assert (code, found["clean"]) == (1, False)
    assert {"random split", "subjects", "samples"} <= {finding["kind"] for finding in found["findings"]}


def test_cost_prints_the_published_counts_and_json(still):
    code, out, _ = still("cost", "deepconvlstm-lm", *SHAPE)
    assert code == 0
    assert "1,770" in out
    assert "22,998" in out
    found = json.loads(still("cost", "deepconvlstm-lm", *SHAPE, "--json")[1])
    assert (found["params"], found["flops"], found["flops_convolutions"]) == (1770, 22998, 13920)
    assert sum(layer["flops"] for layer in found["layers"]) == found["flops"]
    more = json.loads(still("cost", "deepconvlstm-lm", *SHAPE, "--attention", "channel:r=8,after=4", "--json")[1])
    assert more["params"] == 1770 + 4 + 1 + 4 + 4, "one hidden unit is kept: 4 → 1 → 4 with biases"
    described = json.loads(still("cost", "feature-net-xs", *SHAPE, "--features=norms,time,-*.order", "--json")[1])
    assert described["params"] == (8 - 2) * 6 + 6  # of the only sensor's norm, without median and quartiles


def protocols():
    """Each real set under each of its protocols; the default run asks a subject-wise one and the random one of each."""
    for name in ("hapt", "uci-har", "wisdm-2019"):
        for protocol in get_card(name).protocols:
            asked = "subjects:10" if protocol == "subjects:k" else protocol
            yield pytest.param(name, asked, marks=[] if asked in ("subjects:10", "random") else [pytest.mark.slow])


@pytest.mark.real
@pytest.mark.filterwarnings("ignore::stillmotion.errors.DataWarning")
@pytest.mark.parametrize(("name", "protocol"), list(protocols()))
def test_every_honest_protocol_of_the_real_sets_is_clean_and_published_never(still, real, name, protocol):
    code, out, _ = still("audit", name, "--protocol", protocol, "--data", real(name), "--json")
    found = json.loads(out)
    assert code == (1 if protocol == "random" else 0), found["findings"]
    assert found["clean"] == (code == 0)


QUICK = """
name = "quick"
variants = ["lm", "rb-kd"]
compare = ["rb-kd", "lm"]
controls = false
baselines = []
seeds = 1

[data]
name = "hapt"
rate = 12.5
window = 20
hop = 20
classes = ["WALKING", "SITTING", "STANDING", "LAYING"]

[split]
protocol = "subjects:3"
folds = 1

[networks]
student = "mlp-small"
teacher = "mlp"

[training]
epochs = 3
batch = 32
"""


@pytest.fixture
def quick(tmp_path, recordings):
    """A study of seconds on simulated subjects in HAPT's format: its specification and the folder of recordings."""
    (tmp_path / "quick.toml").write_text(QUICK)
    return tmp_path / "quick.toml", "--data", recordings, "--out", tmp_path / "out"


COPIES = "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"


@pytest.mark.filterwarnings("ignore::stillmotion.errors.DataWarning", COPIES)
def test_a_study_prints_its_table_and_leaves_it_in_files(still, quick, tmp_path):
    code, out, said = still("study", *quick)
    assert code == 0
    assert "teachers: 1 runs in 1 fleet" in said
    assert "test subjects have not been evaluated" in out
    code, out, said = still("study", *quick, "--score-test")
    assert code == 0
    assert "teachers" not in said, "nothing is trained again"
    assert "test-set evaluations: 1" in out
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    with (tmp_path / "out" / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["variant"] for row in found["rows"]] == ["lm", "rb-kd", "mlp"]
    assert len(rows) == 3
    for row, plain in zip(rows, found["rows"], strict=True):
        assert row == {key: "" if value is None else str(value) for key, value in plain.items()}
        assert all(value is None or isinstance(value, str | int | float) for value in plain.values())
    assert [row["kind"] for row in rows] == ["reference", "variant", "teacher"]
    assert found["recommended"] is None, "the interval over three subjects covers most of the range"
    for name, seeds in found["confusion"]["counts"].items():
        (plain,) = (row for row in found["rows"] if row["variant"] == name)
        assert np.mean([macro_f1(counts) for counts in seeds]) == pytest.approx(plain["macro_f1"])
    assert set(found["confusion"]["counts"]) == {"lm", "rb-kd", "mlp"}
    page = (tmp_path / "out" / "results.md").read_text()
    assert f"{100 * found['rows'][1]['macro_f1']:.1f} [" in page
    assert json.loads(still("study", *quick, "--json")[1])["test_evaluations"] == 1


@pytest.mark.filterwarnings("ignore::stillmotion.errors.DataWarning", COPIES)
def test_a_plan_lists_the_fleets_and_trains_nothing(still, quick, tmp_path):
    code, out, _ = still("study", *quick, "--plan", "--json")
    assert code == 0
    lines = json.loads(out)
    assert [(line["phase"], line["what"], line["variants"], line["runs"]) for line in lines] == [
        ("teachers", "lm of mlp", ["rb-kd"], 1),
        ("trials", "lm of mlp-small", ["lm"], 1),
        ("trials", "rb-kd of mlp-small", ["rb-kd"], 1),
        ("ship", "lm of mlp", ["rb-kd"], 1),
        ("ship", "rb-kd of mlp-small", ["rb-kd"], 1),
    ]
    assert all(line["steps"] > 0 and line["seconds"] > 0 for line in lines)
    assert not (tmp_path / "out").exists()
    out = still("study", *quick, "--plan")[1]
    assert "5 runs in 5 fleets" in out
    assert "variants" in out


def test_a_study_that_cannot_be_is_one_sentence(still, tmp_path):
    code, _, said = still("study", "demoo")
    assert code == 2
    assert said.count("\n") == 1
    assert "built-in studies are" in said
    code, _, said = still("study", "attention-distillation", "--data", tmp_path, "--out", tmp_path / "out")
    assert code == 2
    assert "hapt" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("ignore::stillmotion.errors.DataWarning", COPIES)
def test_ctrl_c_says_how_to_go_on(still, quick, monkeypatch):
    from stillmotion.training.progress import Progress

    def stop(self, epoch, *, last=False):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "__call__", stop)
        code, _, said = still("study", *quick)
    assert code == 130
    assert "finished training is kept. Continue with: still" in said
    assert still("study", *quick)[0] == 0


@pytest.mark.slow
@pytest.mark.filterwarnings(COPIES)
def test_the_demo_trains_the_five_variants_and_is_quick_the_second_time(still, tmp_path):
    code, out, _ = still("demo", "--out", tmp_path / "made")
    assert code == 0
    assert "spar: 10 real subjects" in out
    for name in ("lm", "lm-att", "rb-kd", "rb-kd-att", "rab-kd", "feature-net-s", "random-forest", "deepconvlstm-mm"):
        assert name in out
    results = json.loads((tmp_path / "made" / "results.json").read_text())
    rows = {row["variant"]: row for row in results["rows"]}
    assert rows[results["recommended"]]["bytes_int8"] <= 8000
    figure = tmp_path / "made" / "scores.svg"
    assert figure.stat().st_size > 5_000
    assert figure.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert {file.suffix for file in (tmp_path / "made" / "c").iterdir()} == {".c", ".h", ".json"}
    assert "the same as Python's integers" in " ".join(out.split())
    _, again, said = still("demo", "--out", tmp_path / "made")
    assert "teachers" not in said
    assert again == out
