"""Charts say their numbers in writing, are well-formed, and nothing in them comes unescaped from outside."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from evals.charts import WIDTH, Bar, bars, binned, histogram


def drawn(chart: str, tag: str) -> list[ElementTree.Element]:
    """The elements of a kind; a chart that is no XML fails here."""
    return list(ElementTree.fromstring(chart).iter(tag))


def test_a_bar_is_as_long_as_its_share_and_its_whisker_spans_the_interval() -> None:
    chart = bars("f1 by type", [Bar("half", 0.5, 0.25, 0.75, 8), Bar("whole", 1.0, 1.0, 1.0, 8)])
    half, whole = (float(bar.get("width", "")) for bar in drawn(chart, "rect"))
    left, room = float(drawn(chart, "rect")[0].get("x", "")), whole
    assert half == pytest.approx(whole / 2)
    path = drawn(chart, "path")[0].get("d", "")
    assert path.startswith(f"M{left + room / 4:.1f} ")
    assert f"H{left + 3 * room / 4:.1f}M" in path


def test_a_chart_is_an_image_with_a_name_and_its_numbers_for_who_cannot_see_it() -> None:
    root = ElementTree.fromstring(bars("f1 by type", [Bar("bridge", 0.525, 0.4, 0.6, 12)]))
    assert (root.get("role"), root.get("aria-label")) == ("img", "f1 by type: bridge 52.5 %")
    assert root.findtext("title") == "f1 by type"
    assert "bridge: 52.5 %, 95 % from 40.0 to 60.0, 12 questions" in [g.findtext("title") for g in root.iter("g")]


def test_what_lies_outside_a_share_stays_inside_the_chart() -> None:
    (bar,) = drawn(bars("odd", [Bar("odd", 7.0, -3.0, 9.0, 1)]), "rect")
    assert float(bar.get("x", "")) + float(bar.get("width", "")) <= WIDTH


def test_a_hostile_label_stays_text() -> None:
    label = '<script>alert(1)</script>" onload="x\u202e'
    for chart in (bars(label, [Bar(label, 0.5, 0.4, 0.6, 1)]), histogram(label, [1.0], {label: 1.0}, label)):
        assert {element.tag for element in ElementTree.fromstring(chart).iter()} <= {
            "svg", "title", "desc", "g", "text", "rect", "path", "line",
        }  # fmt: skip
        assert "\u202e" not in chart


def test_values_are_counted_in_equal_steps_up_to_the_99th_percentile() -> None:
    counts, top, over = binned([*([1.0] * 198), 2.0, 1000.0])
    assert top == pytest.approx(1.01)  # a hundredth of the way from the 198th value to the 199th
    assert (sum(counts), counts[-1], over) == (200, 200, 2)


@pytest.mark.parametrize("values", [[], [0.0, 0.0]])
def test_nothing_and_zeros_are_drawn_without_a_division(values: list[float]) -> None:
    chart = histogram("tokens", values, {}, "tokens")
    assert len(drawn(chart, "rect")) == 20
    assert "nan" not in chart


def test_marks_that_are_close_keep_their_lines_and_one_name() -> None:
    chart = histogram("seconds", [1.0] * 50 + [2.0] * 50, {"p50": 1.0, "p90": 1.01, "p95": 1.5}, "s")
    assert len([line for line in drawn(chart, "line") if line.get("class") == "mark"]) == 3
    names = [text.text for text in drawn(chart, "text")]
    assert "p50" in names
    assert "p90" not in names
    assert "p50 1 s, p90 1.01 s, p95 1.5 s" in chart
