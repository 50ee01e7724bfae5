"""Distillation methods, one file each.

A method names the taps and hyperparameters that it needs; its objective is a pure function that returns named loss
terms. It knows nothing of training loops, data or files.
"""

from ..errors import UnknownName
from .arrows import TracedTerm, trace_terms
from .at import AT
from .code import method_code
from .crd import CRD
from .dist import DIST
from .dkd import DKD
from .dml import DML
from .fitnet import FITNET
from .hmkd import HMKD
from .kd import KD
from .lm import LM
from .lm_att import LM_ATT
from .ls_kd import LS_KD
from .method import Batch, IncompatibleNetworks, Method, Range, find_taps
from .mlld import MLLD
from .nkd import NKD
from .ofa import OFA
from .pkt import PKT
from .rab_kd import RAB_KD
from .rb_kd import RB_KD
from .rb_kd_att import RB_KD_ATT
from .reviewkd import REVIEWKD
from .rkd import RKD
from .simkd import SIMKD
from .sp import SP
from .takd import TAKD
from .vid import VID

_AGAC_INCEL = (LM, LM_ATT, RB_KD, RB_KD_ATT, RAB_KD)
_LOGITS = (KD, LS_KD, DKD, NKD, DIST, MLLD, OFA, TAKD)
_FEATURES = (FITNET, AT, SP, RKD, PKT, VID, CRD, REVIEWKD, SIMKD)
_MUTUAL = (DML, HMKD)

METHODS = {method.name: method for method in (*_AGAC_INCEL, *_LOGITS, *_FEATURES, *_MUTUAL)}


def get_method(name: str | Method, **options: str) -> Method:
    """Look up a method by name.

    Args:
        name: one of ``METHODS``; a ``Method`` is returned with the options set.
        options: values of the method's options, such as ``project="teacher"``.

    Returns:
        The method with these options.

    Raises:
        UnknownName: no method has this name, or no such option or value exists.

    Example:
        >>> from stillmotion.methods import get_method
        >>> get_method("kd").name
        'kd'
    """
    if not isinstance(name, Method):
        if name not in METHODS:
            raise UnknownName("method", name, list(METHODS))
        name = METHODS[name]
    return name.choose(options)


__all__ = [
    "METHODS",
    "Batch",
    "IncompatibleNetworks",
    "Method",
    "Range",
    "TracedTerm",
    "find_taps",
    "get_method",
    "method_code",
    "trace_terms",
]
