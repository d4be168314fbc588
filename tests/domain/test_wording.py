"""Wording reads right for one baby, for several, and without a name."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from babymind.domain.wording import BABY_PLACEHOLDERS, name_list, placeholders, render
from babymind.errors import InvalidInputError

Names = Sequence[str | None]

names = st.lists(st.one_of(st.none(), st.text(max_size=12)), max_size=4)
pieces = st.sampled_from(
    [*(f"{{{name}}}" for name in sorted(BABY_PLACEHOLDERS)), "{likes|like}", "{|s}", "{service}", " ", "and", "."]
)
templates = st.lists(pieces, max_size=12).map("".join)


@pytest.mark.fault(110)
@pytest.mark.parametrize(
    ("babies", "told"),
    [
        (["Robin"], "Robin likes Robin's voice."),
        ([None], "Your baby likes your baby's voice."),
        (["Ada", "Ben"], "Ada and Ben like Ada and Ben's voice."),
        ([None, None], "Your babies like your babies' voice."),
        (["Ada", "Ben", "Cy"], "Ada, Ben and Cy like Ada, Ben and Cy's voice."),
        (["Ada", None], "Your babies like your babies' voice."),
        (["  "], "Your baby likes your baby's voice."),
        ([" Robin "], "Robin likes Robin's voice."),
        (["de Souza"], "de Souza likes de Souza's voice."),
        ([], "Your baby likes your baby's voice."),
    ],
)
def test_a_text_reads_right_for_every_family(babies: Names, told: str) -> None:
    assert render("{Baby} {likes|like} {babys} voice.", babies) == told


def test_they_are_the_same_for_everybody() -> None:
    template = "{They} know {them}, {their} own: {they}. {Their} {face|faces}."

    assert render(template, ["Ada"]) == "They know them, their own: they. Their face."
    assert render(template, ["Ada", "Ben"]) == "They know them, their own: they. Their faces."


def test_values_are_put_in_as_they_are() -> None:
    assert render("{baby} and {caregiver}", ["{they}"], caregiver="{baby} {x|y} {") == "{they} and {baby} {x|y} {"


def test_a_value_cannot_stand_for_the_baby() -> None:
    assert render("{baby}", ["Ada"], baby="nobody") == "Ada"


@pytest.mark.parametrize(
    ("template", "named"),
    [
        ("Dear {babby}", r"\{babby\}"),
        ("Dear {}", r"\{\}"),
        ("Dear {a|b|c}", r"\{a\|b\|c\}"),
        ("Dear {baby", r"brace \{"),
        ("Dear baby}", r"brace \}"),
        ("Dear {{baby}}", r"brace \{"),
    ],
)
def test_an_unknown_placeholder_is_named(template: str, named: str) -> None:
    with pytest.raises(InvalidInputError, match=named):
        render(template, ["Ada"])


@pytest.mark.parametrize("template", ["{", "}", "{}", "{ baby }", "{a|b|c}", "{ba{by}"])
def test_braces_that_are_no_placeholder_are_refused(template: str) -> None:
    with pytest.raises(InvalidInputError):
        placeholders(template)


def test_placeholders_are_the_names_and_not_the_choices() -> None:
    assert placeholders("{Baby} {likes|like} {service}, {baby}.") == {"Baby", "service", "baby"}


@given(template=templates, babies=names, service=st.text(max_size=8))
def test_render_never_raises_for_any_names(template: str, babies: list[str | None], service: str) -> None:
    told = render(template, babies, service=service)

    given_braces = any("{" in value or "}" in value for value in (*filter(None, babies), service))
    assert given_braces or not {"{", "}"} & set(told)


@given(babies=names)
def test_every_named_baby_is_in_the_list(babies: list[str | None]) -> None:
    listed = name_list(babies)

    assert listed.startswith("your bab") or all(name and name.strip() in listed for name in babies)
