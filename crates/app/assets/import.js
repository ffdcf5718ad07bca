// An import: how far it is, while it runs; how many columns are left out, while they are mapped.
"use strict";

(() => {
  const progress = document.getElementById("progress");
  const status = document.getElementById("progress-status");
  const left = document.getElementById("left-out");
  let said = -1;

  const over = () => location.reload();
  const show = (html) => { progress.innerHTML = html; };
  const announce = (percent) => {
    const quarter = Math.floor((percent ?? 0) / 25);
    if (percent === null || quarter <= said) return;
    said = quarter;
    status.textContent = `${percent} percent imported`;
  };

  // Asks again and again where a stream does not get through.
  const poll = async () => {
    try {
      const response = await fetch(progress.dataset.poll);
      if (response.ok) show(await response.text());
      if (response.ok && !progress.querySelector(".tag.busy")) return over();
    } catch { /* The next round tries again. */ }
    setTimeout(poll, 2000);
  };

  if (progress) {
    const stream = new EventSource(progress.dataset.live);
    let failures = 0;
    stream.onmessage = (event) => {
      failures = 0;
      const news = JSON.parse(event.data);
      show(news.html);
      announce(news.percent);
      if (news.over) {
        stream.close();
        over();
      }
    };
    stream.onerror = () => {
      failures += 1;
      if (failures < 3 && stream.readyState !== EventSource.CLOSED) return;
      stream.close();
      poll();
    };
  }

  document.getElementById("mapping")?.addEventListener("change", () => {
    const out = document.querySelectorAll(".c-goes > select > option[value='']:checked").length;
    left.textContent = out === 0 ? "Every column goes to a field."
      : out === 1 ? "1 column is left out: its values are not imported."
        : `${out} columns are left out: their values are not imported.`;
  });
  document.getElementById("mapping")?.addEventListener("submit", (event) => {
    const button = event.target.querySelector("button[type=submit]");
    button.setAttribute("aria-busy", "true");
  });
})();
