"""The chat in headless Chromium, over an agent that keeps to a pace: what is seen, and how soon."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import opened, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

SOON = 300
"""Milliseconds."""

# When each step was first on the page, beside when it happened.
WATCH_STEPS = """() => {
  window.late = {};
  new MutationObserver(() => {
    for (const found of document.querySelector("#live").innerText.matchAll(/at (\\d{13})\\./g))
      window.late[found[1]] ??= Date.now() - Number(found[1]);
  }).observe(document.querySelector("#live"), { childList: true, subtree: true, characterData: true });
}"""
# When the draft last grew after the stop, and when the answer that it left was there.
WATCH_STOP = """() => new Promise((give) => {
  const words = () => document.querySelector("#draft").innerText.match(/word\\d+/g)?.length ?? 0;
  document.querySelector("#stop").addEventListener("click", () => {
    const at = performance.now();
    let most = words(), grew = 0;
    const look = () => {
      if (words() > most) [most, grew] = [words(), performance.now() - at];
      const over = document.querySelector("#history").innerText.includes("Stopped early");
      if (over) give([grew, performance.now() - at]);
      else setTimeout(look, 5);
    };
    look();
  }, { capture: true, once: true });
  document.querySelector("#stop").click();
})"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[str]:
    with serving("tests.browser.paced", tmp_path_factory.mktemp("paced") / "station") as at:
        yield at


