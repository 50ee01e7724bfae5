"""Windows in a row in a study: sequences without holes, decoders from training and validation subjects alone."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from stillmotion.bundles import Bundle
from stillmotion.decoding import fit_decoder
from stillmotion.errors import UserError
from stillmotion.evaluation import macro_f1, read_predictions
from stillmotion.reports import show_results, to_markdown, write_results
from stillmotion.reports.evidence import Evidence
from stillmotion.reports.figures import bouts
from stillmotion.reports.page import SECTIONS
from stillmotion.reports.sequences import sequence_tables
from stillmotion.studies import Decoding, Runner, Split, load_study_data, read_study_state
from stillmotion.studies.sequences import decode_run, decoder_of, order_rows, sequence_rows

from .conftest import SMALL

FOLLOWS = {"SITTING": ("STANDING", "LAYING"), "LAYING": ("SITTING", "STANDING")}
DECODING = Decoding("grammar", lags=(1, 0), follows=FOLLOWS, transitions=("LAYING",), reject=0.1)
STUDY = replace(SMALL, variants=("lm",), compare=(), seeds=1, baselines=("logistic-regression",), decoding=DECODING)


@pytest.fixture(scope="module")
def finished(recordings, tmp_path_factory):
    """A study without decoding, continued with it: nothing of a network is trained again."""
    folder = tmp_path_factory.mktemp("sequences")
    with Runner(replace(STUDY, decoding=Decoding()), folder, data=recordings, quiet=True) as runner:
        before = runner.run(score_test=True)
        network = runner.state.reported["lm", 0][0].id
    with Runner(STUDY, folder, data=recordings, quiet=True, more=True) as runner:
        after = runner.run(score_test=True)
        assert runner.state.reported["lm", 0][0].id == network
    return folder, before, after


def test_windows_alone_score_as_without_decoding_and_stand_first(finished):
    _, before, after = finished
    assert before.sequences == ()
    for row in before.rows:
        mine = [each for each in after.sequences if each.variant == row.variant]
        assert [each.delay for each in mine] == ["alone", "1", "0", "offline"]
        assert [each.decoder for each in mine] == ["none", "grammar", "grammar", "grammar"]
        assert mine[0].macro_f1.score == pytest.approx(row.macro_f1.score, abs=1e-12)
        assert mine[0].gain is None
        for each in mine[1:]:
            assert each.gain.score == pytest.approx(each.macro_f1.score - mine[0].macro_f1.score, abs=1e-12)


def test_the_validation_score_in_sequence_is_that_of_the_shipped_decoder(finished):
    _, before, after = finished
    assert all(row.validation_in_sequence is None for row in before.rows)
    with read_study_state(finished[0]) as state:
        index, (run,) = state.index, state.reported["lm", 0]
        parts = [state.store.predictions(run.id, split) for split in ("validation", "validation-unlabelled")]
        rows = np.concatenate([index.rows(0, "validation"), index.unlabelled_rows(0, "validation")])
        logits, decoder = np.concatenate(parts), decoder_of(state, run)
    counts = np.zeros((4, 4), int)
    for recording in sorted(set(index.recording[rows])):
        at = np.flatnonzero(index.recording[rows] == recording)
        at = at[np.argsort(index.seconds[rows[at]])]
        labels, truth = decoder.with_lag(1).decode(logits[at]).labels, index.labels[rows[at]]
        np.add.at(counts, (truth[truth >= 0], labels[truth >= 0]), 1)
    (row,) = [each for each in after.rows if each.variant == "lm"]
    assert row.validation_in_sequence == pytest.approx(float(macro_f1(counts)), abs=1e-12)
    assert row.validation_in_sequence != row.validation


def test_sequences_have_no_holes_and_unlabelled_windows_are_not_scored(finished):
    with read_study_state(finished[0]) as state:
        index, (run,) = state.index, state.reported["lm", 0]
        rows = sequence_rows(index, 0, "test")
        assert set(index.subject_names[rows]) == set(index.folds[0].test_subjects)
        labelled = index.labels[rows] >= 0
        assert 0 < labelled.sum() == len(index.rows(0, "test")) < len(rows)
        assert labelled[: labelled.sum()].all()
        _, gaps = order_rows(index, rows)
        assert set(gaps.tolist()) == {0, 1}
        assert (gaps == 0).sum() == len(set(index.recording[rows]))
        assert index.fingerprint == state.store.about()["data"]
        assert len(decode_run(state, run, "test")["offline"].labels) == len(rows)


def test_scores_are_those_of_the_decoder_applied_to_the_written_predictions(finished):
    folder, _, after = finished
    (said,) = read_predictions(folder / "predictions" / "lm.parquet")
    assert not said.scored.all()
    decoder = Bundle.open(folder / "models" / "lm").decoder
    assert (decoder.kind, decoder.lag, decoder.hop) == ("grammar", 1, pytest.approx(20 / 12.5))
    for delay, lag in (("1", 1), ("0", 0), ("offline", None)):
        counts = np.zeros((4, 4), int)
        for recording in sorted(set(said.recording)):
            at = np.flatnonzero(said.recording == recording)
            at = at[np.argsort(said.time[at])]
            labels = decoder.with_lag(lag).decode(said.scores[at]).labels
            known = said.y[at] >= 0
            np.add.at(counts, (said.y[at][known], labels[known]), 1)
        (row,) = [each for each in after.sequences if (each.variant, each.delay) == ("lm", delay)]
        assert row.macro_f1.score == pytest.approx(float(macro_f1(counts)), abs=1e-12)
        by_class = 2 * np.diag(counts) / (counts.sum(0) + counts.sum(1))
        at = decoder.classes.index("LAYING")
        assert row.transitions == pytest.approx(by_class[at])
        assert row.basic == pytest.approx(np.delete(by_class, at).mean())


def test_a_decoder_is_fitted_to_training_subjects_with_numbers_of_validation_subjects(finished):
    with read_study_state(finished[0]) as state:
        index, (run,) = state.index, state.reported["lm", 0]
        decoder, train = decoder_of(state, run), index.rows(0, "train")
        order = np.lexsort((index.seconds[train], index.recording[train]))
        recording, seconds = index.recording[train][order], index.seconds[train][order]
        apart = np.append(0, np.where(np.diff(recording) == 0, np.rint(np.diff(seconds) / 1.6), 0)).astype(int)
        kept = next(iter(state.store.about()["decoders"].values()))[run.id]
        expected = fit_decoder(
            "grammar", index.spec.classes, index.labels[train][order], hop=1.6, gaps=apart, grammar=DECODING.table,
            lag=1, **kept,
        )  # fmt: skip
        assert decoder.to_dict() == expected.to_dict()
        # Test labels play no part: they may be anything.
        other = index.labels.copy()
        other[index.rows(0, "test")] = 0
        changed = replace(state, planner=replace(state.planner, index=replace(index, labels=other)))
        assert decoder_of(changed, run).to_dict() == decoder.to_dict()


def test_windows_are_rejected_at_the_stated_rate_and_what_that_saves_is_scored(finished):
    folder, _, after = finished
    (said,) = read_predictions(folder / "predictions" / "lm.parquet")
    decoder = Bundle.open(folder / "models" / "lm").decoder
    assert set(decoder.thresholds) == {"alone", "0", "1", "offline"}
    with read_study_state(folder) as state:
        (run,) = state.reported["lm", 0]
        known = len(state.index.rows(0, "validation"))
        for delay, decoded in decode_run(state, run, "validation").items():
            assert decoded.threshold == decoder.thresholds[delay]
            assert decoded.rejected[:known].sum() == int(0.1 * known)
    accepted, bouts, rejected, hours = 0, 0, 0, 0.0
    for recording in sorted(set(said.recording)):
        at = np.flatnonzero(said.recording == recording)
        at = at[np.argsort(said.time[at])]
        decoded = decoder.with_lag(0).decode(said.scores[at])
        chances = decoded.probabilities.max(1)
        active = (said.y[at] < 0) & (chances >= decoder.thresholds["0"])
        for number in np.flatnonzero(active):
            before = number - 1
            bouts += not (number and active[before] and decoded.labels[before] == decoded.labels[number])
        hours += np.sum(said.y[at] < 0) * 1.6 / 3600
        rejected += np.sum((said.y[at] >= 0) & (chances < decoder.thresholds["0"]))
        accepted += np.sum((said.y[at] >= 0) & (chances >= decoder.thresholds["0"]))
    (row,) = [each for each in after.sequences if (each.variant, each.delay) == ("lm", "0")]
    assert row.unknown["rejected"] == pytest.approx(rejected / (rejected + accepted))
    assert row.unknown["hours"] == pytest.approx(hours)
    assert row.unknown["activations"] == pytest.approx(bouts / hours)
    assert row.unknown["activations_of_all"] > row.unknown["activations"] > 0
    assert row.unknown["macro_f1"] > row.macro_f1.score


def test_windows_alone_are_rejected_without_a_decoder_of_a_chain(finished, recordings, tmp_path):
    folder = tmp_path / "alone"
    shutil.copytree(finished[0], folder)
    study = replace(STUDY, decoding=Decoding(reject=0.2))
    with Runner(study, folder, data=recordings, quiet=True, more=True) as runner:
        results = runner.run(score_test=True)
        known = len(runner.state.index.rows(0, "validation"))
        (run,) = runner.state.reported["lm", 0]
        assert decode_run(runner.state, run, "validation")["alone"].rejected[:known].sum() == int(0.2 * known)
    assert [(each.variant, each.delay) for each in results.sequences] == [
        ("lm", "alone"), ("logistic-regression", "alone")
    ]  # fmt: skip
    decoder = Bundle.open(folder / "models" / "lm").decoder
    assert (decoder.kind, set(decoder.thresholds)) == ("none", {"alone"})
    titles = [table.title for table in sequence_tables(results)]
    assert titles == ["Windows alone and in sequence (none)", "Events", "Unknown"]


def test_bouts_of_one_recording_are_drawn_under_its_signal(finished, recordings, tmp_path):
    data = load_study_data(STUDY, data=recordings)
    with read_study_state(finished[0]) as state:
        (figure,) = bouts(Evidence(state))
        index, (run,) = state.index, state.reported[figure.title.rpartition(" ")[2], 0]
        decoded, rows = decode_run(state, run, "test"), sequence_rows(index, 0, "test")
    outline, test = index.outline, index.folds[0].test_subjects
    activities = {
        number: len(set(index.labels[(index.recording == number) & (index.labels >= 0)]))
        for number in sorted(set(index.recording[np.isin(index.subject_names, test)].tolist()))
    }
    assert outline.recording == max(activities, key=activities.get)
    begin = data.windows.recording_start[outline.recording]
    signal = data.windows.signal[begin : begin + round(outline.seconds * 12.5)][:, :3]
    parts = np.split(signal, np.linspace(0, len(signal), len(outline.low) + 1).astype(int)[1:-1])
    np.testing.assert_array_equal(outline.low, [part.min(0) for part in parts])
    np.testing.assert_array_equal(outline.high, [part.max(0) for part in parts])
    here = np.flatnonzero(index.recording[rows] == outline.recording)
    names = {-1: "", -2: "unknown"} | dict(enumerate(index.spec.classes))
    labels = {"true": index.labels[rows]} | {delay: decoded[delay].predictions for delay in ("alone", "1", "offline")}
    assert {row["bouts"] for row in figure.rows} == set(labels)
    for kind, every in labels.items():
        for at in here:
            middle = index.seconds[rows[at]] + 0.8
            (row,) = [r for r in figure.rows if r["bouts"] == kind and r["start_s"] <= middle < r["end_s"]]
            assert row["activity"] == names[int(every[at])]
    drawn = figure.save(tmp_path)
    assert drawn.count("true: ") == sum(row["bouts"] == "true" and row["activity"] != "" for row in figure.rows) * 3
    assert "hatched: no label" in drawn


def test_reports_show_windows_alone_beside_those_in_sequence(finished, capsys, tmp_path):
    folder, _, after = finished
    show_results(after)
    printed = capsys.readouterr().out
    for text in ("Windows alone and in sequence (grammar)", "window alone, %", "1 late, %", "causal, %", "offline, %"):
        assert text in printed
    alone, late = (next(r for r in after.sequences if (r.variant, r.delay) == ("lm", d)) for d in ("alone", "1"))
    line = next(
        line
        for line in to_markdown(after).splitlines()
        if line.startswith("| lm ") and str(late.macro_f1.score * 100)[:4] in line
    )
    assert line.index(f"{100 * alone.macro_f1.score:.1f}") < line.index(f"{100 * late.macro_f1.score:.1f}")
    write_results(after, tmp_path)
    rows = json.loads((tmp_path / "results.json").read_text())["sequences"]
    assert [row["delay"] for row in rows] == ["alone", "1", "0", "offline"] * 2
    assert (tmp_path / "sequences.csv").read_text().startswith("variant,decoder,delay,macro_f1,gain,basic,transitions")
    with read_study_state(folder) as state:
        (section,) = [each for each in SECTIONS if each.name == "sequences"]
        page = section.to_html(Evidence(state), ())
    assert "Windows alone and in sequence (grammar)" in page
    assert "transitions seen, %" in page


def test_running_again_does_nothing_and_says_the_same(finished, recordings):
    folder, _, after = finished
    files = {path: path.stat().st_mtime_ns for path in (*folder.glob("predictions/*"), *folder.glob("models/*/*"))}
    with Runner(STUDY, folder, data=recordings, quiet=True) as runner:
        again = runner.run(score_test=True)
    assert again.sequences == after.sequences
    assert again.test_evaluations == after.test_evaluations
    assert files == {path: path.stat().st_mtime_ns for path in files}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"split": Split("random")}, "needs whole recordings of subjects"),
        ({"data": replace(SMALL.data, cut="labelled-segments")}, "needs windows in a row"),
        ({"networks": replace(SMALL.networks, teacher=("scores.csv",))}, "the file of scores scores.csv lacks"),
    ],
)
def test_studies_without_sequences_are_refused(changes, says):
    with pytest.raises(UserError, match=says):
        replace(STUDY, **changes)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"decoder": "markov"}, r"Unknown decoder in \[decoding\] 'markov'"),
        ({"decoder": "grammar"}, "needs grammar"),
        ({"decoder": "grammar", "grammar": "postures"}, "Unknown grammar 'postures'"),
        ({"decoder": "duration", "lags": (), "offline": False}, "needs at least one of lags"),
        ({"reject": 0.1, "calibrate": False}, "finds a threshold on validation subjects"),
        ({"reject": 0.9}, "reject in \\[decoding\\] must be at least 0 and at most 0.5"),
        ({"decoder": "duration", "lags": (-1,)}, "lags in \\[decoding\\] must be at least 0"),
    ],
)
def test_wrong_values_of_the_section_are_named(options, says):
    with pytest.raises(UserError, match=says):
        Decoding(**options)


def test_a_grammar_in_a_file_is_kept_in_the_specification(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('transitions = ["LAYING"]\n[follows]\nSITTING = ["LAYING"]\n')
    decoding = Decoding("grammar", grammar=str(path))
    path.unlink()
    assert decoding.follows == {"SITTING": ("LAYING",)}
    assert decoding.transitions == ("LAYING",)
    assert replace(decoding, offline=False).table.allowed(("SITTING", "LAYING", "WALKING"))[0].tolist() == [
        False,
        True,
        False,
    ]
