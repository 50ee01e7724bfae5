"""The demo trains on real subjects, and on simulated ones where their recordings are missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stillmotion.errors import UserError
from stillmotion.reports import demo
from stillmotion.studies import Study


class Stopped(Exception):
    """Raised where the demo would train."""


@pytest.mark.parametrize("missing", [False, True])
def test_the_demo_says_whose_motion_it_is(
    missing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    studies: list[Study] = []

    def runner(study: Study, out: Path) -> Any:
        studies.append(study)
        raise Stopped

    def find(name: str) -> Path:
        if missing:
            raise UserError(f"{name} is not installed.")
        return tmp_path

    monkeypatch.setattr(demo, "Runner", runner)
    monkeypatch.setattr(demo, "find_folder", find)
    with pytest.raises(Stopped):
        demo.demo(tmp_path)
    shown = capsys.readouterr().out
    assert studies[0].data.name == ("simulated" if missing else "spar")
    assert ("The subjects of this demo are simulated." in shown) == missing
    assert studies[0].budget == "8kB"
