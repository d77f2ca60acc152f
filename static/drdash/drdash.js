// The page's own clock, stream, dialogs and keys: htmx swaps the rest.
const LOST_MS = 20000; // the server sends something every 15 s
const { body, documentElement: page } = document;
const $ = (id) => document.getElementById(id);
const all = (selector) => document.querySelectorAll(selector);
const on = (names, listener) => names.split(" ").forEach((name) => document.addEventListener(name, listener, true));
const told = $("said").dataset;

function say(words, name) {
  $("said").textContent = words.replace("NAME", name);
}

// ---- time: the server's, by the browser's clock, in the viewer's zone
let offset = Number(page.dataset.now) - Date.now();
const now = () => Date.now() + offset;
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const relative = new Intl.RelativeTimeFormat(page.lang, { style: "short", numeric: "auto" });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
document.cookie = `drdash_zone=${exact.resolvedOptions().timeZone}; path=/; max-age=31536000; samesite=lax`;

function away(at) {
  const s = Math.round((at - now()) / 1000);
  const [unit, size] = UNITS.find(([, size]) => Math.abs(s) >= size * 1.5 || size === 1);
  return relative.format(Math.round(s / size), unit);
}

function show(time) {
  const at = Date.parse(time.dateTime);
  let text = time.dataset.show === "age" ? away(at) : exact.format(at);
  if (time.dataset.show === "until" && at > now()) text += ` (${away(at)})`;
  if (time.textContent === text) return;
  time.textContent = text;
  time.title = `${exact.format(at)} (${time.dateTime})`;
}

const stale = new Map();
function tick() {
  all("time[data-show]").forEach(show);
  document.title = ($("free") ? "● " : "") + document.title.replace("● ", "");
  for (const { dataset: { tenant, name, asOf, staleAfter } } of all("[data-stale-after]")) {
    const late = !(now() - Date.parse(asOf) <= staleAfter * 1000);
    if (stale.has(tenant) && stale.get(tenant) !== late) say(late ? told.stale : told.current, name);
    stale.set(tenant, late);
  }
  for (const one of all("[data-tenant]")) one.classList.toggle("is-stale", stale.get(one.dataset.tenant) !== false);
  if (document.hidden) return;
  if (!bar.hidden && Date.now() - last > page.dataset.poll * 1000) refresh(true);
  if (held && !inHand()) {
    held = false;
    refresh(false);
  }
}

// ---- the stream: one that survives its connections, as what listens to it does
const bar = $("stream-lost");
const names = new Set();
let source, url, timer, worry;
let pause = 1000;

class Stream extends EventTarget {
  addEventListener(name, listener) {
    super.addEventListener(name, listener);
    names.add(name);
    source?.addEventListener(name, hear);
  }
  close() {
    shut();
    worry = clearTimeout(worry);
  }
}
const stream = new Stream();
stream.addEventListener("beat", ({ data }) => (offset = data * 1000 - Date.now()));
stream.addEventListener("estate-changed", () => refresh(false));
stream.addEventListener("resync", () => refresh(true));
stream.addEventListener("rights-changed", () => location.reload());

function hear({ type, data }) {
  wait(LOST_MS, reopen);
  pause = 1000;
  worry = clearTimeout(worry);
  if (!bar.hidden) say(told.back);
  bar.hidden = true;
  stream.dispatchEvent(new MessageEvent(type, { data }));
}

function open() {
  shut();
  wait(LOST_MS, reopen);
  source = new EventSource(url);
  for (const name of names) source.addEventListener(name, hear);
  source.onerror = () => (source.readyState === EventSource.CLOSED ? reopen() : fret());
}

// A stream ends every few minutes, and its browser comes again: that alone is no loss.
function fret() {
  worry ||= setTimeout(() => {
    if (bar.hidden) say(told.lost);
    bar.hidden = false;
  }, 4000);
}

function reopen() {
  shut();
  fret();
  wait(pause, open);
  pause = Math.min(pause * 2, 10000);
}

function shut() {
  clearTimeout(timer);
  source?.close();
}

function wait(ms, then) {
  clearTimeout(timer);
  timer = setTimeout(then, ms);
}

htmx.createEventSource = (address) => {
  url = address;
  // A hidden page waits until someone looks.
  if (!document.hidden) open();
  return stream;
};

on("visibilitychange", () => {
  if (document.hidden) return stream.close();
  tick();
  open();
  refresh(true);
});
// What the browser kept of a page that was left is old.
addEventListener("pageshow", (event) => event.persisted && location.reload());

// ---- what a page counts and lists: fetched at most once a second, and after the last change
let due = 0;
let whole = false;
let last = Date.now();
function refresh(everything) {
  whole ||= everything;
  due ||= setTimeout(() => {
    for (const part of all(whole ? "[data-live]" : "[data-live='']")) {
      part.dataset.whole = whole ? "1" : "";
      htmx.trigger(part, "refresh");
    }
    due = 0;
    whole = false;
    last = Date.now();
  }, Math.max(100, last + 1000 - Date.now()));
}

