"""Text of a PDF page that nobody can see, left out before it is read.

Hidden text is how a document is made to say one thing to a person and another to a machine. Left out is text

- drawn with no paint (text render modes 3 and 7) or fully transparent,
- in white where nothing but white was painted below it,
- smaller than `SMALLEST` points, and
- that begins off the page.

Not noticed: text below a picture or a box that was painted later, in colours that are nearly white, and in layers that
are switched off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

SMALLEST = 2.0
"""Points below which nobody reads text. Fonts whose units are their own (Type 3) are not measured."""

_WHITE = 0.98
_MOST_BOXES = 2_000
_SHOWS = frozenset({b"Tj", b"TJ", b"'", b'"'})
_FILLS = frozenset({b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*"})
_ENDS = _FILLS | {b"n", b"S", b"s"}

Matrix = Sequence[float]
_IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


def product(m: Matrix, n: Matrix) -> Matrix:
    """Return the matrix that does first `m`, then `n`, as PDF writes them: a, b, c, d, e, f."""
    return (
        m[0] * n[0] + m[1] * n[2],
        m[0] * n[1] + m[1] * n[3],
        m[2] * n[0] + m[3] * n[2],
        m[2] * n[1] + m[3] * n[3],
        m[4] * n[0] + m[5] * n[2] + n[4],
        m[4] * n[1] + m[5] * n[3] + n[5],
    )


def scale(m: Matrix) -> float:
    """Return by how much the matrix enlarges."""
    return math.sqrt(abs(m[0] * m[3] - m[1] * m[2]))


@dataclass(frozen=True, slots=True)
class _State:
    """What decides whether text is seen, as `q` saves and `Q` restores it."""

    white: bool = False
    clear: bool = False
    mode: int = 0
    size: float = 12.0
    measured: bool = True


@dataclass(slots=True)
class _Level:
    """One content stream: the page's own, or that of a form that it draws."""

    base: Matrix
    resources: Any
    state: _State
    saved: list[_State] = field(default_factory=list)
    corners: list[tuple[float, float]] = field(default_factory=list)


class Onlooker:
    """Follows a page's operators through pypdf's visitors and empties those that show text that nobody sees.

    `saw_nothing` is true where there was text and all of it was hidden; `shows_image` where the page has a picture.
    """

    def __init__(self, page: Any) -> None:
        self.shows_image = False
        self._shown = self._hidden = 0
        self._boxes: list[tuple[float, float, float, float]] = []
        box = page.cropbox
        self._page = (float(box.left) - 1, float(box.bottom) - 1, float(box.right) + 1, float(box.top) + 1)
        self._levels = [_Level(_IDENTITY, _resources(page), _State())]

    @property
    def saw_nothing(self) -> bool:
        return self._hidden > 0 and not self._shown

    def before(self, operator: bytes, operands: Any, cm: Matrix, tm: Matrix) -> None:
        """Note what the operator changes; take a hidden text's operands away."""
        level = self._levels[-1]
        if operator in _SHOWS:
            if not _says(operands):
                return
            if self._seen(level, product(cm, level.base), tm):
                self._shown += 1
            else:
                self._hidden += 1
                operands.clear()
        elif operator in (b"m", b"l", b"re") and len(operands) >= 2:
            self._outline(level, operands, product(cm, level.base))
        elif operator in _ENDS:
            if operator in _FILLS and level.corners and not level.state.white:
                self._paint(level.corners)
            level.corners = []
        elif operator == b"q":
            level.saved.append(level.state)
        elif operator == b"Q":
            level.state = level.saved.pop() if level.saved else level.state
        elif operator == b"Do":
            self._draw(level, operands, product(cm, level.base))
        elif operator == b"sh":
            self._boxes.append(self._page)
        else:
            level.state = _changed(level.state, operator, operands, level.resources)

    def after(self, operator: bytes, operands: Any, cm: Matrix, tm: Matrix) -> None:
        """Leave the form that `before` entered."""
        if operator == b"Do" and len(self._levels) > 1:
            self._levels.pop()

    def _seen(self, level: _Level, cm: Matrix, tm: Matrix) -> bool:
        place = product(tm, cm)
        x, y = place[4], place[5]
        state = level.state
        if state.mode in (3, 7) or state.clear or not _inside((x, y), self._page):
            return False
        if state.measured and abs(state.size) * scale(place) < SMALLEST:
            return False
        # The point where the text begins is on its baseline; half a letter up is surely on what lies below it.
        middle = (x + 1, y + 0.3 * abs(state.size) * scale(place))
        return not state.white or any(_inside(middle, box) for box in self._boxes)

    def _outline(self, level: _Level, operands: Any, cm: Matrix) -> None:
        try:
            numbers = [float(operand) for operand in operands[:4]]
        except (TypeError, ValueError):
            return
        x, y = numbers[:2]
        corners = [(x, y)]
        if len(numbers) == 4:
            corners.append((x + numbers[2], y + numbers[3]))
        for corner in corners:
            place = product((1, 0, 0, 1, *corner), cm)
            if len(level.corners) < _MOST_BOXES:
                level.corners.append((place[4], place[5]))

    def _paint(self, corners: Sequence[tuple[float, float]]) -> None:
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        if len(self._boxes) < _MOST_BOXES:
            self._boxes.append((min(xs), min(ys), max(xs), max(ys)))

    def _draw(self, level: _Level, operands: Any, cm: Matrix) -> None:
        """Enter a form, or note a picture. A level is entered either way, because `after` leaves one."""
        drawn = _entry(level.resources, "/XObject", operands[0]) if operands else None
        if drawn is not None and drawn.get("/Subtype") == "/Image":
            self.shows_image = True
            place = [product((1, 0, 0, 1, *corner), cm) for corner in ((0, 0), (0, 1), (1, 0), (1, 1))]
            self._paint([(m[4], m[5]) for m in place])
        own = drawn.get("/Matrix") if drawn is not None else None
        base = product([float(n) for n in own], cm) if isinstance(own, list) and len(own) == 6 else cm
        resources = _resources(drawn) if drawn is not None else None
        self._levels.append(_Level(base, resources or level.resources, level.state))


