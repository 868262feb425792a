"""What a view of the page is, and what the page gives it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import gradio as gr

EVENTS: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""What every event of the page has in common: it is no part of the API, and Gradio shows no progress of its own."""


class View(Protocol):
    """A tab. It holds handlers and renders through `ui.markup`; what it shows it asks of its desk."""

    @property
    def name(self) -> str:
        """A word for ids and addresses, such as "chat"."""
        ...

    @property
    def title(self) -> str:
        """What the tab says."""
        ...

    def build(self, frame: Frame) -> None:
        """Make the components inside the tab, and wire them."""
        ...


class Frame:
    """The page around the views, while it is built.

    `opener` is how one view sends a person to another: a link of `markup.opens` anywhere on the page shows that view's
    tab and gives its handler what is to be opened. It was in the page, so it is as untrusted as a document.
    `collections` are the boxes in which a collection is chosen; whoever changes collections changes their choices.
    """

    def __init__(self, blocks: gr.Blocks, head: gr.Column) -> None:
        """`head` is the part above the tabs, which any view may add to: `with frame.head:`."""
        self._blocks = blocks
        self.head = head
        self.routes: dict[str, Callable[..., Any]] = {}
        self.collections: list[Any] = []
        self.tab: gr.Tab | None = None  # of the view that is built

    def serves(self, path: str, handler: Callable[..., Any]) -> None:
        """Answer GET requests to a path, such as "/export/{session}", as FastAPI has it; behind the gate like all."""
        self.routes[path] = handler

    def on_load(self, handler: Callable[..., Any], outputs: Any, **extra: Any) -> None:
        """Call when a browser opens the page."""
        self._blocks.load(handler, None, outputs, **(EVENTS | extra))

    def on_show(self, handler: Callable[..., Any], inputs: Any, outputs: Any) -> None:
        """Call when a browser opens the page, without inputs, and whenever the view's tab is chosen."""
        assert self.tab is not None, "a view is built in its tab"
        self.on_load(handler, outputs)
        self.tab.select(handler, inputs, outputs, **EVENTS)

    def on_leave(self, handler: Callable[..., Any]) -> None:
        """Call when a browser leaves the page. The handler gets the request alone."""
        self._blocks.unload(handler)

    def opener(self, name: str, handler: Callable[[str], Any], outputs: Any, **extra: Any) -> Any:
        """Have links to the view `name` call a handler with what they open. Once a view, from its `build`. Returns
        Gradio's event, for what comes after it."""
        import gradio as gr

        # Off stage and not invisible: Gradio leaves what is invisible out of the page. The time comes first (page.js),
        # so that the same can be opened twice.
        opened = gr.Textbox(elem_id=f"open-{name}", elem_classes="offstage", label=f"Opens in {name}", container=False)
        return opened.change(lambda said: handler(said.partition(" ")[2]), opened, outputs, **(EVENTS | extra))


def shown(name: str) -> Any:
    """Return a component for HTML of our own making (`ui.markup`), in which nothing else is looked for."""
    import gradio as gr

    # Gradio's sanitizer stays on as a second lock, formulas off.
    return gr.Markdown(elem_id=name, latex_delimiters=[], container=False)
