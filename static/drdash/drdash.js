"use strict";
// The page's own clock, stream and dialogs. htmx swaps; this says how old things are, and keeps the stream.
(() => {
  const LOST_MS = 20000; // the server sends something every 15 s
  const $ = (id) => document.getElementById(id);
  const all = (selector) => document.querySelectorAll(selector);
  const on = (name, listener) => document.addEventListener(name, listener);

  // ---- time: the server's, by the browser's clock
  let offset = Number(document.documentElement.dataset.now) - Date.now() || 0;
  const now = () => Date.now() + offset;
  const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

  function span(ms) {
    const s = Math.max(0, Math.round(ms / 1000));
    if (s < 100) return `${s} s`;
    if (s < 5400) return `${Math.round(s / 60)} min`;
    if (s < 129600) return `${Math.round(s / 3600)} h`;
    return `${Math.round(s / 86400)} days`;
  }

  function show(time) {
    const at = Date.parse(time.dateTime);
    if (Number.isNaN(at)) return;
    if (!time.title) time.title = `${exact.format(at)} (${time.dateTime})`;
    let text = exact.format(at);
    if (time.dataset.show === "age") text = at > now() + 2000 ? `in ${span(at - now())}` : `${span(now() - at)} ago`;
    if (time.dataset.show === "until") text = at > now() ? `${exact.format(at)} (in ${span(at - now())})` : exact.format(at);
    if (time.textContent !== text) time.textContent = text;
  }

  const stale = new Map();
  function tick() {
    all("time[data-show]").forEach(show);
    const title = ($("free") ? "● " : "") + document.title.replace("● ", "");
    if (document.title !== title) document.title = title;
    for (const health of all("[data-stale-after]")) {
      const asOf = Date.parse(health.dataset.asOf);
      const late = !(now() - asOf <= Number(health.dataset.staleAfter) * 1000);
      const { tenant, name } = health.dataset;
      if (stale.has(tenant) && stale.get(tenant) !== late) say(late ? `${name}: the data is stale.` : `${name}: the data is current again.`);
      stale.set(tenant, late);
    }
    for (const one of all("[data-tenant]")) one.classList.toggle("is-stale", stale.get(one.dataset.tenant) !== false);
    const silent = heard && !document.hidden && Date.now() - heard > LOST_MS;
    if (silent) {
      lose();
      current.reopen();
    }
  }

  function say(words) {
    $("said").textContent = words;
  }

  // ---- the stream: one that survives its connections, so that what listens to it stays registered
  let heard = 0;
  let current = null;

  const bar = $("stream-lost");
  function lose() {
    if (bar.hidden) say("Live updates are interrupted.");
    bar.hidden = false;
  }

  class Stream extends EventTarget {
    constructor(url) {
      super();
      this.url = url;
      this.names = new Set();
      this.pause = 1000;
      this.readyState = EventSource.CONNECTING;
      for (const name of ["beat", "resync", "estate-changed", "rights-changed"]) this.forward(name);
      current = this;
      // A page that came into being hidden waits until someone looks.
      if (!document.hidden) this.open();
    }
    forward(name) {
      if (this.names.has(name)) return;
      this.names.add(name);
      if (this.source) this.listen(name);
    }
    listen(name) {
      const source = this.source;
      source.addEventListener(name, (event) => {
        if (source !== this.source) return;
        this.alive();
        this.dispatchEvent(new MessageEvent(name, { data: event.data, lastEventId: event.lastEventId }));
      });
    }
    addEventListener(name, listener, options) {
      super.addEventListener(name, listener, options);
      this.forward(name);
    }
    alive() {
      heard = Date.now();
      this.pause = 1000;
      if (!bar.hidden) say("Live updates are back.");
      bar.hidden = true;
    }
    open() {
      this.shut();
      heard = Date.now();
      const source = (this.source = new EventSource(this.url, { withCredentials: true }));
      this.names.forEach((name) => this.listen(name));
      source.onopen = () => {
        this.readyState = EventSource.OPEN;
        this.alive();
        if (this.onopen) this.onopen();
      };
      source.onerror = () => {
        this.readyState = EventSource.CONNECTING;
        // A stream ends every few minutes, and its browser comes again: that alone is no loss.
        clearTimeout(this.worry);
        this.worry = setTimeout(() => source === this.source && source.readyState !== EventSource.OPEN && lose(), 4000);
        if (source.readyState === EventSource.CLOSED) this.reopen();
      };
    }
    reopen() {
      this.shut();
      heard = 0;
      this.timer = setTimeout(() => document.hidden || this.open(), this.pause);
      this.pause = Math.min(this.pause * 2, 10000);
      clearTimeout(this.worry);
      this.worry = setTimeout(() => this.readyState !== EventSource.OPEN && lose(), 4000);
    }
    shut() {
      clearTimeout(this.timer);
      if (this.source) this.source.close();
      this.source = null;
      this.readyState = EventSource.CONNECTING;
    }
    close() {
      this.shut();
      clearTimeout(this.worry);
      this.readyState = EventSource.CLOSED;
    }
  }

  htmx.createEventSource = (url) => {
    const stream = new Stream(url);
    stream.addEventListener("beat", (event) => {
      const told = Number(event.data) * 1000;
      if (told > 0) offset = told - Date.now();
    });
    stream.addEventListener("estate-changed", () => refresh(false));
    stream.addEventListener("resync", () => refresh(true));
    stream.addEventListener("rights-changed", () => location.reload());
    return stream;
  };

  on("visibilitychange", () => {
    if (!current) return;
    if (document.hidden) {
      heard = 0;
      current.close();
    } else {
      tick();
      current.open();
      refresh(true);
    }
  });

  // ---- what a page counts and lists: fetched again at most once a second, and once more after the last change
  let due = 0;
  let whole = false;
  let last = 0;
  function refresh(everything) {
    whole = whole || everything;
    if (due) return;
    due = setTimeout(() => {
      due = 0;
      last = Date.now();
      const fully = whole;
      whole = false;
      for (const part of all("[data-live]")) {
        if (part.dataset.live === "resync" && !fully) continue;
        part.dataset.whole = fully ? "1" : "";
        htmx.trigger(part, "refresh");
      }
    }, Math.max(100, last + 1000 - Date.now()));
  }

  on("htmx:configRequest", (event) => {
    const { elt, headers, triggeringEvent } = event.detail;
    if (elt.dataset.beside) headers["X-Shows"] = elt.dataset.beside.split(" ").filter($).join(" ");
    if (!triggeringEvent || triggeringEvent.type !== "refresh") return;
    headers["X-Refresh"] = "1";
    if (elt.dataset.have && !elt.dataset.whole) headers["X-Have"] = elt.dataset.have;
  });

  // ---- swaps
  const opened = new Set();
  document.addEventListener("toggle", (event) => {
    if (event.target.id) opened[event.target.open ? "add" : "delete"](event.target.id);
  }, true);

  function settle() {
    for (const id of opened) {
      const one = $(id);
      if (one && one.tagName === "DETAILS" && !one.open) one.open = true;
    }
    tick();
  }
  for (const name of ["htmx:afterSwap", "htmx:oobAfterSwap", "htmx:sseMessage"]) on(name, settle);

  // What a person asks of a list goes before what it fetches by itself.
  let asked = 0;
  on("htmx:beforeRequest", ({ detail: { target, elt, xhr } }) => {
    if (target.id === "dialog-body") $("dialog-lost").hidden = $("dialog-failed").hidden = true;
    if (target.id !== "results" || elt === target) return;
    asked++;
    xhr.addEventListener("loadend", () => {
      asked--;
      refresh(false);
    });
  });
  on("htmx:beforeSwap", (event) => {
    const { xhr, target, requestConfig } = event.detail;
    // Signed out meanwhile: the sign-in page is no part of this one.
    if (new URL(xhr.responseURL || location.href, location.href).pathname === "/login/") {
      event.detail.shouldSwap = false;
      location.reload();
    } else if (asked && requestConfig.headers["X-Refresh"]) {
      event.detail.shouldSwap = false;
    } else if (target.id === "dialog-body" && xhr.getResponseHeader("X-Dialog")) {
      event.detail.shouldSwap = true;
      event.detail.isError = false;
    }
  });

  // ---- dialogs
  const dialog = $("dialog");
  on("htmx:afterSwap", (event) => {
    if (event.target.id !== "dialog-body" || !event.target.childElementCount) return;
    if (!dialog.open) dialog.showModal();
    const first = dialog.querySelector("[autofocus]");
    if (first) first.focus({ preventScroll: true });
    dialog.scrollTop = 0;
  });
  for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    on(name, ({ detail: { target, requestConfig, xhr } }) => {
      if (target.id !== "dialog-body") return;
      // What was refused outright was not sent; of everything else nobody here can say.
      const lost = requestConfig.verb === "post" && !(xhr.status >= 400 && xhr.status < 500);
      $(lost ? "dialog-lost" : "dialog-failed").hidden = false;
      if (!dialog.open) dialog.showModal();
    });
  }
  on("drdash:done", (event) => {
    dialog.close();
    say(event.detail.words);
  });
  on("click", (event) => {
    const target = event.target.closest("[data-close], [data-copy]");
    if (!target) return;
    if (target.dataset.copy) {
      const text = document.querySelector(target.dataset.copy).textContent;
      if (navigator.clipboard) navigator.clipboard.writeText(text).then(() => say("Copied."), () => say("It could not be copied."));
    } else if (dialog.open) {
      event.preventDefault();
      dialog.close();
    }
  });
  if (dialog) dialog.addEventListener("close", () => $("dialog-body").replaceChildren());

  setInterval(tick, 1000);
  tick();
})();
