"""Look up data sets by name: cards, folders and recordings."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, cast

from ..errors import DataWarning, ProposedMappingWarning, UnknownName, UserError
from .cache import load_cached
from .card import Card
from .recording import Dataset, Note
from .select import select_sensors
from .tables import VERSION as TABLE_VERSION
from .tables import Proposal, TableMap, find_mapping, is_table, list_table_files, propose_if_unmapped, read_table
from .tables.dialect import require_file

#: Data set name to the module that reads it.
MODULES = {
    "simulated": "stillmotion.signals.simulated",
    "spar": "stillmotion.signals.sets.spar",
    "hapt": "stillmotion.signals.sets.hapt",
    "uci-har": "stillmotion.signals.sets.uci_har",
    "wisdm": "stillmotion.signals.sets.wisdm",
    "wisdm-2019": "stillmotion.signals.sets.wisdm_2019",
    "opportunity": "stillmotion.signals.sets.opportunity",
    "opportunity-locomotion": "stillmotion.signals.sets.opportunity_locomotion",
    "shoaib": "stillmotion.signals.sets.shoaib",
}
#: Names used in papers.
ALIASES = {"sensors": "shoaib"}
EMBEDDED = "simulated"


class Reader(Protocol):
    """Interface of a data set's module."""

    CARD: Card
    VERSION: int
    files: Callable[[Path, str], list[Path]]
    read: Callable[[Path, str], Dataset]
    counts: Callable[[Path, Dataset], dict[str, int]]


def get_card(name: str) -> Card:
    """Return the card of a data set.

    Args:
        name: name of a data set, or its name in papers (``sensors`` for ``shoaib``).

    Returns:
        The card: source, licence, signal contract and published counts.

    Raises:
        UnknownName: no data set has this name.

    Example:
        >>> from stillmotion.signals import get_card
        >>> get_card("hapt").subjects, get_card("hapt").spec.rate
        (30, 50.0)
    """
    return get_reader(name).CARD


def list_cards() -> dict[str, Card]:
    """Return the cards of all data sets.

    Returns:
        Name to card, the built-in data set first.

    Example:
        >>> from stillmotion.signals import list_cards
        >>> list(list_cards())[:3]
        ['simulated', 'spar', 'hapt']
    """
    return {name: get_card(name) for name in MODULES}


def load(
    name: str = EMBEDDED,
    *,
    data: str | Path | None = None,
    sensors: str | Sequence[str] | None = None,
    cache: bool = True,
    mapping: TableMap | Proposal | Mapping[str, Any] | str | Path | None = None,
) -> Dataset:
    r"""Load the recordings of a published data set or of a table of your own.

    Args:
        name: a name of ``list_cards()`` (``simulated`` needs no files, ``spar`` is read from an installed package), or
            the path of a table, of a folder of tables or of a mapping's TOML.
        data: the folder that holds ``NAME/`` in the publisher's layout; ``STILLMOTION_DATA`` by default.
        sensors: sensors to keep, such as ``wrist.acc,wrist.gyr``.
        cache: store the converted recordings in the cache.
        mapping: how to read a table: a mapping, its values or the path of its TOML; by default the TOML of the same
            name in the table's folder, or else the mapping that ``propose_mapping`` proposes.

    Returns:
        The recordings. If a mapping was proposed, ``notes`` hold it.

    Raises:
        UserError: the name is unknown, files are missing, or a table cannot be read.

    Warns:
        ProposedMappingWarning: a table was read with a proposed mapping; the message holds the mapping.
        DataWarning: the folder holds only part of a data set; the message holds counts.

    Example:
        >>> from pathlib import Path
        >>> import stillmotion as sm
        >>> rows = [f"{who},{n / 50},walk,{n % 7},{n % 5},{n % 3}" for who in ("ann", "bob") for n in range(100)]
        >>> size = Path("walks.csv").write_text("\n".join(["subject,t,activity,ax,ay,az", *rows]))
        >>> known = {"files": "walks.csv", "subject": "subject", "label": "activity", "time": "t"}
        >>> data = sm.load("walks.csv", mapping=known | {"sensors": {"wrist.acc": ["ax", "ay", "az"]}})
        >>> data.subjects, data.spec.rate, data.spec.classes
        (('ann', 'bob'), 50.0, ('walk',))
    """
    name = ALIASES.get(name, name)
    if mapping is not None or (name not in MODULES and is_table(name, data)):
        given = propose_if_unmapped(name, data=data) if mapping is None else mapping
        if isinstance(given, Proposal):
            dataset = _read_proposed(given, cache)
        else:
            dataset = _read_mapped(find_mapping(name, given, data=data), cache)
        return dataset if sensors is None else select_sensors(dataset, sensors)
    module = get_reader(name)
    if name == EMBEDDED:
        from .simulated import generate

        dataset = generate()
    else:
        folder = find_folder(name, data)
        device = _choose_device(module.CARD, sensors)
        dataset = read_folder(module, folder, device) if cache else module.read(folder, device)
    parts = [note.text for note in dataset.notes if note.kind == "part of the set"]
    if parts:
        warnings.warn(f"{name}: {'; '.join(parts)}.", DataWarning, stacklevel=2)
    return dataset if sensors is None else select_sensors(dataset, sensors)


