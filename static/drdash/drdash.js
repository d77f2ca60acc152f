// Clock, stream, dialogs and keys: htmx swaps the rest.
const { body, documentElement: page } = document;
const $ = (id) => document.getElementById(id);
const all = (selector, part = document) => [...part.querySelectorAll(selector)];
const on = (names, listener) => names.split(" ").forEach((name) => document.addEventListener(name, listener, true));
const said = $("said");
const [dialog, inner, bar] = ["dialog", "dialog-body", "stream-lost"].map($);

function say(what, name) {
	said.textContent = (said.dataset[what] || what).replace("NAME", name);
}

// ---- time: the server's, in the viewer's zone, also when a clock is set back
const clock = () => Math.max(Date.now(), performance.timeOrigin + performance.now());
let offset = page.dataset.now - clock();
const now = () => clock() + offset;
const tongue = navigator.languages.find((one) => one.startsWith(page.lang)) || page.lang;
const exact = new Intl.DateTimeFormat(tongue, { dateStyle: "medium", timeStyle: "medium" });
const relative = new Intl.RelativeTimeFormat(tongue);
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
document.cookie = `drdash_zone=${exact.resolvedOptions().timeZone}; path=/; max-age=31536000; samesite=lax`;

function away(at) {
	const s = Math.round((at - now()) / 1000);
	const [unit, size] = UNITS.find(([, size]) => Math.abs(s) >= size * 1.5 || size === 1);
	return relative.format(Math.round(s / size) || -1, unit);
}

function times(part) {
	for (const time of all("time[data-show]", part)) {
		const at = Date.parse(time.dateTime);
		const how = time.dataset.show;
		let text = how === "age" ? away(at) : exact.format(at);
		if (how === "until" && at > now()) text += ` (${away(at)})`;
		if (time.textContent === text) continue;
		time.textContent = text;
		time.title = `${exact.format(at)} (${time.dateTime})`;
	}
}

let drawn, state;
function tick() {
	times();
	mark();
	if (document.hidden) return;
	if (!bar.hidden && clock() - last > page.dataset.poll * 1000) refresh(true);
	if (held && !inHand()) held = refresh();
}

const stale = {};
function mark() {
	drawn = 0;
	const was = state;
	state = $("state")?.textContent;
	if (was && was !== state) say(state);
	document.title = ($("free") ? "● " : "") + document.title.replace("● ", "");
	for (const { dataset: { tenant, name, asOf, staleAfter } } of all("[data-stale-after]")) {
		const late = !(now() - Date.parse(asOf) <= staleAfter * 1000);
		if (stale[tenant] === !late) say(late ? "stale" : "current", name);
		stale[tenant] = late;
	}
	for (const one of all("[data-tenant]")) one.classList.toggle("is-stale", stale[one.dataset.tenant] !== false);
}

// ---- the stream: it speaks every 15 s
let source, url, timer, worry;

const heard = {
	beat: ({ data }) => (offset = data * 1000 - clock()),
	"estate-changed": () => refresh(),
	resync: () => refresh(true),
	"rights-changed": anew,
};
const stream = {
	addEventListener(name, listener) {
		heard[name] = listener;
		source?.addEventListener(name, hear);
	},
	removeEventListener: (name) => delete heard[name],
	close() {
		source?.close();
		clearTimeout(timer);
		worry = clearTimeout(worry);
	},
};

function hear({ type, data, lastEventId }) {
	if (lastEventId) url = url.replace(/after=.*/, "after=" + lastEventId);
	wait();
	worry = clearTimeout(worry);
	lose(false);
	heard[type]?.({ data });
}

// Not while an answer is awaited or what is typed not sent.
let again, mine;
on("input submit", ({ target }) => (mine ||= (target.form || target).method === "post"));
function anew() {
	stream.close();
	again ||= setInterval(() => (mine || all(".htmx-request")[0] ? lose(true) : location.reload()), 1000);
}

function lose(lost) {
	if (bar.hidden === lost) say(lost ? "lost" : "back");
	bar.hidden = !lost;
}

function open() {
	wait();
	source = new EventSource(url);
	for (const name in heard) source.addEventListener(name, hear);
	source.onerror = reopen;
}

// A short end is no loss.
function reopen() {
	source?.close();
	worry ||= setTimeout(lose, 4000, true);
	wait(open, (bar.hidden ? 1000 : 8000) * (1 + Math.random()));
}

function wait(then = reopen, ms = 20000) {
	clearTimeout(timer);
	timer = setTimeout(then, ms);
}

htmx.createEventSource = (address) => {
	url = address;
	if (!document.hidden) open();
	return stream;
};

on("visibilitychange", () => {
	if (document.hidden) return stream.close();
	tick();
	open();
});
addEventListener("pageshow", (event) => event.persisted && location.reload());

// ---- what a page counts and lists
let due, whole, last = clock();
function refresh(everything) {
	whole ||= everything;
	due ||= setTimeout(() => {
		due = 0;
		last = clock();
		if (all("[data-live].htmx-request")[0]) return refresh(); // it may be older
		for (const part of all(whole ? "[data-live]" : "[data-live='']")) htmx.trigger(part, "refresh");
		whole = 0;
	}, 500);
}

on("htmx:configRequest", ({ detail: { elt, headers, triggeringEvent } }) => {
	const { beside, have } = elt.dataset;
	if (beside) headers["X-Shows"] = beside.split(" ").filter($).join(" ");
	if (inHand() && !whole) headers["X-Hand"] = held = "1";
	if (triggeringEvent?.type !== "refresh") return;
	headers["X-Refresh"] = "1";
	if (have && !whole) headers["X-Have"] = have;
});

