"""Options: a dataclass in, checks, schema and canonical JSON out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from uploads.errors import RequestError
from uploads.operations import option, upload_option
from uploads.operations.options import canonical, fields_of, parse_options, schema


@dataclass(frozen=True)
class Some:
    width: int = option(1600, "Longest side.", min=16, max=100_000, unit="pixels")
    share: float = option(0.5, "A share.", min=0, max=1)
    format: Literal["webp", "jpeg"] = option("webp", "Format.", choices={"webp": "WebP"})
    sharp: bool = option(False, "Sharpen.")
    sizes: tuple[int, ...] = option((), "Sizes.", min=1, max=10_000)
    note: str = option("", "A note.", max_length=5)
    limit: int | None = option(None, "A limit.", min=1)
    logo: Path | None = upload_option("A logo.", accepts=["image/*"])  # noqa: RUF009


def test_what_forms_send_and_what_json_sends_mean_the_same() -> None:
    from_form = {"width": "100", "share": "0.25", "sharp": "on", "sizes": "1600, 320", "limit": ""}
    from_json = {"width": 100, "share": 0.25, "sharp": True, "sizes": [1600, 320], "limit": None}
    assert parse_options(Some, from_form) == parse_options(Some, from_json)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"width": 15}, "at least 16"),
        ({"width": 100_001}, "at most 100000"),
        ({"width": True}, "a number"),
        ({"width": "wide"}, "a number"),
        ({"share": "nan"}, "at least 0"),
        ({"format": "gif"}, "webp, jpeg"),
        ({"sharp": "perhaps"}, "yes or no"),
        ({"sizes": [0]}, "at least 1"),
        ({"sizes": list(range(1, 20))}, "at most 12"),
        ({"note": "too long"}, "at most 5 characters"),
        ({"note": "a\nb"}, "control characters"),
        ({"limit": 0}, "at least 1"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_label(
    values: dict[str, Any], words: str
) -> None:
    with pytest.raises(RequestError) as caught:
        parse_options(Some, values)
    assert words in caught.value.text
    assert next(iter(values)).capitalize() in caught.value.text


def test_an_unknown_option_is_refused_and_the_known_ones_named() -> None:
    with pytest.raises(RequestError) as caught:
        parse_options(Some, {"colour": "red"})
    assert caught.value.code == "unknown_field"
    assert "width" in caught.value.fix


def test_canonical_options_are_complete_and_come_back_unchanged() -> None:
    options = parse_options(Some, {"sizes": "3,2", "logo": "ab" * 16})
    assert list(canonical(options)) == [field.name for field in fields_of(Some)]
    assert canonical(parse_options(Some, canonical(options))) == canonical(options)


def test_the_schema_refuses_what_the_parser_refuses() -> None:
    described = schema(Some)
    assert described["additionalProperties"] is False
    width = described["properties"]["width"]
    assert (width["type"], width["minimum"], width["maximum"]) == ("integer", 16, 100_000)
    assert described["properties"]["format"]["enum"] == ["webp", "jpeg"]


@dataclass(frozen=True)
class Letter:
    text: str = option("Dear", "What to write.", multiline=True, examples={"Short": "Hello\nthere"})


def test_only_a_text_of_several_lines_holds_line_ends() -> None:
    assert parse_options(Letter, {"text": "a\r\n\tb"}).text == "a\n\tb"
    with pytest.raises(RequestError, match="control characters"):
        parse_options(Letter, {"text": "a\x1bb"})
    with pytest.raises(RequestError, match="control characters"):
        parse_options(Some, {"note": "a\nb"})


def test_examples_are_described() -> None:
    (described,) = fields_of(Letter)
    assert (described.multiline, described.examples) == (True, (("Short", "Hello\nthere"),))