def read_folder(module: Reader, folder: Path, device: str = "") -> Dataset:
    """Read a data set's folder, through the cache."""
    key = f"{module.CARD.name}-{device}" if device else module.CARD.name
    return load_cached(key, module.VERSION, module.files(folder, device), lambda: module.read(folder, device))


def _read_proposed(proposal: Proposal, cache: bool) -> Dataset:
    dataset = _read_mapped(proposal.mapping(), cache)
    text = f"{proposal.path} has no mapping and was read with a proposed one: {proposal.describe()}"
    toml_path = proposal.default_toml
    hint = f"`still inspect {proposal.path} --save {toml_path}` saves it, so that you can correct it."
    warnings.warn(f"{text}. {hint}", ProposedMappingWarning, stacklevel=3)
    return replace(dataset, notes=(*dataset.notes, Note("proposed mapping", 1, text)))


def _read_mapped(table: TableMap, cache: bool) -> Dataset:
    listed = list_table_files(table)
    for path in listed:
        require_file(path)
    if not cache:
        return _read_named(table, listed)
    # File names are part of the key: they may hold the subject, the session or the label.
    names_digest = hashlib.sha256(f"{table}{listed}".encode()).hexdigest()[:16]
    return load_cached(f"table-{names_digest}", TABLE_VERSION, listed, lambda: _read_named(table, listed))


def _read_named(table: TableMap, listed: Sequence[Path]) -> Dataset:
    """Read a table; errors that do not name its file name the table."""
    try:
        return read_table(table)
    except UserError as reason:
        if not any(name in str(reason) for name in (table.name, *(path.name for path in listed))):
            reason.args = (f"{table.name}: {reason}",)
        raise


def find_folder(name: str, data: str | Path | None = None) -> Path:
    """Find the folder of a data set below ``data`` or ``STILLMOTION_DATA``, or else in the package that carries it."""
    card = get_card(name)
    root = data or os.environ.get("STILLMOTION_DATA")
    folder = Path(root).expanduser() / (card.folder or card.name) if root else None
    if folder is not None and folder.is_dir():
        return folder
    if card.package:
        return find_packaged(card)
    if folder is None:
        raise UserError(
            f"{name} is not built in: give the folder that holds {name}/ with --data (data= in Python) "
            f"or STILLMOTION_DATA."
        )
    layout = "; ".join(card.layout)
    raise UserError(f"{folder} is not there; {root} must hold {folder.name}/ with {layout}.")


def find_packaged(card: Card) -> Path:
    """Find a data set's folder in the installed package that carries it, without importing the package."""
    package = card.package_folder.partition("/")[0]
    try:
        spec = find_spec(package)
    except ValueError:  # A module without a spec has taken the name.
        spec = None
    for location in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(location).parent / card.package_folder
        if folder.is_dir():
            return folder
    raise UserError(
        f"{card.name} is read from the Python package {package}, and {card.package} is not installed: run "
        f"`python -m pip install --no-deps {card.package}`, or give the folder that holds {card.name}/ with --data."
    )


def get_reader(name: str) -> Reader:
    """Return the module that reads a data set."""
    name = ALIASES.get(name, name)
    if name not in MODULES:
        raise UnknownName("data set", name, list(MODULES))
    return cast(Reader, import_module(MODULES[name]))


def _choose_device(card: Card, sensors: str | Sequence[str] | None) -> str:
    """Return the device that the sensors belong to, for sets whose devices are read one at a time."""
    if not card.devices:
        return ""
    names = [] if sensors is None else sensors.split(",") if isinstance(sensors, str) else list(sensors)
    positions = {name.strip().split(".")[0] for name in names} & set(card.devices)
    if len(positions) > 1:
        raise UserError(
            f"{card.name} has separate clocks on {' and '.join(sorted(positions))}; choose sensors of one position."
        )
    return positions.pop() if positions else card.devices[0]
