"""The published tables are those of the sources, digit by digit."""

from __future__ import annotations

import pytest

from stillmotion.networks import named_network_cost
from stillmotion.reports.published import PUBLISHED, published_for

#: variant: Opportunity, WISDM v1.1, Sensors; macro-F1 / accuracy, then points against LM.
SCORES = """
lm 68.17 / 74.49 | 82.02 / 86.78 | 96.90 / 96.83
mm 72.16 / 78.16 | 86.65 / 89.66 | 98.20 / 98.02
om 80.51 / 84.75 | 91.69 / 92.98 | 99.61 / 99.60
rb-kd +4.45 / +4.04 | +1.42 / +0.58 | -0.43 / -0.40
lm-att +5.02 / +4.79 | +3.89 / +1.80 | +0.47 / +0.39
rb-kd-att +6.27 / +5.16 | +4.58 / +2.53 | +1.63 / +1.58
rab-kd +6.31 / +5.53 | +4.97 / +3.03 | +2.00 / +1.98
"""
#: Percent of parameters / convolution FLOPs more than LM.
OVERHEAD = """
lm-att +1.55 / +38.19 | +3.39 / +20.33 | 0.00 / +8.92
rb-kd-att +0.22 / +1.78 | +6.78 / +37.14 | +1.50 / +38.89
rab-kd +0.66 / +20.89 | +3.39 / +40.30 | +0.25 / +1.78
"""
SHAPES = ((30, 45, 17), (20, 3, 6), (50, 45, 7))


def table(text: str) -> dict[str, list[tuple[float, float]]]:
    found = {}
    for line in text.split("\n")[1:-1]:
        name, _, rest = line.partition(" ")
        pairs = [each.split("/") for each in rest.split("|")]
        found[name] = [(float(left), float(right)) for left, right in pairs]
    return found


def test_scores_and_changes_are_the_published_ones() -> None:
    for name, sets in table(SCORES).items():
        for one, pair in zip(PUBLISHED, sets, strict=True):
            base = {row.variant: (row.f1, row.accuracy) for row in one.baselines}
            assert (base[name] if name in base else one.changes[name][:2]) == pair
    for name, sets in table(OVERHEAD).items():
        for one, pair in zip(PUBLISHED, sets, strict=True):
            assert one.changes[name][2:] == pair


@pytest.mark.parametrize("at", range(3))
def test_published_costs_are_those_of_the_networks(at: int) -> None:
    for row in PUBLISHED[at].baselines:
        found = named_network_cost(f"deepconvlstm-{row.variant}", SHAPES[at])
        assert found.params == row.params
        assert found.flops_convolutions == pytest.approx(1000 * row.kflops)


def test_a_data_set_of_the_sources_stands_beside_its_own_table_any_other_beside_all() -> None:
    assert [one.title for one in published_for("wisdm")] == ["WISDM v1.1"]
    assert [one.title for one in published_for("shoaib")] == ["Sensors"]
    assert len(published_for("hapt")) == 3


def test_variants_scores_are_the_reference_s_plus_their_points() -> None:
    rows = {row.variant: row for row in PUBLISHED[0].rows}
    assert rows["rab-kd"].f1 == pytest.approx(74.48)
    assert rows["rab-kd"].params == 9_097
