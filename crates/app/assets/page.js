// What every page may need: copying, and lists that grow in place. Pages work without it.
"use strict";

const say = (button, text) => {
  const before = button.dataset.label ?? button.textContent;
  button.dataset.label = before;
  button.textContent = text;
  clearTimeout(Number(button.dataset.timer));
  button.dataset.timer = String(setTimeout(() => { button.textContent = before; }, 2000));
};

const copy = async (text) => {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without https the clipboard is closed; a selection can still be copied.
    const area = document.createElement("textarea");
    area.value = text;
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
};

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-text]");
  if (button) {
    const text = button.dataset.copyText ?? new URL(button.dataset.copy, location.href).href;
    const done = await copy(text);
    button.focus();
    say(button, done ? "Copied" : "Not copied");
    return;
  }
  const more = event.target.closest("a[data-more]");
  if (more && !event.metaKey && !event.ctrlKey && !event.shiftKey) {
    event.preventDefault();
    if (!await append(more, more.dataset.more)) location.href = more.href;
  }
});

// Fetches the page behind a link and appends its rows to ours.
const append = async (link, rowsId) => {
  const rows = document.getElementById(rowsId);
  if (!rows) return false;
  link.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(link.href);
    if (!response.ok) return false;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const more = [...(page.getElementById(rowsId)?.children ?? [])];
    if (more.length === 0) return false;
    const links = link.id ? `#${link.id}` : "a[data-more]";
    const next = page.querySelector(links);
    rows.append(...more);
    // Whoever pressed the link goes on reading at the first new row.
    const first = more[0].querySelector("a, button");
    if (next) link.href = next.href; else link.remove();
    first?.focus({ preventScroll: true });
    return true;
  } catch {
    return false;
  } finally {
    link.removeAttribute("aria-busy");
  }
};
