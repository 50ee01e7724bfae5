"""Networks, methods and classifiers of the user's own: what a folder keeps, so that others can read it without them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import keras

from ..errors import UserError
from ..features import own_classifiers, register_classifier
from ..methods import METHODS, Method, Range, register_method
from ..methods.registry import BUILT_IN
from ..networks import build_network, list_networks, register_network
from ..networks.own import make_network
from .index import WindowIndex
from .plan import fingerprint_own
from .runs import CODES, code_of
from .spec import Study


class _Absent:
    """Stands for a classifier that is not here; ``code`` is its fingerprint."""

    def __init__(self, code: str) -> None:
        self.code = code

    def get_params(self, **_: Any) -> dict[str, Any]:
        """Return its parameters: none."""
        return {}

    def fit(self, *_: Any) -> None:
        """Refuse to fit."""
        raise UserError("This classifier is not registered here; give it with run_study(…, classifiers=).")

    predict_proba = fit


def describe_own(study: Study, index: WindowIndex) -> dict[str, Any]:
    """Describe the networks, methods and classifiers of the user's own that a study uses, as plain values."""
    variants = study.all_variants.values()
    names = {study.networks.student, *study.networks.teacher}
    names |= {name for variant in variants for name in (variant.network, variant.assistant) if name}
    used = [network.name for network in list_networks() if network.own and network.name in names]
    networks = {name: [fingerprint_own(name, index.spec), build_network(name, index.spec).to_json()] for name in used}
    methods = {name: _describe(METHODS[name]) for name in sorted({variant.method for variant in variants} - BUILT_IN)}
    baselines = (study.known_baselines[name].classifier for name in (*study.baselines, *study.classifier_teachers))
    classifiers = {name: code_of(name) for name in baselines if name in own_classifiers()}
    return {"networks": networks, "methods": methods, "classifiers": classifiers}


def restore_own(kept: Mapping[str, Any]) -> None:
    """Register what ``describe_own`` described and is not registered here, to be shown but not trained."""
    known = {network.name for network in list_networks()}
    for name, (fingerprint, text) in kept.get("networks", {}).items():
        if name not in known:
            try:
                network = make_network(keras.models.model_from_json(text), name)
                register_network(replace(network, fingerprint=fingerprint))
            except (TypeError, ValueError) as problem:
                reason = str(problem).strip().splitlines()[0]
                raise UserError(
                    f"The network {name} of this study cannot be rebuilt ({reason}): import its layers and register it "
                    f"with stillmotion.networks.register_network."
                ) from None
    for name, values in kept.get("methods", {}).items():
        if name not in METHODS:
            spaces = {key: Range(**space) for key, space in values["hyperparameters"].items()}
            options = {key: tuple(choices) for key, choices in values["options"].items()}
            method = Method(
                name=name,
                title=values["title"],
                source=values["source"],
                objective=lambda *_: {},
                student_taps=tuple(values["student_taps"]),
                teacher_taps=tuple(values["teacher_taps"]),
                attention=tuple(values["attention"]),
                hyperparameters=spaces,
                options=options,
                trains_teacher=values["trains_teacher"],
            )
            register_method(method)
            CODES[id(method)] = (method, values["code"])
    for name, code in kept.get("classifiers", {}).items():
        if name not in own_classifiers():
            register_classifier(name, _Absent(code))


def _describe(method: Method) -> dict[str, Any]:
    return {
        "title": method.title,
        "source": method.source,
        "student_taps": method.student_taps,
        "teacher_taps": method.teacher_taps,
        "attention": method.attention,
        "hyperparameters": {
            name: {"default": space.default, "low": space.low, "high": space.high, "log": space.log}
            for name, space in method.hyperparameters.items()
        },
        "options": method.options,
        "trains_teacher": method.trains_teacher,
        "code": code_of(method.name),
    }
