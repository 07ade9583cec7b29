"""Names of recordings: valid everywhere, inside the root, and one for each."""

import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PureWindowsPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathvalidate import is_valid_filename

from g2a_async.archive.names import KEYS, Template, path_of, same, sidecar_of

START = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
NO_KEYS: Mapping[str, str | None] = dict.fromkeys(KEYS)


@pytest.mark.parametrize(
    ("text", "stem"),
    [
        ("{started:%Y/%m/%d}/{recording_id}", "2024/05/06/7"),
        ("{started:%Y/%m/%d}/{recording_id}.mp4", "2024/05/06/7"),
        ("{recording_id}", "7"),
        ("{started}_{recording_id}", "20240506T070809Z_7"),
        ("{started:%G-W%V-%u}/{recording_id}", "2024-W19-1/7"),
        ("{started:%y%j %H.%M.%S} {recording_id}", "24127 07.08.09 7"),
        ("{company_id}/{account_key} {user_key}/{recording_id}", "c/a u/7"),
        ("Sitzungen für {company_id}/{recording_id} {{x}}", "Sitzungen für c/7 {x}"),
        (unicodedata.normalize("NFD", "é/{recording_id}"), "é/7"),
    ],
)
def test_a_template_gives_a_path(text: str, stem: str) -> None:
    """Fields are filled in, dates make folders, and what is not ASCII stays, composed."""
    keys = {"company_id": "c", "account_key": "a", "user_key": "u"}
    assert Template(text).stem(7, START, keys) == stem


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "must be a text"),
        ("{started:%Y}", "must hold {recording_id}"),
        ("{recording_id", "cannot be read"),
        ("{recording_id}/{title}", "no field {title}"),
        ("{recording_id}{0}", "no field {0}"),
        ("{recording_id!r}", "no field"),
        ("{recording_id.real}", "no field"),
        ("{recording_id:>9}", "takes no format"),
        ("{started:%B}{recording_id}", "%B"),
        ("{started:%}{recording_id}", "has %"),
        ("{started:{recording_id}}{recording_id}", "in its format"),
        ("../{recording_id}", "not a path"),
        ("a/../../{recording_id}", "not a path"),
        ("/{recording_id}", "not a path"),
        ("a//{recording_id}", "not a path"),
        ("{recording_id}/", "not a path"),
        ("C:/{recording_id}", "not a path"),
        ("a\\{recording_id}", "not a path"),
        ("con/{recording_id}", "not a path"),
        ("AUX.x/{recording_id}", "not a path"),
        ("CONIN$/{recording_id}", "not a path"),
        ("a./{recording_id}", "not a path"),
        ("a /{recording_id}", "not a path"),
        ("{recording_id}?", "not a path"),
        ("{started:%H:%M}/{recording_id}", "not a path"),
        ("{started:../..}/{recording_id}", "not a path"),
        ("x\0{recording_id}", "not a path"),
        ("\u202egpj.{recording_id}", "not a path"),
        (".g2a-archive.sqlite3/{recording_id}", "not a path"),
        ("{recording_id}.json", "not a path"),
        ("{recording_id}.events", "not a path"),
        ("x" * 250 + "{recording_id}", "not a path"),
        ("/".join(["0123456789"] * 20) + "/{recording_id}", "characters"),
    ],
)
def test_a_template_that_cannot_work_is_refused(text: str, told: str) -> None:
    """The message says what is wrong with it, before anything is asked or written."""
    with pytest.raises(ValueError, match="template") as caught:
        Template(text)
    assert told in str(caught.value)


def test_a_recording_without_a_start_has_a_place() -> None:
    """Where nobody knows when it began, the date is one word."""
    assert Template("{started:%Y/%m/%d}/{recording_id}").stem(7, None, NO_KEYS) == "undated/7"


def test_parts_have_their_extensions() -> None:
    """All files of a recording lie side by side; a picture is called what its address says."""
    parts: list[Any] = ["mp4", "events", "thumbnail"]
    assert [path_of("a/7", part) for part in parts] == ["a/7.mp4", "a/7.events.json", "a/7.png"]
    assert path_of("a/7", "thumbnail", "https://h/x.JPG?sig=.png") == "a/7.jpg"
    assert sidecar_of("a/7") == "a/7.json"


LITERALS = st.text(st.sampled_from("ab/.-_ é%:\\?CON{}\0~"), max_size=12)
FIELDS = st.sampled_from(["{started}", "{started:%Y/%m}", "{account_key}", "{user_key}", "{company_id}"])
TEMPLATES = st.lists(LITERALS | FIELDS, max_size=4).flatmap(
    lambda some: st.permutations([*some, "{recording_id}"]).map("".join)
)
VALUES = st.one_of(st.none(), st.text(max_size=120), st.sampled_from(["..", "../..", "/etc", "CON", "a/b", "x.mp4"]))
STARTS = st.none() | st.datetimes(timezones=st.just(UTC))


@given(TEMPLATES, st.integers(0, 2**64), STARTS, st.fixed_dictionaries(dict.fromkeys(KEYS, VALUES)))
def test_every_name_is_valid_everywhere(
    text: str, number: int, start: datetime | None, keys: dict[str, str | None]
) -> None:
    """Whatever the template and the values: each component is valid on every system, and none leads outside."""
    try:
        template = Template(text)
    except ValueError:
        return
    stem = template.stem(number, start, keys)
    for part in ("mp4", "events", "thumbnail"):
        path = path_of(stem, part)
        assert unicodedata.is_normalized("NFC", path)
        assert not PureWindowsPath(path).is_absolute()
        assert not PureWindowsPath(path).is_reserved()
        assert str(number) in path
        for component in path.split("/"):
            assert component.strip(". ")
            assert len(f"{component}.part.json.new".encode()) <= 255
            for platform in ("windows", "linux", "macos"):
                assert is_valid_filename(component, platform=platform)


@given(st.text(max_size=300))
def test_a_value_is_one_part_of_a_path(value: str) -> None:
    """A value makes no folders, and a long one is cut so that it differs from others with the same beginning."""
    template = Template("{user_key}/{recording_id}")
    stem = template.stem(7, START, {"user_key": value})
    assert stem.count("/") == 1
    longer = template.stem(7, START, {"user_key": f"{value}x" * 90})
    assert longer != template.stem(7, START, {"user_key": f"{value}x" * 90 + "y"})


@given(st.integers(0, 2**64), st.integers(0, 2**64), STARTS)
def test_two_recordings_have_two_names(one: int, other: int, start: datetime | None) -> None:
    """With the default template no two are called the same, also where case counts for nothing."""
    template = Template("{started:%Y/%m/%d}/{recording_id}")
    stems = {same(template.stem(number, start, NO_KEYS)) for number in (one, other)}
    assert len(stems) == len({one, other})