on("htmx:configRequest", ({ detail: { elt, headers, triggeringEvent } }) => {
  if (elt.dataset.beside) headers["X-Shows"] = elt.dataset.beside.split(" ").filter($).join(" ");
  if (inHand() && !elt.dataset.whole) headers["X-Hand"] = held = "1";
  if (triggeringEvent?.type !== "refresh") return;
  headers["X-Refresh"] = "1";
  if (elt.dataset.have && !elt.dataset.whole) headers["X-Have"] = elt.dataset.have;
});

// ---- a list under a pointer or the focus: nothing goes and nothing comes there until they are elsewhere, or rest
let moved = 0;
let held = false;
on("pointermove pointerdown keydown", () => (moved = Date.now()));
const inHand = () => $("results")?.matches(":hover, :focus-within") && Date.now() - moved < 30000;

// ---- swaps
const opened = new Set();
on("toggle", ({ target }) => {
  if (target.id) opened[target.open ? "add" : "delete"](target.id);
});

let focused = [];
function hold() {
  const one = document.activeElement;
  focused = one === body ? [] : [one.textContent];
  for (let at = one; at; at = at.parentElement) if (at.id) focused.push(at.id);
  return focused;
}

// What had the focus was swapped: its like gets it, or what is near.
function restore() {
  const [words, ...ids] = focused;
  for (const near of ids.map($)) {
    if (!near || document.activeElement !== body) continue;
    const some = [...near.querySelectorAll("a, button:enabled, summary")];
    (some.find((one) => one.textContent === words) || some[0] || near).focus({ preventScroll: true });
  }
}

function settle({ target, detail }) {
  if (!detail.requestConfig && target.matches(".row")) target.classList.add("changed");
  for (const id of opened) {
    const one = $(id);
    if (one?.tagName === "DETAILS") one.open = true;
  }
  tick();
  restore();
}
on("htmx:afterSwap htmx:oobAfterSwap", settle);
on("htmx:beforeSwap htmx:sseBeforeMessage", hold);

// What a person asks of a list goes before what it fetches by itself.
let asked = 0;
on("htmx:beforeRequest", ({ detail: { target, elt, xhr } }) => {
  if (target.id === "dialog-body") $("dialog-lost").hidden = $("dialog-failed").hidden = true;
  if (target.id !== "results" || elt === target) return;
  asked++;
  xhr.onloadend = () => {
    asked--;
    refresh(false);
  };
});
on("htmx:beforeSwap", ({ detail }) => {
  const { xhr, target, requestConfig } = detail;
  if (requestConfig.headers["X-Refresh"]) {
    detail.shouldSwap &&= !asked && !(requestConfig.headers["X-Hand"] && target.matches("#results:has(tr[sse-swap])"));
  } else if (target.id === "dialog-body" && xhr.getResponseHeader("X-Dialog")) {
    detail.shouldSwap = true;
    detail.isError = false;
  }
});

// ---- dialogs
const dialog = $("dialog");
let opener = [];
function pop() {
  if (dialog.open) return;
  opener = hold();
  dialog.showModal();
}
on("htmx:afterSwap", ({ target }) => {
  if (target.id !== "dialog-body" || !target.childElementCount) return;
  pop();
  dialog.querySelector("[autofocus]")?.focus({ preventScroll: true });
  dialog.scrollTop = 0;
});
on("htmx:sendError htmx:responseError htmx:timeout", ({ detail: { target, requestConfig, xhr } }) => {
  if (target.id !== "dialog-body") return;
  // What was refused outright was not sent; of everything else nobody here can say.
  const lost = requestConfig.verb === "post" && !(xhr.status >= 400 && xhr.status < 500);
  $(lost ? "dialog-lost" : "dialog-failed").hidden = false;
  pop();
});
on("drdash:done", ({ detail }) => {
  dialog.close();
  say(detail.words);
});
dialog.addEventListener("close", () => {
  $("dialog-body").replaceChildren();
  focused = opener;
  restore();
});
on("click", (event) => {
  const { copy, close } = event.target.closest("[data-close], [data-copy]")?.dataset || {};
  if (copy) {
    const { textContent } = document.querySelector(copy);
    navigator.clipboard?.writeText(textContent).then(() => say(told.copied), () => say(told.uncopied));
  } else if (close !== undefined && dialog.open) {
    event.preventDefault();
    dialog.close();
  }
});

// ---- keys: a data-key is clicked, a field focused; j and k walk along rows
let first = "";
on("keydown", (event) => {
  const { key, target } = event;
  if (key === "Escape") all(".me[open]").forEach((menu) => (menu.open = false));
  if (!page.dataset.keys || dialog.open || event.ctrlKey || event.altKey || event.metaKey) return;
  if (target.closest("input:not([type=checkbox]), select, textarea")) return;
  let goal = document.querySelector(`[data-key="${CSS.escape(first + key)}"]`);
  first = key === "g" ? "g " : "";
  const step = { j: 1, k: -1 }[key];
  if (step) {
    const rows = [...all("main tbody tr, main .lines li")];
    goal = rows[rows.findIndex((row) => row.contains(document.activeElement)) + step]?.querySelector("a");
  }
  if (!goal) return;
  event.preventDefault();
  if (goal.href && !step) goal.click();
  else goal.focus();
});

setInterval(tick, 1000);
tick();
