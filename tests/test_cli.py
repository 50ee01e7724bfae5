"""The command as a user calls it: exit codes, one-sentence errors, JSON."""

import json
import subprocess
import sys

import pytest

from stillmotion.cli import main
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
    for name in ("simulated", "hapt", "uci-har", "wisdm", "wisdm-2019", "opportunity", "shoaib"):
        assert name in out
    assert "CC BY 4.0" in out
    listed = json.loads(still("datasets", "--json")[1])
    assert {card["name"]: card["people"] for card in listed} == {
        "simulated": 24,
        "hapt": 30,
        "uci-har": 30,
        "wisdm": 36,
        "wisdm-2019": 51,
        "opportunity": 4,
        "opportunity-locomotion": 4,
        "shoaib": 10,
    }
    assert all(card["citation"] and card["licence"] for card in listed)


def test_inspect_prints_a_row_for_every_person_and_json(still, tmp_path):
    small(tmp_path)
    code, out, err = still("inspect", "hapt", "--data", tmp_path)
    assert code == 0
    assert "150 samples, 2 people" in out
    assert "part of the set: 3 of 61 recordings" in err
    quality = json.loads(still("inspect", "hapt", "--data", tmp_path, "--json")[1])
    assert [person["subject"] for person in quality["people"]] == ["1", "2"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["inspect", "hpat"], "Unknown data set 'hpat'. Did you mean 'hapt'?"),
        (["inspect", "hapt"], "--data"),
        (["audit", "simulated", "--protocol", "official"], "simulated has no protocol 'official'"),
        (["audit", "simulated", "--protocol", "subjects:99"], "24 people"),
        (["audit", "simulated", "--protocol", "loso", "--window", "0"], "at least 1 sample"),
        (["audit", "simulated", "--protocol", "loso", "--sensors", "ankle"], "Unknown sensor 'ankle'"),
        (["cost", "nope", *SHAPE], "Unknown network 'nope'. Valid: deepconvlstm-lm"),
        (["cost", "mlp", "--window", "0", *SHAPE[2:]], "window"),
        (["cost", "deepconvlstm-lm", *SHAPE, "--attention", "channel:r=4,after=9"], "no convolution 9"),
        (["bench", "coffee"], "Unknown benchmark 'coffee'"),
    ],
)
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


def test_an_honest_split_is_clean_and_the_published_one_exits_1(still):
    code, out, _ = still("audit", "simulated", "--protocol", "subjects:4")
    assert (code, "Clean" in out) == (0, True)
    code, out, _ = still("audit", "simulated", "--protocol", "published", "--json")
    found = json.loads(out)
    assert (code, found["clean"]) == (1, False)
    assert {"random split", "people", "samples"} <= {finding["kind"] for finding in found["findings"]}


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


@pytest.mark.real
@pytest.mark.filterwarnings("ignore::stillmotion.errors.DataWarning")
@pytest.mark.parametrize("name", ["hapt", "uci-har", "wisdm-2019"])
def test_every_honest_protocol_of_the_real_sets_is_clean_and_published_never(still, real, name):
    from stillmotion.signals import card

    for protocol in card(name).protocols:
        asked = "subjects:10" if protocol == "subjects:k" else protocol
        code, out, _ = still("audit", name, "--protocol", asked, "--data", real(name), "--json")
        found = json.loads(out)
        assert code == (1 if protocol == "published" else 0), found["findings"]
        assert found["clean"] == (code == 0)


def test_the_demo_tours_data_quality_and_audits_and_draws_a_figure(still, tmp_path):
    code, out, _ = still("demo", "--out", tmp_path / "made" / "here")
    assert code == 0
    assert "24 simulated people" in out
    assert out.index("Clean") < out.index("Not clean")
    figure = tmp_path / "made" / "here" / "activities.svg"
    assert figure.stat().st_size > 10_000
    assert figure.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