def _changed(state: _State, operator: bytes, operands: Any, resources: Any) -> _State:
    """The state after an operator that sets a colour, a font, a render mode or a transparency; else the same."""
    if operator in (b"g", b"rg", b"sc", b"scn", b"k"):
        return replace(state, white=_is_white(operator, operands))
    if operator == b"cs":
        return replace(state, white=False)  # every colour space begins with black
    if operator == b"Tr" and operands and isinstance(operands[0], int):
        return replace(state, mode=int(operands[0]))
    if operator == b"Tf" and len(operands) >= 2 and isinstance(operands[1], int | float):
        font = _entry(resources, "/Font", operands[0])
        measured = font is None or font.get("/Subtype") != "/Type3"
        return replace(state, size=float(operands[1]), measured=measured)
    if operator == b"gs" and operands:
        look = _entry(resources, "/ExtGState", operands[0])
        alpha = look.get("/ca") if look is not None else None
        return replace(state, clear=alpha <= 0.01) if isinstance(alpha, int | float) else state
    return state


def _is_white(operator: bytes, operands: Any) -> bool:
    numbers = [operand for operand in operands if isinstance(operand, int | float)]
    if len(numbers) != len(operands) or not numbers:
        return False
    if operator == b"k" or len(numbers) == 4:
        return all(number <= 1 - _WHITE for number in numbers)
    return all(number >= _WHITE for number in numbers) and not (operator in (b"sc", b"scn") and len(numbers) == 1)


def _says(operands: Any) -> bool:
    """Whether there is anything but spaces in what is shown."""
    strings = operands[-1] if operands and isinstance(operands[-1], list) else operands
    return any(isinstance(each, str | bytes) and each.strip() for each in strings)


def _inside(point: tuple[float, float], box: tuple[float, float, float, float]) -> bool:
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]


def _resources(holder: Any) -> Any:
    """The resources of a page or a form, of the nearest parent that has some for a page."""
    for _ in range(50):
        if holder is None:
            return None
        if "/Resources" in holder:
            return holder["/Resources"].get_object()
        holder = holder["/Parent"].get_object() if "/Parent" in holder else None
    return None


def _entry(resources: Any, kind: str, name: Any) -> Any:
    """The resource of this kind and name, None where there is none."""
    try:
        found = resources[kind].get_object()[name].get_object()
    except (KeyError, TypeError, AttributeError):
        return None
    return found if hasattr(found, "get") else None
