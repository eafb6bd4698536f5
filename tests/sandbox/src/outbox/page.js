// The pages work without this. It keeps them fresh, searches while somebody types, steps by keys, and
// makes the frame as high as the mail in it.

const search = document.getElementById("search");
const isList = document.body.classList.contains("list");
let turn = 0;

// Asks for the page again and takes over the parts of it that changed.
async function refresh() {
  const mine = ++turn;
  const address = location.href;
  const away = document.getElementById("away");
  let text;
  try {
    const answer = await fetch(address, { cache: "no-store", headers: { accept: "text/html" } });
    text = answer.ok ? await answer.text() : "";
    away.hidden = true;
  } catch {
    away.hidden = false;
  }
  // A later request has been made, or another search: its answer counts.
  if (!text || mine !== turn || address !== location.href) return;
  const fresh = new DOMParser().parseFromString(text, "text/html");
  document.title = fresh.title;
  for (const next of fresh.querySelectorAll("[data-live]")) takeOver(next);
}

function takeOver(next) {
  const shown = document.getElementById(next.id);
  if (!shown || shown.outerHTML === next.outerHTML || isInUse(shown)) return;
  const focused = shown.contains(document.activeElement) ? document.activeElement : null;
  const sameAs = (one) => (focused.id ? one.id === focused.id : one.href === focused.href);
  shown.replaceWith(next);
  if (focused) [...next.querySelectorAll("a, button")].find(sameAs)?.focus({ preventScroll: true });
}

// Whether somebody answers a question in it, or has text of it selected.
function isInUse(part) {
  if (part.querySelector(":popover-open")) return true;
  const selection = getSelection();
  return !selection.isCollapsed && selection.containsNode(part, true);
}

setInterval(() => {
  if (!document.hidden) refresh();
}, 2000);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
});

// On the list the search follows the typing; elsewhere Enter leads to the list.
if (isList) {
  let waiting;
  const show = () => {
    clearTimeout(waiting);
    const address = new URL("/outbox", location.href);
    if (search.value.trim()) address.searchParams.set("q", search.value.trim());
    history.replaceState(null, "", address);
    refresh();
  };
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(show, 120);
  });
  search.form.addEventListener("submit", (event) => {
    event.preventDefault();
    show();
  });
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (document.querySelector(":popover-open")) return;
  const typing = event.target === search;
  const step = { ArrowLeft: "a[rel=prev]", ArrowRight: "a[rel=next]", Escape: ".back a" }[event.key];
  const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === "/" && !typing) {
    event.preventDefault();
    search.select();
  } else if (step && !typing && !isList) {
    document.querySelector(step)?.click();
  } else if (move && isList) {
    const rows = [...document.querySelectorAll("td.subject a")];
    const to = rows[rows.indexOf(document.activeElement) + move];
    const inRows = rows.includes(document.activeElement);
    if (!to || !(typing || inRows || document.activeElement === document.body)) return;
    event.preventDefault();
    to.focus();
  }
}
document.addEventListener("keydown", onKey);

const frame = document.querySelector("iframe");

// As high as what is in it. The height is let go first: a document is never lower than its frame.
function fit() {
  const root = frame.contentDocument?.scrollingElement;
  if (!root) return;
  const place = scrollY;
  frame.style.height = "0";
  frame.style.height = `${root.scrollHeight}px`;
  // Once more: a bar for scrolling sideways takes height, and parts may be as high as the frame.
  const bar = frame.clientHeight - root.clientHeight;
  const missing = Math.max(0, root.scrollHeight - root.clientHeight);
  frame.style.height = `${frame.clientHeight + Math.max(bar, missing)}px`;
  scrollTo(scrollX, place);
}

// Nothing in the frame can run or lead anywhere, so that this page opens its links and hears its keys.
function settle() {
  const inner = frame.contentDocument;
  if (!inner || inner.URL === "about:blank") return;
  fit();
  frame.style.resize = "none";
  inner.addEventListener("load", fit, true);
  inner.addEventListener("keydown", onKey);
  inner.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href], area[href]");
    if (!link || link.getAttribute("href").startsWith("#")) return;
    event.preventDefault();
    if (/^(https?|mailto):/.test(link.href)) open(link.href, "_blank", "noopener,noreferrer");
  });
}

if (frame) {
  frame.addEventListener("load", settle);
  if (frame.contentDocument?.readyState === "complete") settle();
  let width = frame.clientWidth;
  new ResizeObserver(() => {
    if (frame.clientWidth === width) return;
    width = frame.clientWidth;
    fit();
  }).observe(frame);
}
