"""Leave out of a study the variants that are too large for its budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..errors import UserError
from ..networks import build_network, network_cost
from ..signals import SignalSpec
from .budget import parse_budget
from .spec import Study


def leave_out_too_large(study: Study, spec: SignalSpec) -> Study:
    """Return a study without the variants that exist only to be recommended and cannot be.

    A variant with a network of its own (``network`` in ``[variant.NAME]``) is a candidate for the budget. The variants
    of the study's student are what the study compares, and those in ``compare`` answer a question of their own: they
    stay, whatever their size, and so do teachers.

    Args:
        study: the specification.
        spec: the signal, whose shape decides the size of a network.

    Returns:
        The study itself where every candidate fits, or without a budget.

    Raises:
        UserError: every variant is a candidate, and none fits.
    """
    budget = parse_budget(study.budget)
    if budget is None:
        return study
    sizes = _candidate_bytes(study, spec)
    if sizes and len(sizes) == len(study.variants) and min(sizes.values()) > budget:
        smallest = min(sizes, key=sizes.__getitem__)
        raise UserError(
            f"No network of this study fits into {study.budget}: the smallest, {smallest}, stores {sizes[smallest]:,} "
            f"bytes. Raise the budget, or take shorter windows, fewer channels or a smaller network."
        )
    kept = tuple(name for name in study.variants if name in study.compare or sizes.get(name, 0) <= budget)
    # A tuple of none would be no study: those of the primary comparison are then all that is trained.
    return study if kept == study.variants else replace(study, variants=kept or study.compare)


def _candidate_bytes(study: Study, spec: SignalSpec) -> Mapping[str, int]:
    """Count the bytes at int8 of the variants with networks of their own, without attention, which adds to them."""
    networks = {name: study.all_variants[name].network for name in study.variants}
    stored = {
        network: network_cost(build_network(network, spec, seed=0)).weight_bytes_int8
        for network in dict.fromkeys(networks.values())
        if network
    }
    return {name: stored[network] for name, network in networks.items() if network}
