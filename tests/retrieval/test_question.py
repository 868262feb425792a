"""What a question says outright."""

from __future__ import annotations

import time

import pytest

from retrieval.question import FRAMES, LIMIT, Place, read

PYTHON = """The upload fails since today, why?
Traceback (most recent call last):
  File "/usr/lib/python3.11/site-packages/heron/routing.py", line 76, in app
    response = await handle(request)
               ^^^^^^^^^^^^^^^^^^^^^
  File "/srv/app/heron/forms.py", line 207, in on_headers_finished
    raise TooMany(f"Too many files.")
heron.forms.TooManyError: Too many files. Maximum number of files is 1000.
"""
JAVA = """Exception in thread "main" java.lang.IllegalStateException: The buoy is not moored
	at org.heron.Buoy.sweep(Buoy.java:41)
	at org.heron.Main.main(Main.java:7)
"""
JAVASCRIPT = """TypeError: Cannot read properties of undefined (reading 'tide')
    at readTide (/app/src/tide.js:10:5)
    at async main (src/main.js:3:1)
"""


def test_a_python_trace_gives_the_frame_nearest_to_its_error_first() -> None:
    assert read(PYTHON).places == (
        Place("/srv/app/heron/forms.py", 207, "on_headers_finished"),
        Place("/usr/lib/python3.11/site-packages/heron/routing.py", 76, "app"),
    )


def test_a_trace_is_searched_for_by_what_was_asked_its_error_and_its_functions() -> None:
    text = read(PYTHON).text
    assert text.startswith("The upload fails since today, why? heron.forms.TooManyError Too many files.")
    assert "on_headers_finished" in text
    assert "await" not in text
    assert "Traceback" not in text


def test_the_words_of_a_message_that_do_not_change_are_looked_for_as_they_are() -> None:
    assert "Too many files. Maximum number of files is" in read(PYTHON).exact
    assert read("ValueError: Directory '/srv/x' does not exist at all").exact == ("does not exist at all",)


@pytest.mark.parametrize(
    ("trace", "places"),
    [
        (JAVA, (Place("Buoy.java", 41, "sweep"), Place("Main.java", 7, "main"))),
        (JAVASCRIPT, (Place("/app/src/tide.js", 10, "readTide"), Place("src/main.js", 3, "main"))),
    ],
)
def test_traces_whose_error_stands_first_are_read_from_there(trace: str, places: tuple[Place, ...]) -> None:
    assert read(trace).places == places


def test_the_end_of_a_long_trace_is_read() -> None:
    noise = '  File "/srv/noise.py", line 1, in wrapper\n    return call()\n' * 3_000
    asked = read(noise + PYTHON)
    assert len(noise) > 100_000
    assert asked.places[0] == Place("/srv/app/heron/forms.py", 207, "on_headers_finished")
    assert "Too many files" in asked.text
    assert len(asked.text) <= LIMIT
    assert len(asked.places) <= FRAMES


def test_of_a_long_paste_the_beginning_and_the_end_are_read() -> None:
    text = read("alpha " + "noise " * 30_000 + "omega").text
    assert text.startswith("alpha ")
    assert text.endswith(" omega")
    assert len(text) <= LIMIT


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("What is in heron/forms.py?", Place("heron/forms.py")),
        (r"open src\heron\forms.py please", Place("src/heron/forms.py")),
        ("tests/test_tide.py:12 fails", Place("tests/test_tide.py", 12)),
        ("tide.rb:9:in `ebb'", Place("tide.rb", 9, "ebb")),
    ],
)
def test_files_are_read_with_their_lines(query: str, place: Place) -> None:
    assert read(query).places == (place,)


@pytest.mark.parametrize("query", ["A comedy by D.P. Varma", "Is it e.g. Rome?", "Ask Mr.Smith", "see https://a.org/b"])
def test_initials_and_addresses_are_no_files(query: str) -> None:
    assert read(query).places == ()


def test_quotations_dates_and_versions_are_looked_for_as_they_are() -> None:
    asked = read('What says "too many  files" in v2.13 of 2024-05-01?')
    assert asked.exact == ("too many files", "2024-05-01", "2.13")
    assert " 2.13 " in asked.text


@pytest.mark.parametrize(
    ("query", "sides"),
    [
        ("Which film came out first, Hello Love or Grand Saline?", ("Hello Love", "Grand Saline")),
        ("which of Tide and Ebb is older", ("Tide", "Ebb")),
        ("JsonLinesExporter vs JsonExporter", ("JsonLinesExporter", "JsonExporter")),
        ("Tide or Ebb?", ("Tide", "Ebb")),
        ("What is the difference between a task and a job?", ("a task", "a job")),
        ("Are both Hello Love and Grand Saline in Texas?", ("Hello Love", "Grand Saline")),
        ("Who directed the film that was shot in or around Leland?", ()),
        ("How is it read and written?", ()),
    ],
)
def test_the_two_sides_of_a_comparison_are_told(query: str, sides: tuple[str, ...]) -> None:
    assert read(query).sides == sides


@pytest.mark.parametrize("query", ["", "  \n\t", "\x00\x07\x1b", "\ud800"])
def test_a_query_without_text_asks_nothing(query: str) -> None:
    assert read(query).text == ""


@pytest.mark.parametrize(
    "piece", ["a", "a.", "a/", '"', "at ", "at a(", 'File "', "E ", "1.", ", or ", "both ", "x.y:1:", "\x00", "Error: "]
)
def test_a_hundred_thousand_characters_are_read_in_a_second(piece: str) -> None:
    began = time.perf_counter()
    assert len(read(piece * (100_000 // len(piece))).text) <= LIMIT
    assert time.perf_counter() - began < 5  # 0.4 s at the most on a quiet machine