// ---- a list in hand: its rows stay until it rests
let moved, held;
on("pointermove pointerdown keydown", () => (moved = clock()));
const inHand = () => $("results")?.matches(":hover, :focus-within") && clock() - moved < 30000;

// ---- swaps
const opened = {};
on("toggle", ({ target: { id, open } }) => (opened[id] = open));

let focused = [];
function hold() {
	const one = document.activeElement;
	focused = one === body ? [] : [one.textContent];
	for (let at = one; at; at = at.parentElement) if (at.id) focused.push(at.id);
	return focused;
}

// The focus was swapped: its like gets it, or what is near.
function restore() {
	const [words, ...ids] = focused;
	for (const near of ids.map($)) {
		if (!near || document.activeElement !== body) continue;
		const some = all("a, button:enabled, summary", near);
		(some.find((one) => one.textContent === words) || some[0] || near).focus({ preventScroll: true });
	}
}

on("htmx:afterSwap htmx:oobAfterSwap", ({ target, detail }) => {
	if (!detail.requestConfig && target.matches(".row")) target.classList.add("changed");
	for (const id in opened) if ($(id)?.matches("details")) $(id).open = opened[id];
	times(target);
	drawn ||= requestAnimationFrame(mark);
	restore();
});
on("htmx:beforeSwap htmx:sseBeforeMessage", hold);

// For each id that comes, htmx would look through all.
htmx.defineExtension("quick", {
	isInlineSwap: (how) => how === "quick",
	handleSwap(how, old, { firstElementChild: made }, { elts }) {
		if (how !== "quick") return;
		if (elts[0] === old) elts.shift();
		elts.push(made);
		old.replaceWith(made);
		for (const { id } of all(":checked", old)) if ($(id)) $(id).checked = true;
		return [made];
	},
});

// What a person asks of a list goes first; what is heard meanwhile may be newer.
const ASKS = "[hx-target='#results']";
on("htmx:beforeRequest", ({ detail: { target, elt, xhr } }) => {
	if (target === inner) $("dialog-lost").hidden = $("dialog-failed").hidden = true;
	const since = url;
	if (elt.matches(ASKS)) xhr.onloadend = () => refresh(since !== url);
});
on("htmx:beforeSwap", ({ detail }) => {
	const { xhr, target, requestConfig: { headers } } = detail;
	if (headers["X-Refresh"]) {
		detail.shouldSwap &&= !all(".htmx-request" + ASKS)[0] && !(headers["X-Hand"] && target.matches("#results:has(tr[sse-swap])"));
	} else if (target === inner && xhr.getResponseHeader("X-Dialog")) {
		detail.shouldSwap = true;
		detail.isError = false;
	}
});

// ---- dialogs
let opener;
function pop() {
	if (dialog.open) return;
	opener = hold();
	dialog.showModal();
}
on("htmx:afterSwap", ({ target }) => {
	if (target !== inner || !target.childElementCount) return;
	pop();
	dialog.scrollTop = 0;
	dialog.querySelector("[autofocus]")?.focus();
});
on("htmx:sendError htmx:responseError htmx:timeout", ({ detail: { target, requestConfig: { headers, verb }, xhr } }) => {
	if (headers["X-Refresh"]) setTimeout(refresh, 5000, true);
	if (target !== inner) return;
	// What was refused was not sent; else nobody can say.
	const lost = verb === "post" && !/^4/.test(xhr.status);
	$(lost ? "dialog-lost" : "dialog-failed").hidden = false;
	pop();
});
on("drdash:done", ({ detail }) => {
	dialog.close();
	say(detail.words);
});
dialog.addEventListener("close", () => {
	inner.replaceChildren();
	focused = opener;
	restore();
	mine = false;
});
on("click", (event) => {
	const { copy, close } = event.target.closest("[data-close], [data-copy]")?.dataset || {};
	if (copy) {
		navigator.clipboard?.writeText($(copy).textContent).then(() => say("copied"), () => say("uncopied"));
	} else if (close === "" && dialog.open) {
		event.preventDefault();
		dialog.close();
	}
});

// ---- menus close on Escape and a click elsewhere
on("click keydown", ({ key, target }) => {
	if (dialog.open || (key && key !== "Escape")) return;
	for (const menu of all(".me[open], .menu[open]")) {
		if (!key && menu.contains(target)) continue;
		if (menu.contains(document.activeElement)) menu.firstElementChild.focus();
		menu.open = false;
	}
});

// ---- keys: a data-key is clicked or focused; j and k walk rows
let first = "";
on("keydown", (event) => {
	const { key, target } = event;
	if (!page.dataset.keys || dialog.open || event.ctrlKey || event.altKey || event.metaKey) return;
	if (target.closest("input:not([type=checkbox]), select, textarea")) return;
	let [goal] = all(`[data-key="${CSS.escape(first + key)}"]`);
	first = key === "g" ? "g " : "";
	const step = { j: 1, k: -1 }[key];
	if (step) {
		const rows = all("main tbody tr, main .lines li");
		goal = rows[rows.findIndex((row) => row.contains(document.activeElement)) + step]?.querySelector("a");
	}
	if (!goal) return;
	event.preventDefault();
	goal[goal.href && !step ? "click" : "focus"]();
});

setInterval(tick, 1000);
tick();