@pytest.fixture
def page(address: str, browser: Browser) -> Iterator[Page]:
    """A tab at the page, in which nothing was asked yet."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    yield opened(context.new_page(), address)
    context.close()


def ask(page: Page, question: str) -> None:
    page.locator("#question textarea").fill(question)
    page.locator("#ask").click()


def answered(page: Page, number: int = 0) -> None:
    page.locator("#history .turn .answer").nth(number).wait_for(timeout=30_000)


def test_steps_appear_within_300_ms_of_happening_and_open_to_what_they_found(page: Page) -> None:
    page.evaluate(WATCH_STEPS)
    ask(page, "Take your steps")
    answered(page)
    late = page.evaluate("Object.values(window.late)")
    assert len(late) == 6
    assert max(late) <= SOON, f"late by {late} ms"
    page.locator(".all-steps > summary").click()
    page.locator(".step", has_text="at 1").first.locator("summary").click()
    assert "hop: HERON_RETENTION" in page.locator(".step[open]").first.inner_text()


def test_a_stop_ends_the_writing_within_300_ms_and_keeps_what_was_written(page: Page) -> None:
    ask(page, "Write slowly")
    page.locator("#draft", has_text="word5").wait_for()
    grew, over = page.evaluate(WATCH_STOP)
    assert grew <= SOON, f"{grew:.0f} ms; the answer was there after {over:.0f} ms"
    assert over <= 1000
    assert "word5" in page.locator(".unchecked").inner_text()


def test_a_citation_opens_its_source_beside_the_chat_with_the_path_that_found_it(page: Page) -> None:
    ask(page, "first")
    answered(page)
    ask(page, "second")
    answered(page, 1)
    page.locator("#history .answer a.cite").first.click()
    source = page.locator("details.source-0-1[open]")
    source.wait_for()
    assert "HERON_RETENTION = 45" in source.locator("tr.cited").inner_text()
    assert "hop: HERON_RETENTION" in source.inner_text()
    assert page.locator("#history .turn").count() == 2


def test_the_plan_is_shown_first_edited_and_followed(page: Page) -> None:
    page.locator("#first input").check()
    ask(page, "What is the value of HERON_RETENTION, which sweep() reads?")
    page.locator("#plan-note", has_text="start").wait_for()
    page.locator("#plan textarea").fill("Where is HERON_RETENTION read?")
    page.locator("#start").click()
    answered(page)
    page.locator(".all-steps > summary").click()
    plan = page.locator(".step", has_text="changed by you")
    plan.locator("summary").click()
    assert "+Where is HERON_RETENTION read?" in plan.inner_text()


def test_what_is_unclear_is_asked_back_and_a_choice_goes_on(page: Page) -> None:
    ask(page, "What does the unclear one do?")
    page.locator("a.chip", has_text="b.py:one").click()
    answered(page)
    assert "(b.py:one)" in page.locator("#history .answer").inner_text()


def test_an_answer_is_rated_with_a_reason_edited_and_exported(page: Page) -> None:
    ask(page, "Where do herons nest?")
    answered(page)
    page.get_by_role("link", name="Not helpful").click()
    page.locator("#reason :is(textarea, input)").fill("too short")
    page.locator("#tell").click()
    page.locator("#notice", has_text="Noted").wait_for()
    page.get_by_role("link", name="Edit question").click()
    from playwright.sync_api import expect

    expect(page.locator("#question textarea")).to_have_value("Where do herons nest?")
    assert "Editing" in page.locator("#notice").inner_text()
    page.wait_for_timeout(
        300
    )  # nobody types in the moment in which Gradio fills the box, and what is typed then is lost
    ask(page, "Where do egrets nest?")
    page.locator("#history .asked", has_text="egrets").wait_for()
    assert page.locator("#history .turn").count() == 1
    with page.expect_download() as download:
        page.get_by_role("link", name="Export").click()
    text = Path(download.value.path()).read_text()
    assert download.value.suggested_filename == "where-do-egrets-nest.md"
    assert "[^1-1]: src/settings.py:3" in text.replace("\\", "")


def test_a_reload_finds_the_conversation_also_in_the_middle_of_a_run(page: Page) -> None:
    ask(page, "Remember this")
    answered(page)
    ask(page, "Write slowly")
    page.locator("#draft", has_text="word3").wait_for()
    assert re.search(r"#session/[0-9a-f]{32}$", page.url)
    page.reload()
    page.locator("#history .asked", has_text="Remember this").wait_for(timeout=30_000)
    page.locator("#draft", has_text="word9").wait_for()
    page.keyboard.press("Escape")
    answered(page, 1)
    assert "Stopped early" in page.locator("#history").inner_text()
    page.get_by_role("link", name="New conversation").click()
    page.locator(".welcome").wait_for()
    page.locator("#find :is(textarea, input)").fill("remember")
    page.locator("#sessions a", has_text="Remember this").click()
    answered(page, 1)
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("link", name="Delete").click()
    page.locator(".welcome").wait_for()


def test_the_keyboard_asks_reaches_citations_and_sees_where_it_is(page: Page) -> None:
    page.locator("#question textarea").fill("By keyboard")
    page.keyboard.press("Control+Enter")
    answered(page)
    page.locator("#history .answer a.cite").focus()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    page.keyboard.press("Space")
    page.locator("details.source[open]").wait_for()
    assert outline != "none" or page.evaluate("document.activeElement.matches(':focus-visible')")
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("#chat :is(input, textarea, button)")]
        .filter((e) => !(e.ariaLabel || e.labels?.length || e.innerText.trim() || e.title || e.closest("label")))
        .map((e) => e.outerHTML.slice(0, 200))"""
    )
    assert unnamed == []


@pytest.mark.parametrize("width", [375, 1280, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen_and_every_text_can_be_read(
    address: str, browser: Browser, width: int, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    page = opened(context.new_page(), address)
    ask(page, "How wide is it?")
    answered(page)
    page.locator("#history a.cite").first.click()
    page.locator("details.source[open]").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(FAINT) == []
    context.close()


FAINT = """() => {
  const parse = (c) => c.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    const box = e.getBoundingClientRect();
    if (!walker.currentNode.textContent.trim() || !box.width) continue;
    if (!e.checkVisibility({ visibilityProperty: true })) continue;
    if (e.closest(":disabled, .offstage, .sr-only, script, style, [data-testid=status-tracker]")) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) faint.push(`${e.outerHTML.slice(0, 120)} ${contrast.toFixed(2)}`);
  }
  return faint;
}"""
