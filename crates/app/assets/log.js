// The log: explanations on hover and focus, details in a dialog, filters without reloading, dragging on the chart, live
// updates. Everything here has a plain link or form behind it.
"use strict";

(() => {
  const root = () => document.getElementById("log");
  const rowsOf = () => document.getElementById("rows");

  // Info: shown on hover and on focus, hidden by Esc; the pointer may move onto it.
  let tip = null;
  let hiding = 0;
  const showTip = (button) => {
    const next = button.nextElementSibling;
    clearTimeout(hiding);
    if (tip === next) return;
    hideTip();
    if (!next?.showPopover) return;
    tip = next;
    tip.showPopover();
    place();
  };
  const place = () => {
    const at = tip.previousElementSibling.getBoundingClientRect();
    const size = tip.getBoundingClientRect();
    const left = Math.min(Math.max(12, at.left - 14), innerWidth - size.width - 12);
    const below = at.bottom + 6 + size.height < innerHeight;
    tip.style.left = `${left}px`;
    tip.style.top = `${below ? at.bottom + 6 : Math.max(8, at.top - 6 - size.height)}px`;
  };
  const hideTip = () => {
    clearTimeout(hiding);
    if (tip?.matches(":popover-open")) tip.hidePopover();
    tip = null;
  };
  const hideSoon = () => {
    clearTimeout(hiding);
    hiding = setTimeout(hideTip, 180);
  };
  document.addEventListener("mouseover", (event) => {
    const button = event.target.closest?.(".info");
    if (button) showTip(button);
    else if (tip && tip.contains(event.target)) clearTimeout(hiding);
    else if (tip && !tip.previousElementSibling?.matches(":focus-visible")) hideSoon();
  });
  document.addEventListener("focusin", (event) => {
    const button = event.target.closest?.(".info");
    if (button) showTip(button); else hideTip();
  });
  document.addEventListener("focusout", (event) => { if (event.target.closest?.(".info")) hideTip(); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && tip) {
      hideTip();
      event.stopPropagation();
      event.preventDefault();
    }
  }, true);
  addEventListener("scroll", () => {
    if (!tip) return;
    const at = tip.previousElementSibling.getBoundingClientRect();
    if (at.bottom < 0 || at.top > innerHeight) hideTip(); else place();
  }, { capture: true, passive: true });

  // Details in a dialog; without it the link opens the attempt's page.
  const dialog = document.getElementById("details");
  let opener = null;
  const bones = () => {
    const wait = document.createElement("div");
    wait.className = "dialog-wait";
    for (const kind of ["short", "", "tall"]) {
      const bone = document.createElement("div");
      bone.className = `bone ${kind}`;
      wait.append(bone);
    }
    const name = document.createElement("h2");
    name.id = "details-title";
    name.className = "visually-hidden";
    name.textContent = "Loading details";
    wait.prepend(name);
    return wait;
  };
  const openDetails = async (link) => {
    opener = link;
    dialog.replaceChildren(bones());
    dialog.showModal();
    try {
      const response = await fetch(`${link.href}?fragment=1`);
      if (!response.ok || response.redirected) throw new Error(response.statusText);
      dialog.innerHTML = await response.text();
      document.getElementById("details-title")?.focus();
    } catch {
      location.href = link.href;
    }
  };
  dialog?.addEventListener("click", (event) => {
    if (event.target !== dialog) return;
    const box = dialog.getBoundingClientRect();
    const inside = event.clientX >= box.left && event.clientX <= box.right
      && event.clientY >= box.top && event.clientY <= box.bottom;
    if (!inside) dialog.close();
  });
  dialog?.addEventListener("close", () => {
    dialog.replaceChildren();
    if (opener?.isConnected) opener.focus();
  });

  // Addresses of the log are loaded into the page; anything odd goes the plain way.
  let loading = null;
  const load = async (url, push = true) => {
    loading?.abort();
    loading = new AbortController();
    const { signal } = loading;
    const active = document.activeElement?.id;
    const caret = active === "q" ? document.activeElement.selectionStart : null;
    root().setAttribute("aria-busy", "true");
    try {
      const response = await fetch(url, { signal });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const next = page.getElementById("log");
      if (!response.ok || !next) throw new Error("not a log page");
      const typed = active === "q" ? document.getElementById("q").value : null;
      stopLive();
      hideTip();
      root().replaceWith(next);
      if (push) history.pushState(null, "", url);
      const again = active && document.getElementById(active);
      again?.focus({ preventScroll: true });
      if (again && caret !== null) {
        again.value = typed;
        again.setSelectionRange(caret, caret);
      }
      startLive();
    } catch (error) {
      if (error.name !== "AbortError") location.href = url;
    }
  };
  const formUrl = (form) => {
    const data = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value !== "") data.append(name, value);
    const query = data.toString();
    // A control named "action" hides the form's own property.
    return form.getAttribute("action") + (query ? `?${query}` : "");
  };

  document.addEventListener("click", async (event) => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target.closest("a");
    if (link?.hasAttribute("data-details") && dialog) {
      event.preventDefault();
      openDetails(link);
      return;
    }
    if (event.target.closest("#live")) {
      paused = !paused;
      showPaused();
      if (paused) stopLive(); else load(location.href, false);
      return;
    }
    if (!root() || !link || !root().contains(link)) return;
    if (link.id === "older") {
      event.preventDefault();
      if (await append(link, "rows")) countShown(); else location.href = link.href;
      return;
    }
    if (link.pathname === "/settings/logs" && !link.hasAttribute("download")) {
      event.preventDefault();
      load(link.href);
    }
  });
  document.addEventListener("submit", (event) => {
    if (!root()?.contains(event.target) || event.target.method !== "get") return;
    event.preventDefault();
    load(formUrl(event.target));
  });
  document.addEventListener("change", (event) => {
    const form = event.target.closest("#filters");
    if (form && event.target.tagName === "SELECT") load(formUrl(form));
  });
  let typing = 0;
  document.addEventListener("input", (event) => {
    if (event.target.id !== "q" || !root()) return;
    clearTimeout(typing);
    const form = event.target.form;
    typing = setTimeout(() => load(formUrl(form)), 350);
  });
  addEventListener("popstate", () => { if (root()) load(location.href, false); });

  const countShown = () => {
    const shown = document.getElementById("shown");
    const match = shown?.textContent.match(/^[\d,]+ of (([\d,]+) .*)$/);
    if (!match) return;
    // Rows that left the time of a live page stay until it is loaded again, so there can be more of them than counted.
    const count = rowsOf().children.length;
    const all = Number(match[2].replaceAll(",", ""));
    shown.textContent = count < all ? `${count.toLocaleString("en")} of ${match[1]}` : match[1];
  };

  // Dragging on the chart sets the range.
  let drag = null;
  const chartAt = (event) => {
    const svg = event.target.closest?.("svg.histogram");
    if (!svg) return null;
    return { svg, box: svg.getBoundingClientRect() };
  };
  const share = (x, box) => Math.min(1, Math.max(0, (x - box.left) / box.width));
  document.addEventListener("pointerdown", (event) => {
    const chart = event.button === 0 && root() ? chartAt(event) : null;
    if (!chart) return;
    const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    rect.setAttribute("class", "selection");
    rect.setAttribute("y", "0");
    rect.setAttribute("height", String(chart.svg.viewBox.baseVal.height));
    drag = { ...chart, rect, from: share(event.clientX, chart.box), to: share(event.clientX, chart.box) };
    chart.svg.setPointerCapture(event.pointerId);
  });
  document.addEventListener("pointermove", (event) => {
    if (!drag) return;
    drag.to = share(event.clientX, drag.box);
    const width = drag.svg.viewBox.baseVal.width;
    const [left, right] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
    drag.rect.setAttribute("x", String(left * width));
    drag.rect.setAttribute("width", String((right - left) * width));
    if (!drag.rect.isConnected) drag.svg.append(drag.rect);
  });
  const drop = (event) => {
    if (!drag) return;
    const { svg, rect, box, from, to } = drag;
    drag = null;
    rect.remove();
    if (event.type === "pointercancel" || Math.abs(to - from) * box.width < 5) return;
    const [begin, end] = [Number(svg.dataset.from), Number(svg.dataset.to)];
    const time = (part) => begin + part * (end - begin);
    const whole = (millis, round) => new Date(round(millis / 1000) * 1000).toISOString().replace(".000", "");
    const url = new URL(location.href);
    for (const name of ["range", "before"]) url.searchParams.delete(name);
    url.searchParams.set("from", whole(time(Math.min(from, to)), Math.floor));
    url.searchParams.set("to", whole(time(Math.max(from, to)), Math.ceil));
    load(url.href);
  };
  document.addEventListener("pointerup", drop);
  document.addEventListener("pointercancel", drop);

  // Live updates.
  let stream = null;
  let paused = false;
  let lastSaid = 0;
  const MOST_ROWS = 1000;
  const showPaused = () => {
    const button = document.getElementById("live");
    if (!button) return;
    button.setAttribute("aria-pressed", String(!paused));
  };
  const stopLive = () => {
    stream?.close();
    stream = null;
  };
  const startLive = () => {
    stopLive();
    showPaused();
    const url = root()?.dataset.live;
    if (!url || paused || document.hidden) return;
    stream = new EventSource(url);
    stream.onmessage = (event) => update(JSON.parse(event.data));
  };
  const update = (news) => {
    const rows = rowsOf();
    if (!rows) {
      if (news.rows.trim()) load(location.href, false);
      return;
    }
    if (!drag) {
      document.getElementById("chart").innerHTML = news.chart;
    }
    const tabs = document.getElementById("tabs");
    const focused = tabs.contains(document.activeElement) ? document.activeElement.id : null;
    tabs.innerHTML = news.tabs;
    if (focused) document.getElementById(focused)?.focus();
    if (news.rows.trim()) {
      const holder = document.createElement("tbody");
      holder.innerHTML = news.rows;
      if (news.replace) rows.replaceChildren();
      const fresh = [...holder.children].filter((row) => !rows.querySelector(`[data-number="${row.dataset.number}"]`));
      for (const row of fresh) row.classList.add("fresh");
      rows.prepend(...fresh);
      trim(rows);
    }
    const shown = document.getElementById("shown");
    if (shown) {
      shown.textContent = news.shown;
      countShown();
    }
    const address = new URL(root().dataset.live, location.href);
    const newest = rows.firstElementChild?.dataset.number;
    if (newest) {
      address.searchParams.set("after", newest);
      root().dataset.live = address.pathname + address.search;
    }
    // Politely: not more often than people can listen.
    if (news.announce && Date.now() - lastSaid > 5000) {
      lastSaid = Date.now();
      document.getElementById("live-status").textContent = news.announce;
    }
  };
  const trim = (rows) => {
    while (rows.children.length > MOST_ROWS) rows.lastElementChild.remove();
    const older = document.getElementById("older");
    const last = rows.lastElementChild?.dataset.number;
    if (!older || !last) return;
    const url = new URL(older.href);
    url.searchParams.set("before", last);
    older.href = url.href;
  };
  document.addEventListener("visibilitychange", () => { if (document.hidden) stopLive(); else startLive(); });
  addEventListener("pagehide", stopLive);
  addEventListener("pageshow", (event) => { if (event.persisted) startLive(); });
  if (root()) startLive();
})();
