"""The ``still`` command. Each subcommand parses its options, calls the Python API and prints the result."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from . import __version__
from .errors import DataWarning, UserError
from .interrupts import STOPPED, end_stopped, stoppable
from .names import make_visible
from .table_flags import add_table_flags, load_named, proposed, save

if TYPE_CHECKING:
    from .signals import Dataset, TableMap
    from .windows import Windows


#: The input shape and number of classes, which a network's name does not fix.
SHAPE = {"window": "window length in samples", "channels": "number of channels", "classes": "number of classes"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: command line; by default that of the process, which Ctrl-C then ends.

    Returns:
        0 on success, 1 when an audit finds a leak, 2 for an error that the user can fix, 130 after Ctrl-C.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    warnings.simplefilter("always", DataWarning)
    warnings.showwarning = _show_warning
    stopped = _stop_message(options.command, sys.argv[1:] if arguments is None else arguments)
    try:
        with stoppable(stopped):
            return int(options.run(options))
    except UserError as error:
        if options.debug:
            raise
        print(make_visible(f"still {options.command}: {error}"), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        if arguments is None:
            end_stopped(stopped)
        print(f"\n{stopped}", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:
        # The reader of the pipe (a pager, head) was closed: no error, but nothing more can be printed.
        sys.stderr.close()
        return 0


def _stop_message(command: str, arguments: Sequence[str]) -> str:
    if command in ("study", "demo"):
        return f"Stopped; finished training is kept. Continue with: still {shlex.join(map(str, arguments))}"
    return f"still {command}: stopped."


def _show_warning(message: Warning | str, category: type[Warning], *location: Any, **options: Any) -> None:
    label = "note" if issubclass(category, DataWarning) else category.__name__
    print(make_visible(f"{label}: {message}", keep="\n"), file=sys.stderr)


class Parser(argparse.ArgumentParser):
    """An argument parser that escapes control characters in its error messages."""

    def error(self, message: str) -> NoReturn:
        """Print the error and the usage, then exit with code 2."""
        super().error(make_visible(message))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="still",
        description="Train small human-activity recognisers with knowledge distillation.",
        epilog="Guides and reference: docs/ in the source tree. `still COMMAND --help` explains each command.",
    )
    parser.add_argument("--version", action="version", version=f"stillmotion {__version__}")
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(metavar="COMMAND")

    def command(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(command=name, run=run)
        added.add_argument("--debug", action="store_true", help="show the traceback of an error")
        return added

    demo = command("demo", _demo, "Train, evaluate and compare five variants on simulated subjects.")
    demo.add_argument("--out", type=Path, default=Path("demo"), help="folder to write to (default: demo)")

    datasets = command("datasets", _datasets, "List the built-in data sets with location, licence and citation.")
    _folder(datasets)
    _json(datasets)

    fetch = command("fetch", _fetch, "Download a data set, or take it from your files, and verify it.")
    fetch.add_argument("name", metavar="NAME", help="a data set (see `still datasets`)")
    fetch.add_argument("--from", dest="source", metavar="PATH", help="a folder or an archive, instead of downloading")
    fetch.add_argument("--to", type=Path, metavar="DIR", help="folder to create NAME/ in (default: STILLMOTION_DATA)")
    fetch.add_argument("--accept", action="store_true", help="accept and record counts that differ")
    _json(fetch)

    inspect = command("inspect", _inspect, "Report the contents and the quality problems of a data set, by subject.")
    _source(inspect)
    inspect.add_argument("--save", type=Path, metavar="TOML", help="write the proposed mapping of a table to this file")
    _json(inspect)

    audit = command("audit", _audit, "Check a split for leaks; exit code 1 if there are any.")
    _source(audit)
    audit.add_argument("--protocol", required=True, help="random, official, subjects:K, loso (leave-one-subject-out)")
    audit.add_argument("--window", type=int, help="window length in samples (default: the data set's)")
    audit.add_argument("--hop", type=int, help="samples between two windows (default: the data set's overlap)")
    audit.add_argument("--seed", type=int, default=0, help="seed of the split (default: 0)")
    audit.add_argument("--beside", metavar="NAME", action="append", default=[], help="another data set used with it")
    _json(audit)

    cost = command("cost", _cost, "Count the parameters, FLOPs and memory of a network, layer by layer.")
    cost.add_argument(
        "network",
        metavar="NETWORK|BUNDLE|FILE.keras",
        help="such as deepconvlstm-lm (an unknown name lists all), or a saved model",
    )
    for option, text in SHAPE.items():
        cost.add_argument(f"--{option}", type=int, help=text)
    cost.add_argument("--attention", metavar="BLOCKS", help="attention blocks, such as channel:r=4,spatial:k=7,after=2")
    cost.add_argument("--recurrence", help="of the deepconvlstm networks: over channels (published) or time")
    _json(cost)

    compare = command("compare", _compare, "Compare prediction files: confidence intervals and tests over subjects.")
    compare.add_argument("predictions", metavar="PREDICTIONS", nargs="+", type=Path, help=".parquet or .csv, see docs")
    compare.add_argument("--against", metavar="NAME", help="variant to compare with (default: lm, or the first)")
    compare.add_argument("--margin", type=float, default=1.0, help="non-inferiority margin in points (default: 1)")
    _json(compare)

    study = command("study", _study, "Train, search and compare variants; finished runs are kept.")
    study.add_argument("spec", metavar="SPEC", help="a TOML file, or a built-in study (an unknown name lists them)")
    study.add_argument("--out", type=Path, help="folder of the study (default: studies/NAME)")
    study.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="such as split.protocol=loso")
    _folder(study)
    study.add_argument("--score-test", action="store_true", help="evaluate on test subjects after selection; logged")
    study.add_argument("--plan", action="store_true", help="list the fleets and the time they take, without training")
    study.add_argument(
        "--continue",
        dest="more",
        action="store_true",
        help="add seeds, variants, folds or trials to the study in the folder",
    )
    study.add_argument("--budget", metavar="SIZE", help="most bytes that the recommended model may store, such as 8kB")
    study.add_argument("--ray", metavar="ADDRESS", default="", help="train on this Ray cluster")
    _json(study)

    report = command("report", _report, "Write the report of a study: one HTML page, figures and tables.")
    report.add_argument("folder", metavar="DIR", type=Path, help="folder of the study, finished or not")
    report.add_argument("--out", metavar="DIR", type=Path, help="where the report goes (default: the study's folder)")
    report.add_argument("--published", action="store_true", help="add the published results of Agac & Incel")
    report.add_argument(
        "--beside", metavar="OTHER", type=Path, help="the same study under another protocol, to compare"
    )
    _json(report)
    return parser


def _source(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", metavar="NAME", help="a data set (see `still datasets`) or the path of a table")
    _folder(command)
    command.add_argument("--sensors", help="sensors to keep, such as wrist.acc,wrist.gyr")
    command.add_argument("--rate", type=float, help="resample to this rate in Hz")
    add_table_flags(command)


def _folder(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", type=Path, help="folder that contains NAME/ (default: STILLMOTION_DATA)")


def _json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON instead of text")


def _print(values: Any) -> None:
    print(make_visible(json.dumps(values, indent=2, ensure_ascii=False), keep="\n"))


def _dataset(options: argparse.Namespace, mapping: TableMap | None = None) -> Dataset:
    from .signals import resample

    data = load_named(options, mapping)
    return data if options.rate is None else resample(data, options.rate)


def _cut_windows(options: argparse.Namespace) -> Windows:
    from .signals import resample
    from .windows import cut

    data = _dataset(options)
    if data.times is not None:
        data = resample(data, data.spec.rate)
    spec = data.spec
    if options.window is not None:
        spec = spec.with_window(options.window)
    if options.hop is not None:
        spec = spec.with_window(spec.window, options.hop)
    return cut(data, spec=spec)


def _demo(options: argparse.Namespace) -> int:
    from .reports.demo import demo

    demo(options.out)
    return 0


def _datasets(options: argparse.Namespace) -> int:
    from .reports import screen
    from .signals import list_cards

    if options.json:
        from dataclasses import asdict

        _print([asdict(card) | {"protocols": card.protocols} for card in list_cards().values()])
    else:
        screen.show_cards(list_cards(), options.data)
    return 0


def _fetch(options: argparse.Namespace) -> int:
    from .reports import screen
    from .signals import fetch

    with screen.progress() as progress:
        fetched = fetch(
            options.name,
            source=options.source,
            to=options.to,
            accept=options.accept,
            progress=progress.bytes,
            say=progress.step,
        )
    if options.json:
        _print(fetched.to_dict())
    else:
        screen.show_fetched(fetched)
    return 0


def _inspect(options: argparse.Namespace) -> int:
    from .reports import screen
    from .signals import inspect

    proposal = proposed(options)
    if proposal is not None and not options.json:
        screen.show_proposal(proposal)
    if options.save:
        save(proposal, options)
    quality = inspect(_dataset(options, None if proposal is None else proposal.mapping()))
    if options.json:
        _print(quality.to_dict() | ({} if proposal is None else {"proposal": proposal.to_dict()}))
    else:
        screen.show_quality(quality)
    return 0


def _audit(options: argparse.Namespace) -> int:
    from .reports import screen
    from .signals import load
    from .windows import audit_splits, fit_statistics, make_splits

    windows = _cut_windows(options)
    splits = make_splits(windows, options.protocol, seed=options.seed)
    audit = audit_splits(
        windows,
        splits,
        statistics=[fit_statistics(windows, fold.train) for fold in splits.folds],
        others=[load(name, data=options.data) for name in options.beside],
    )
    if options.json:
        _print(audit.to_dict())
    else:
        screen.show_audit(audit)
    return 0 if audit.clean else 1


def _cost(options: argparse.Namespace) -> int:
    from .bundles import saved_cost
    from .networks import format_cost, list_networks, named_network_cost

    path = Path(options.network)
    named = options.network in [network.name for network in list_networks()]
    shape = [getattr(options, option) for option in SHAPE]
    if not named and (path.suffix == ".keras" or len(path.parts) > 1 or path.exists()):
        given = [option for option in (*SHAPE, "attention", "recurrence") if getattr(options, option) is not None]
        if given:
            raise UserError(f"{path} is a saved model, so --{given[0]} does not apply; leave it out.")
        cost = saved_cost(path)
    else:
        missing = [f"--{option}" for option, value in zip(SHAPE, shape, strict=True) if value is None]
        if named and missing:
            raise UserError(f"{options.network} needs a shape; add {', '.join(missing)}.")
        cost = named_network_cost(
            options.network, tuple(shape), attention=options.attention, recurrence=options.recurrence
        )
    if options.json:
        _print(cost.to_dict())
    else:
        from .reports.screen import console

        sizes = " → ".join(" × ".join(map(str, size)) for size in (cost.input_shape, cost.output_shape))
        console().print(format_cost(cost, title=f"{cost.network}: {sizes}"))
    return 0


def _compare(options: argparse.Namespace) -> int:
    from . import evaluation

    predictions = evaluation.read_predictions(*options.predictions)
    matrices = evaluation.count_confusion(predictions)
    compared = evaluation.compare_variants(matrices, against=options.against, margin=options.margin / 100)
    timed = [each for each in predictions if each.recording is not None and each.time is not None]
    events = {each.variant: evaluation.score_events(each).to_dict() for each in timed}
    calibrations = {each.variant: evaluation.compute_calibration(each) for each in predictions}
    if options.json:
        reliability = {
            name: None if calibration is None else {"ece": calibration.ece, "bins": calibration.rows()}
            for name, calibration in calibrations.items()
        }
        rows = {"by_subject": evaluation.rows_by_subject(matrices), "by_class": evaluation.rows_by_class(matrices)}
        _print(compared.to_dict() | {"calibration": reliability, "events": events} | rows)
    else:
        from .reports.compared import show_compared, show_events

        errors = {name: None if each is None else each.ece for name, each in calibrations.items()}
        show_compared(compared, errors)
        show_events(events)
    return 0


def _study(options: argparse.Namespace) -> int:
    from .reports import show_results, write_results
    from .studies import Planner, Runner, load_study_data, read_study

    budget = [] if options.budget is None else [f"budget={options.budget}"]
    study = read_study(options.spec, *options.set, *budget)
    folder = options.out or Path("studies") / study.name
    if options.plan:
        from dataclasses import asdict

        from .studies.estimate import plan_lines
        from .studies.folder import require_folder

        require_folder(folder, study, more=options.more)
        study_data = load_study_data(study, data=options.data)
        lines = plan_lines(Planner(study, study_data.index), study_data)
        if options.json:
            _print([asdict(line) for line in lines])
        else:
            from .reports.plan import show_plan

            show_plan(lines)
        return 0
    with Runner(study, folder, data=options.data, ray=options.ray, more=options.more) as runner:
        results = runner.run(score_test=options.score_test)
    write_results(results, folder)
    if options.json:
        _print(results.to_dict())
    else:
        show_results(results)
    return 0


def _report(options: argparse.Namespace) -> int:
    from .reports import write_report
    from .studies import read_protocol_gap

    gap = None if options.beside is None else read_protocol_gap(options.folder, options.beside)
    path = write_report(options.folder, options.out, published=options.published, beside=gap)
    if options.json:
        _print({"report": str(path)} | ({} if gap is None else {"beside": gap.to_dict()}))
        return 0
    if gap is not None:
        from .reports.protocols import show_protocol_gap

        show_protocol_gap(gap)
    print(make_visible(str(path)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
