// A review: cells are changed in place, and the numbers above follow. Everything works without it, by forms.
"use strict";

(() => {
  const head = document.getElementById("review-head");
  const status = document.getElementById("review-status");
  const rows = document.getElementById("review-rows");
  if (!head) return;
  let looking = false;
  let wanted = false;

  // The rows of the page as they are now, save for one that somebody is at.
  const refreshRows = async () => {
    if (!rows || rows.contains(document.activeElement)) return;
    const response = await fetch(location.href);
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.getElementById("review-rows");
    if (!fresh) return;
    for (const row of fresh.children) document.getElementById(row.id)?.replaceWith(document.importNode(row, true));
  };

  // Fetches what stands above the rows, and says whether the review is made.
  const lookOnce = async (first) => {
    const response = await fetch(head.dataset.part);
    if (response.redirected || response.status === 404) location.reload();
    if (!response.ok) return false;
    const text = await response.text();
    // A form that somebody fills in stays as it is.
    if (first || !head.contains(document.activeElement)) {
      const open = head.querySelector("details[open]")?.closest("[data-group]")?.dataset.group;
      head.innerHTML = text;
      const same = [...head.querySelectorAll("[data-group]")].find((group) => group.dataset.group === open);
      same?.querySelector("details")?.setAttribute("open", "");
    }
    return !text.includes('class="card pad running"');
  };

  // Looks at the numbers until the review is made, also of a change that comes meanwhile.
  const look = async () => {
    wanted = true;
    if (looking) return;
    looking = true;
    const first = head.hasAttribute("data-first");
    let waited = false;
    try {
      while (wanted) {
        wanted = false;
        while (!await lookOnce(first)) {
          waited = true;
          await new Promise((resolve) => { setTimeout(resolve, 800); });
        }
      }
      if (first) location.reload();
      else if (waited) await refreshRows();
    } catch {
      // The page stays usable as it is; the next change looks again.
    } finally {
      looking = false;
    }
  };

  const save = async (form, pressed) => {
    const row = form.closest("tr");
    const at = document.activeElement?.id;
    const open = form.querySelector("details.others")?.open;
    form.setAttribute("aria-busy", "true");
    try {
      const body = new URLSearchParams(new FormData(form));
      if (pressed) body.append(pressed.name, pressed.value);
      const response = await fetch(`${form.action}?fragment=1`, { method: "POST", body });
      if (!response.ok) {
        status.textContent = await response.text();
        row.querySelector(".mend > .failed")?.remove();
        const problem = Object.assign(document.createElement("p"), { className: "problem failed", textContent: status.textContent });
        form.prepend(problem);
        return;
      }
      const template = document.createElement("template");
      template.innerHTML = await response.text();
      const fresh = template.content.querySelector("tr");
      const isHere = row.contains(document.activeElement);
      row.replaceWith(fresh);
      if (open) fresh.querySelector("details.others")?.setAttribute("open", "");
      // Whoever was at this row goes on at it; whoever is somewhere else by now stays there.
      const same = at ? document.getElementById(at) : null;
      const next = same ?? fresh.querySelector(".cell > .field") ?? fresh.querySelector("summary, button");
      if (isHere) next?.focus({ preventScroll: true });
      const verdict = fresh.querySelector(".tag")?.textContent.trim();
      status.textContent = `Row ${fresh.querySelector(".c-row").textContent}: ${verdict}`;
      look();
    } catch {
      form.submit(); // The page that answers says what is wrong.
    } finally {
      form.removeAttribute("aria-busy");
    }
  };

  // One change of a row after the other: each sees the row that the one before left.
  const busy = new Map();
  const timers = new Map();
  const submit = (id, submitter) => {
    clearTimeout(timers.get(id));
    timers.delete(id);
    const pressed = submitter?.name ? { name: submitter.name, value: submitter.value } : null;
    const done = (busy.get(id) ?? Promise.resolve()).then(() => {
      const form = document.getElementById(id)?.querySelector("form.mend");
      return form ? save(form, pressed) : null;
    });
    busy.set(id, done);
  };

  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form.mend");
    if (!form) return;
    event.preventDefault();
    submit(form.closest("tr").id, event.submitter);
  });
  document.addEventListener("change", (event) => {
    const id = event.target.closest("form.mend")?.closest("tr").id;
    // Leaving a cell saves it, unless a button was what it was left for.
    if (id) timers.set(id, setTimeout(() => submit(id, null), 200));
  });

  if (head.hasAttribute("data-running")) look();
})();
