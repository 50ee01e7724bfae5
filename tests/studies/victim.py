"""Runs a study and kills itself in the middle of a phase: ``victim.py SPEC FOLDER DATA PHASE``."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from pathlib import Path

from stillmotion.studies.scoring import Evaluator

import stillmotion.training  # noqa: F401  Before any import of keras: it chooses the backend.
from stillmotion.studies import Runner, read_study
from stillmotion.training.progress import Progress

spec, folder, data, phase = sys.argv[1:]
warnings.simplefilter("ignore")
runner = Runner(read_study(spec), Path(folder), data=Path(data), quiet=True, every=0.0)
current = [""]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


begin = runner._train_here


def noted(fleet, *rest):
    current[0] = fleet.phase
    begin(fleet, *rest)


def show(self, epoch, *, last=False):
    if current[0] == phase and epoch.number == 2:
        die()


count = Evaluator.count


def scored(self, runs, side):
    if side == "test" and phase == "scoring":
        count(self, list(runs)[:1], side)
        die()
    count(self, runs, side)


runner._train_here = noted
Progress.__call__ = show
Evaluator.count = scored
runner.run(score_test=True)
