"""One question of a text: what divides statements, and what only looks so."""

import pytest

from uploads.errors import InputError
from uploads.operations.db_asked import only_question

ONE = [
    ("SELECT 1", "SELECT 1"),
    ("SELECT 1;", "SELECT 1"),
    ("SELECT 1 ; -- done; really", "SELECT 1"),
    ("/* a; b */ SELECT ';'", "/* a; b */ SELECT ';'"),
    ("SELECT a #>> '{x}' FROM t;", "SELECT a #>> '{x}' FROM t"),
    ("SELECT $a$;$a$, \"a;b\", E'\\';'", "SELECT $a$;$a$, \"a;b\", E'\\';'"),
    ("SELECT 'it''s; so'", "SELECT 'it''s; so'"),
]


@pytest.mark.parametrize(("text", "question"), ONE)
def test_one_question_is_found(text: str, question: str) -> None:
    assert only_question(text) == question


def test_a_backslash_escapes_in_mysql_only() -> None:
    text = r"SELECT 'it\'s; so'"
    assert only_question(text, escapes=True) == text
    with pytest.raises(InputError):
        only_question(r"SELECT '\'; SELECT '2'")


@pytest.mark.parametrize("text", ["", ";", "-- only this", "/* a */ ;", "SELECT 1; SELECT 2"])
def test_none_and_several_are_refused(text: str) -> None:
    with pytest.raises(InputError) as refused:
        only_question(text)
    assert refused.value.code == "db_refused"
