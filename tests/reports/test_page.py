"""The page and its files, read without a browser."""

from __future__ import annotations

import csv
import re
import struct
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from stillmotion.evaluation import compare_variants, count_confusion, macro_f1, read_predictions
from stillmotion.studies import Results, read_study_state
from stillmotion.studies.results import compute_results

from .conftest import ODD

ALWAYS = {"pareto", "baselines", "changes", "overhead", "bubbles", "sizes", "differences", "subjects", "classes"}
ALWAYS |= {
    "confusion",
    "reliability",
    "curves",
    "trials",
    "attention",
    "diagram-lm",
    "diagram-rab-kd",
    "diagram-rab-kd-no-maps",
}
VOID = {"meta", "input", "br", "hr", "link"}


class Reader(HTMLParser):
    """Checks that elements close in the order in which they opened; keeps what would be loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids += [given["id"]] if "id" in given else []
        if tag == "a":
            self.links.append(given["href"])
        elif tag != "use":
            self.loads += [given[name] for name in ("src", "href", "srcset", "data", "action") if name in given]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def results_of(page: Path) -> Results:
    with read_study_state(page.parent) as state:
        return compute_results(state)


def test_the_page_is_whole_small_and_loads_nothing(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert len(text.encode()) < 4_000_000
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    assert all(url.startswith(("#", "data:")) for url in reader.loads)
    assert all(url.startswith("#") and url[1:] in reader.ids for url in reader.links)
    assert len(reader.ids) == len(set(reader.ids))
    assert not re.search(r"(?:https?:)?//[\w.-]+\.\w+", re.sub(r"<pre.*?</pre>", "", text, flags=re.S))
    assert "@import" not in text
    assert re.findall(r"url\(([^)]*)\)", text) == [url for url in re.findall(r"url\(([^)]*)\)", text) if url[0] == "#"]
    assert "default-src &#x27;none&#x27;" in text


def test_names_are_text_and_never_markup(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "small &amp; &lt;odd&gt; $x$ [bold] a|b" in text
    assert "<odd>" not in text
    root = ET.parse(page.parent / "figures" / "diagram-lm.svg").getroot()
    assert root[0].text == f"lm: {ODD}"
    markdown = (page.parent / "tables" / "results.md").read_text(encoding="utf-8")
    assert r"small & \<odd\> \$x\$ \[bold\] a\|b" in markdown


def test_sections_answer_in_the_order_of_the_questions(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    places = [
        text.index(f'<section id="{name}"') if f'<section id="{name}"' in text else text.index(f'id="{name}"')
        for name in (
            "answer",
            "compared",
            "choice",
            "sources",
            "sizes",
            "teaching",
            "differences",
            "subjects",
            "learning",
            "attention",
            "failed",
            "reproduce",
        )
    ]
    assert places == sorted(places)


def test_every_figure_is_kept_in_three_forms_with_words(page: Path) -> None:
    folder = page.parent / "figures"
    assert {path.stem for path in folder.glob("*.csv")} == ALWAYS
    for name in ALWAYS:
        root = ET.parse(folder / f"{name}.svg").getroot()
        title, words = root[0], root[1]
        assert title.tag.endswith("title")
        assert words.tag.endswith("desc")
        assert len(str(words.text)) > 20
        assert root.attrib["role"] == "img"
        png = (folder / f"{name}.png").read_bytes()
        assert png[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = struct.unpack(">II", png[16:24])
        assert width >= 600
        assert height >= 100
        assert rows(folder / f"{name}.csv")


def test_the_numbers_of_figures_are_those_of_the_predictions(page: Path) -> None:
    folder = page.parent
    counted = count_confusion(
        read_predictions(folder / "predictions" / "lm.parquet", folder / "predictions" / "rab-kd.parquet")
    )
    scores = {row["variant"]: row for row in rows(folder / "figures" / "pareto.csv")}
    for number, name in enumerate(counted.variants):
        pooled = macro_f1(counted.counts[number].sum(1)).mean()
        assert float(scores[name]["macro_f1"]) == pytest.approx(float(pooled))
    (found,) = compare_variants(counted, against="lm").comparisons
    gaps = {row["variant"]: row for row in rows(folder / "figures" / "differences.csv")}
    assert float(gaps["rab-kd"]["difference"]) == pytest.approx(found.difference.score)
    assert float(gaps["rab-kd"]["difference_low"]) == pytest.approx(found.difference.low)
    shown = {row["variant"]: row for row in rows(folder / "figures" / "changes.csv") if row["source"] == "here"}
    assert float(shown["rab-kd"]["f1_points"]) == pytest.approx(100 * found.difference.score)
    confused = rows(folder / "figures" / "confusion.csv")
    assert sum(float(row["windows"]) for row in confused) == counted.counts[0].sum()


def test_reliability_and_ece_are_those_of_the_predictions(page: Path) -> None:
    table = {row.variant: row for row in results_of(page).rows}
    bins = rows(page.parent / "figures" / "reliability.csv")
    assert {row["variant"] for row in bins} == set(table)
    for name in ("lm", "random-forest", "majority"):
        (said,) = read_predictions(page.parent / "predictions" / f"{name}.parquet")
        assert said.scores is not None
        shares = softmax(said.scores.astype(np.float64), axis=1)
        sure, right = shares.max(1), shares.argmax(1) == said.y
        own, gap = [row for row in bins if row["variant"] == name], 0.0
        assert sum(int(row["samples"]) for row in own) == len(sure)
        for row in own:
            inside = (sure > float(row["from"])) & (sure <= float(row["to"]))
            assert int(row["samples"]) == inside.sum()
            assert float(row["confidence"]) == pytest.approx(sure[inside].mean(), abs=1e-5)
            assert float(row["accuracy"]) == pytest.approx(right[inside].mean())
            gap += inside.mean() * abs(sure[inside].mean() - right[inside].mean())
        assert table[name].ece == pytest.approx(gap, abs=1e-5)
    assert f'data-key="{table["lm"].ece}">' in page.read_text(encoding="utf-8")


def test_baselines_stand_beside_the_students_and_never_on_their_front(page: Path) -> None:
    folder = page.parent / "figures"
    for name in ("differences", "subjects", "classes"):
        there = {row["variant"] for row in rows(folder / f"{name}.csv")}
        assert {"random-forest", "majority"} <= there, name
    for name in ("pareto", "bubbles", "sizes", "baselines", "curves", "changes", "overhead"):
        assert not {"random-forest", "majority"} & {row["variant"] for row in rows(folder / f"{name}.csv")}, name
    trial = {row["variant"] for row in rows(folder / "trials.csv")}
    assert "random-forest" in trial
    assert "majority" not in trial, "there is nothing to try"
    (forest,) = [row for row in results_of(page).rows if row.variant == "random-forest"]
    with read_study_state(page.parent) as state:
        nodes = [state.store.size(run.id)["nodes"] for run in state.reported["random-forest", 0]]
    assert forest.size.startswith(f"{sum(nodes) / len(nodes):,.0f} nodes, ")
    text = page.read_text(encoding="utf-8")
    assert f"100 trees on features: {forest.size}" in text
    assert "no network, no device code" in text
    assert "Baselines are a separate family: random-forest, majority." in text


def test_the_page_shows_the_numbers_of_the_table(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    table = text[text.index('aria-label="Results"') :]
    for row in results_of(page).rows:
        assert row.macro_f1 is not None
        score, low, high = (100 * each for each in (row.macro_f1.score, row.macro_f1.low or 0, row.macro_f1.high or 0))
        assert f'data-key="{row.macro_f1.score}">{score:.1f} [{low:.1f}, {high:.1f}]<' in table
        assert row.parameters is None or f'data-key="{row.parameters}">{row.parameters:,}<' in table
        assert f'data-key="{row.bytes}">{(row.bytes or 0) / 1024:,.1f}<' in table


def test_places_are_those_of_the_scores_best_first(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    table = text[text.index('aria-label="Ranks"') :].split("</table>")[0]
    named = re.findall(r'<tr data-variant="([^"]+)"', table)
    found = results_of(page).compared
    assert found is not None
    scores = {one.variant: one.macro_f1.score for one in found.standings}
    assert sorted(named) == sorted(scores)
    assert [scores[name] for name in named] == sorted(scores.values(), reverse=True)


def test_attention_maps_are_of_the_size_of_the_taps(page: Path) -> None:
    found = rows(page.parent / "figures" / "attention.csv")
    spatial = [row for row in found if row["tap"] == "spatial_attention_2" and row["network"] == "rab-kd"]
    assert len(spatial) == (20 - 2 * 4) * 6, "two convolutions of five samples leave 12 of 20, over 6 channels"
    assert len([row for row in found if row["tap"] == "channel_attention_2" and row["network"] == "rab-kd"]) == 4
    assert all(0 <= float(row["weight"]) <= 1 for row in found)
    assert {row["network"] for row in found} == {"deepconvlstm-lm with attention", "rab-kd", "rab-kd-no-maps"}


def test_diagrams_say_who_teaches_what_at_which_layer(page: Path) -> None:
    lessons = rows(page.parent / "figures" / "diagram-rab-kd.csv")
    assert [(row["from"], row["to"], row["kind"]) for row in lessons] == [
        ("labels", "student/logits", "cross-entropy"),
        ("teacher/logits", "student/logits", "KL of softened probabilities"),
        ("teacher/channel_attention_2", "student/channel_attention_2", "squared difference of maps"),
        ("teacher/spatial_attention_2", "student/spatial_attention_2", "squared difference of maps"),
    ]
    assert "beta" in lessons[2]["hyperparameters"]
    assert "beta" not in lessons[1]["hyperparameters"]
    without = [row["to"] for row in rows(page.parent / "figures" / "diagram-rab-kd-no-maps.csv")]
    assert without == ["student/logits", "student/logits"]


def test_tables_for_papers_hold_together(page: Path) -> None:
    text = (page.parent / "tables" / "results.tex").read_text(encoding="utf-8")
    opened = re.findall(r"\\begin\{(\w+)\}", text)
    closed = re.findall(r"\\end\{(\w+)\}", text)
    assert opened == closed[::-1] == ["table", "tabular"]
    bare = text.replace("\\{", "").replace("\\}", "")
    assert bare.count("{") == bare.count("}")
    body = text[text.index("\\midrule") : text.index("\\bottomrule")]
    lines = [line for line in body.splitlines() if line.endswith("\\\\")]
    assert [line.split(" & ")[0] for line in lines] == [
        "lm",
        "rab-kd",
        "rab-kd-no-maps",
        "random-forest",
        "majority",
        "deepconvlstm-lm with attention",
    ]
    columns = len(re.search(r"\\begin\{tabular\}\{(\w+)\}", text)[1])  # type: ignore[index]
    assert {len(re.findall(r"(?<!\\)&", line)) + 1 for line in lines} == {columns}
    assert not re.search(r"(?<!\\)[%#_$](?!\w*\$)", body)
    markdown = (page.parent / "tables" / "results.md").read_text(encoding="utf-8")
    assert "| rab-kd |" in markdown
    assert "not by subject, leaky" in markdown
