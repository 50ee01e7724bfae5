"""docs/formulas.py translates the losses of docstrings to TeX and draws them without a network."""

import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from stillmotion.methods import METHODS

SPEC = spec_from_file_location("formulas", Path(__file__).parents[1] / "docs" / "formulas.py")
formulas = sys.modules["formulas"] = module_from_spec(SPEC)
SPEC.loader.exec_module(formulas)
#: Written by hand from the papers' notation.
TEX = {
    "L = α · L_stud + (1 − α) · T² · KL(q_T ‖ q_S), softened at temperature T.": (
        r"L = \alpha \cdot L_{\mathrm{stud}} + (1 - \alpha) \cdot T^{2} \cdot \mathrm{KL}(q_{T} \parallel q_{S})"
        r"\text{,}\text{softened}\text{at}\text{temperature}T."
    ),
    "L = L_stud − γ · Σ_{i≠t} T̂_i log Ŝ_i.": (
        r"L = L_{\mathrm{stud}} - \gamma \cdot \sum_{i\neq t} \hat{T}_{i} \mathrm{log} \hat{S}_{i}."
    ),
    "L = ‖G_S − G_T‖²_F / B², G = E Eᵀ": (r"L = \Vert G_{S} - G_{T}\Vert ^{2}_{F} / B^{2}\text{,}G = E E^{\top}"),
}


def without_spaces(tex):
    return re.sub(r"\\allowbreak|\\,|\\ |\s", "", tex)


@pytest.mark.parametrize("loss", TEX)
def test_a_loss_in_docstring_notation_becomes_the_tex_that_a_hand_writes(loss):
    assert without_spaces(formulas.to_tex(loss)) == without_spaces(TEX[loss])


def names_and_numbers(text):
    """Every word, symbol and number in order, without what only typesets them."""
    raised = str.maketrans({"²": " 2", "³": " 3", "ᵀ": " ⊤"})
    return re.findall(r"\d+|[^\W\d_]+|⊤", text.translate(raised).replace("T̂", "T").replace("Ŝ", "S"))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_s_loss_keeps_all_its_names_and_is_drawn(name):
    loss = METHODS[name].objective.__doc__.strip().splitlines()[0]
    tex = formulas.to_tex(loss)
    back = {value.strip(): key for key, value in formulas.SYMBOLS.items()} | {r"\top": "⊤"}
    text = re.sub(r"\\(?:text|mathrm|hat|allowbreak)\b|\\[ ,]", " ", tex)
    text = re.sub(r"\\[A-Za-z]+", lambda command: f" {back.get(command[0], '')} ", text)
    assert names_and_numbers(text) == names_and_numbers(loss)
    html = formulas.to_html(tex)
    assert html.count("<svg") >= 2
    assert "http" not in html


@pytest.mark.parametrize("tex", [r"F_c = \frac{2 h_c}{t_c + p_c}, \qquad \text{macro-F1} = \frac1C \sum_c F_c .", "x"])
def test_tex_of_guides_is_drawn_with_a_line_end_at_every_quad(tex):
    assert formulas.to_html(tex).count("<svg") == tex.count("quad") + 1
