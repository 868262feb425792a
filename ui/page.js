// What the page does by itself. Everything it reads from the page is as untrusted as a document: names are taken apart
// by ":" and "/", looked up with CSS.escape, and what they mean is decided by the server.

const byName = (name) => document.querySelectorAll(`details.${CSS.escape(name)}`);

// Gradio listens to a box once what is in its tab was shown; links say what they want through such a box.
const fill = (box, text, until = Date.now() + 5000) => {
  const field = document.querySelector(`#${CSS.escape(box)} :is(textarea, input)`);
  if (!field) return void (Date.now() < until && setTimeout(fill, 30, box, text, until));
  field.value = `${Date.now()} ${text}`; // the time, so that the same can be said twice
  field.dispatchEvent(new Event("input", { bubbles: true }));
};

// A citation opens its source and brings it into view; where another turn's sources are shown, the server is asked.
const open = (name, until = Date.now() + 4000) => {
  const found = byName(name);
  if (!found.length) return void (Date.now() < until && setTimeout(open, 60, name, until));
  for (const other of document.querySelectorAll("details.source")) other.open = other.classList.contains(name);
  (found[0].querySelector("tr.cited") || found[0]).scrollIntoView({ block: "center" });
  found[0].querySelector("summary").focus({ preventScroll: true });
};

// What a link opened in another view is brought into view once it is there.
const reveal = (id, until = Date.now() + 5000) => {
  const part = document.getElementById(id);
  if (!part) return void (Date.now() < until && setTimeout(reveal, 60, id, until));
  const bring = () => {
    const cited = part.querySelector("tr.cited");
    const { top } = (cited || part).getBoundingClientRect();
    if (cited) cited.scrollIntoView({ block: "center" });
    else if (top < 0 || top > innerHeight / 2) part.scrollIntoView({ block: "start" });
  };
  const seen = new MutationObserver(() => (seen.disconnect(), setTimeout(bring, 60)));
  seen.observe(part, { childList: true, subtree: true });
  setTimeout(() => seen.disconnect(), 5000);
};

const copy = async (number) => {
  const text = document.querySelectorAll("#history .turn")[Number(number)]?.querySelector(".answer");
  if (!text) return;
  await navigator.clipboard.writeText(text.innerText.trim());
  say("Copied.");
};

const say = (text) => {
  const told = document.querySelector("#said");
  if (told) told.textContent = text;
};

const themed = (dark) => {
  document.body.classList.toggle("dark", dark);
  document.documentElement.style.colorScheme = dark ? "dark" : "light";
};

const here = () => location.hash.match(/^#session\/([0-9a-f]{32})$/)?.[1];

const own = {
  theme: () => {
    const dark = !document.body.classList.contains("dark");
    localStorage.setItem("hoplite-theme", dark ? "dark" : "light");
    themed(dark);
  },
  copy,
  leave: () => location.assign("/logout"),
  export: () => here() && location.assign(`/export/${here()}`),
  delete: () => confirm("Delete this conversation? It cannot be brought back.") && fill("do", "delete"),
};

document.addEventListener("click", (event) => {
  const link = event.target.closest('a.cite, a.does[href^="#do/"], a.opens[href^="#open/"]');
  if (!link) return;
  event.preventDefault();
  const href = link.getAttribute("href").slice(1);
  if (link.matches("a.cite")) {
    const [, turn, label] = href.split("-");
    if (!byName(href).length) fill("do", `source/${turn}/${label}`);
    open(href);
  } else if (link.matches("a.does")) {
    const [name, ...rest] = href.slice("do/".length).split("/");
    if (Object.hasOwn(own, name)) own[name](...rest);
    else fill("do", [name, ...rest].join("/"));
    if (name === "edit" || name === "new") document.querySelector("#question textarea")?.focus();
  } else {
    const [view, what] = href.slice("open/".length).split("/");
    tabOf(view)?.click();
    fill(`open-${view}`, decodeURIComponent(what));
    reveal(`${view}-opened`);
  }
});

document.addEventListener("keydown", (event) => {
  const press = (id) => document.querySelector(`#${id}:not([disabled])`)?.click();
  if (event.key === "Escape") press("stop");
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.closest("#question")) press("ask");
  if (event.key === " " && event.target.matches?.("a.does, a.cite, a.opens")) {
    event.preventDefault(); // these are links by their making, and buttons by what they do
    event.target.click();
  }
});

// Parts of the page are made anew while a run goes on: what a person opened or closed stays so.
const chosen = new Map();
const nameOf = (part) => [...part.classList].filter((name) => name.includes("-") && !name.startsWith("svelte")).join(" ");
document.addEventListener("click", (event) => {
  const part = event.target.closest("summary")?.parentElement;
  if (part && nameOf(part)) chosen.set(nameOf(part), !part.open);
});

const keepOpen = (within) => {
  for (const part of within.querySelectorAll("details:not(.source)")) {
    const wanted = chosen.get(nameOf(part));
    if (wanted !== undefined && part.open !== wanted) part.open = wanted;
  }
};

// The newest is kept in view, unless the person looks at something above it.
let atEnd = true;
const below = () => (document.querySelector("#talk")?.getBoundingClientRect().bottom ?? 0) - innerHeight;
addEventListener("scroll", () => { atEnd = below() <= 120; }, { passive: true });

const remember = () => {
  const address = document.querySelector("#here")?.textContent.trim() ?? "";
  const wanted = address ? `#${address}` : "";
  if (started && wanted !== location.hash) history.replaceState(null, "", wanted || location.pathname);
};

// A page that is loaded again finds its conversation by its address.
let started = false;
const start = () => {
  if (started || !document.querySelector("#about p")) return;
  started = true;
  for (const [id, role, name] of [
    ["history", "log", "Conversation"], ["live", "status", "The question under way"], ["draft", "region", "Answer"],
    ["notice", "alert", ""], ["past", "navigation", "Conversations"], ["beside", "complementary", "Plan and sources"],
  ]) {
    const part = document.getElementById(id);
    if (!part) continue;
    part.setAttribute("role", role);
    if (name) part.setAttribute("aria-label", name);
    if (id === "draft") part.setAttribute("aria-live", "polite");
  }
  const told = document.createElement("div");
  told.id = "said";
  told.setAttribute("role", "status");
  document.body.append(told);
  document.body.dataset.ready = "yes";
  if (here()) fill("do", `session/${here()}`);
};

new MutationObserver((changes) => {
  start();
  remember();
  const touched = changes.some((change) => change.target.closest?.("#history, #live, #draft"));
  if (!touched) return;
  keepOpen(document.querySelector("#talk") ?? document);
  if (atEnd && below() > 0) scrollBy({ top: below() });
}).observe(document.documentElement, { childList: true, subtree: true, characterData: true });

const system = matchMedia("(prefers-color-scheme: dark)");
const settle = () => themed((localStorage.getItem("hoplite-theme") ?? (system.matches ? "dark" : "light")) === "dark");
system.addEventListener("change", settle);
settle();

// The button of a view's tab. On a narrow screen Gradio keeps those that do not fit in a menu, without their ids; a view's
// name is its title in small letters.
function tabOf(view) {
  const inMenu = [...document.querySelectorAll(".overflow-dropdown button")];
  return (
    document.querySelector(`#view-${CSS.escape(view)}-button`) ??
    inMenu.find((button) => button.textContent.trim().toLowerCase() === view)
  );
}
