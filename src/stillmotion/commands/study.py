"""`still study`."""

from __future__ import annotations

import argparse
from pathlib import Path

from .flags import add_data, add_json, print_json

HELP = "Train, search and compare variants; finished runs are kept."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("spec", metavar="SPEC", help="a TOML file, or a built-in study (an unknown name lists them)")
    parser.add_argument("--out", type=Path, help="folder of the study (default: studies/NAME)")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="such as split.protocol=loso")
    add_data(parser)
    parser.add_argument("--score-test", action="store_true", help="evaluate on test subjects after selection; logged")
    parser.add_argument("--plan", action="store_true", help="list the fleets and the time they take, without training")
    parser.add_argument(
        "--continue",
        dest="more",
        action="store_true",
        help="add seeds, variants, folds or trials to the study in the folder",
    )
    parser.add_argument("--budget", metavar="SIZE", help="most bytes that the recommended model may store, such as 8kB")
    parser.add_argument(
        "--accept-findings", action="store_true", help="train although `still inspect` finds errors in the recordings"
    )
    parser.add_argument("--ray", metavar="ADDRESS", default="", help="train on this Ray cluster")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from ..reports import show_results, write_results
    from ..studies import Planner, Runner, load_study_data, read_study

    budget = [] if options.budget is None else [f"budget={options.budget}"]
    accept = ["data.accept-findings=true"] if options.accept_findings else []
    study = read_study(options.spec, *options.set, *budget, *accept)
    folder = options.out or Path("studies") / study.name
    if options.plan:
        from dataclasses import asdict

        from ..studies.estimate import plan_lines
        from ..studies.folder import require_folder

        require_folder(folder, study, more=options.more)
        study_data = load_study_data(study, data=options.data)
        lines = plan_lines(Planner(study, study_data.index), study_data)
        if options.json:
            print_json([asdict(line) for line in lines])
        else:
            from ..reports.plan import show_plan

            show_plan(lines)
        return 0
    with Runner(study, folder, data=options.data, ray=options.ray, more=options.more) as runner:
        results = runner.run(score_test=options.score_test)
    write_results(results, folder)
    if options.json:
        print_json(results.to_dict())
    else:
        show_results(results)
    return 0
