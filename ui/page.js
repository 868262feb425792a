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
