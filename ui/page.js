// A click on a citation opens its source and brings it into view.
document.addEventListener("click", (event) => {
  const cite = event.target.closest("a.cite");
  if (!cite) return;
  event.preventDefault();
  const name = cite.getAttribute("href").slice(1);
  const source = document.querySelector(`details.${CSS.escape(name)}`);
  if (!source) return;
  for (const other of document.querySelectorAll("details.source")) other.open = other === source;
  (source.querySelector("tr.cited") || source).scrollIntoView({ block: "center", behavior: "smooth" });
  source.querySelector("summary").focus({ preventScroll: true });
});

// A link to another view shows its tab and hands what is to be opened to the view's own box, which Gradio listens to.
document.addEventListener("click", (event) => {
  const link = event.target.closest('a.opens[href^="#open/"]');
  if (!link) return;
  event.preventDefault();
  const [view, what] = link.getAttribute("href").slice("#open/".length).split("/");
  document.querySelector(`#view-${CSS.escape(view)}-button`)?.click();
  const until = Date.now() + 3000;
  // Gradio makes what is in a tab when that is first shown.
  const fill = () => {
    const box = document.querySelector(`#open-${CSS.escape(view)} :is(textarea, input)`);
    if (!box) return void (Date.now() < until && setTimeout(fill, 30));
    box.value = `${Date.now()} ${decodeURIComponent(what)}`;
    box.dispatchEvent(new Event("input", { bubbles: true }));
  };
  fill();
});
