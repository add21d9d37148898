"""The catalogue: each code a sentence and a fix, whatever values it gets."""

import string

import pytest

from uploads.catalogue import CATALOGUE
from uploads.errors import InputError, remedy, sentence


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_an_entry_is_a_sentence_with_a_fix_and_a_status(code: str) -> None:
    entry = CATALOGUE[code]
    assert entry.sentence[-1] in ".:})"
    assert entry.fix.endswith((".", "}"))
    assert 400 <= entry.status < 600
    for text in (entry.sentence, entry.fix):
        fields = [field for _, field, _, _ in string.Formatter().parse(text) if field]
        assert all(field.isidentifier() for field in fields)


def test_a_missing_value_shows_as_an_ellipsis_and_an_old_code_names_itself() -> None:
    assert "…" in sentence("not_an_image", {})
    assert "gone_code" in sentence("gone_code", {})
    assert remedy("gone_code", {}) == ""


def test_markup_in_a_name_stays_text() -> None:
    name = "{0.__class__}<b>.jpg"
    assert name in InputError("not_an_image", name=name).text


def test_an_operation_of_ones_own_says_its_own_words_braces_and_all() -> None:
    error = InputError.because("“{name}.txt” is no poem.", "Write {verses}.")
    assert (error.code, error.text, error.fix) == (
        "operation_says",
        "“{name}.txt” is no poem.",
        "Write {verses}.",
    )


def test_a_code_of_ones_own_is_refused_with_the_way_to_say_it() -> None:
    with pytest.raises(ValueError, match=r"InputError\.because"):
        InputError("not_a_poem")
