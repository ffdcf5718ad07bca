// Mapping columns: the parts of the page that depend on a choice are asked for again. What they say, the server decides.
"use strict";

(() => {
  const form = document.getElementById("mapping");
  if (!form) return;
  const preview = document.getElementById("preview");
  const here = form.dataset.import;
  const query = (more) => {
    const values = new URLSearchParams(new FormData(form));
    for (const [name, value] of Object.entries(more)) values.set(name, value);
    return values;
  };
  const ask = async (address, signal) => {
    const response = await fetch(address, { signal });
    if (!response.ok) throw new Error(String(response.status));
    return response.text();
  };

  const countLeftOut = () => {
    const left = document.getElementById("left-out");
    const out = preview.querySelectorAll(".c-goes > select > option[value='']:checked").length;
    if (!left) return;
    left.textContent = out === 0 ? "Every column goes to a field."
      : out === 1 ? "1 column is left out: its values are not imported."
        : `${out} columns are left out: their values are not imported.`;
  };

  // Each part has one question under way at most; a newer one makes the older worthless.
  const underWay = new Map();
  const refresh = async (part, address, show) => {
    underWay.get(part)?.abort();
    const asking = new AbortController();
    underWay.set(part, asking);
    part.setAttribute("aria-busy", "true");
    try {
      show(await ask(address, asking.signal));
    } catch (error) {
      if (error.name === "AbortError") return;
      // The buttons do the same without a script.
    }
    part.removeAttribute("aria-busy");
  };

  const readAgain = () => {
    for (const asking of underWay.values()) asking.abort();
    refresh(preview, `${here}?${query({ fragment: "preview" })}`, (html) => { preview.innerHTML = html; });
  };
  const checkColumn = (index) => {
    const part = document.getElementById(`said-${index}`);
    refresh(part, `${here}/columns/${index}/check?${query({})}`, (html) => {
      part.innerHTML = html;
      countLeftOut();
    });
  };
  // An answer about dates changes the count alone, and what has the focus stays.
  const countAgain = (index) => {
    const part = document.getElementById(`count-${index}`);
    refresh(part, `${here}/columns/${index}/check?${query({})}`, (html) => {
      const answer = new DOMParser().parseFromString(html, "text/html").getElementById(`count-${index}`);
      if (answer) part.replaceChildren(...answer.childNodes);
    });
  };

  form.addEventListener("change", (event) => {
    const { name, dataset } = event.target;
    if ("reading" in dataset) readAgain();
    else if (name?.startsWith("field.")) checkColumn(dataset.column);
    else if (name?.startsWith("date_order.")) countAgain(dataset.column);
  });
  form.addEventListener("submit", (event) => {
    event.submitter?.setAttribute("aria-busy", "true");
  });
  addEventListener("pageshow", () => {
    for (const button of form.querySelectorAll(".btn[aria-busy]")) button.removeAttribute("aria-busy");
  });
})();
