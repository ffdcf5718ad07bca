// An import: how far it is, while it runs.
"use strict";

(() => {
  const progress = document.getElementById("progress");
  const status = document.getElementById("progress-status");
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
})();
