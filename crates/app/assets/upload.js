// Uploading: drag, paste, and a bar that shows how far it is. Without it the form is sent as it is.
"use strict";

(() => {
  const form = document.getElementById("upload");
  const drop = document.getElementById("drop");
  const input = document.getElementById("file");
  const progress = document.getElementById("upload-progress");
  const bar = progress.querySelector("progress");
  const status = progress.querySelector("p");
  const problem = document.getElementById("upload-problem");
  const submit = form.querySelector("button[type=submit]");
  let request = null;

  const say = (text) => {
    const notice = document.createElement("p");
    notice.className = "notice bad";
    notice.textContent = text;
    problem.replaceChildren(...(text ? [notice] : []));
  };
  const size = (bytes) => {
    for (const [unit, base] of [["GB", 2 ** 30], ["MB", 2 ** 20], ["kB", 2 ** 10]]) {
      if (bytes >= base) return `${(bytes / base).toFixed(1)} ${unit}`;
    }
    return `${bytes} bytes`;
  };
  const busy = (on) => {
    progress.hidden = !on;
    submit.disabled = on;
    submit.setAttribute("aria-busy", String(on));
  };

  const send = (file) => {
    say("");
    if (file.size > Number(form.dataset.limit)) {
      say(form.dataset.tooLarge);
      return;
    }
    const data = new FormData();
    data.append("file", file, file.name);
    request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.responseType = "document";
    const began = Date.now();
    request.upload.onprogress = (event) => {
      if (!event.lengthComputable) return;
      bar.value = event.loaded / event.total * 100;
      const seconds = (Date.now() - began) / 1000;
      const rate = seconds > .5 ? `, ${size(event.loaded / seconds)} a second` : "";
      status.textContent = event.loaded < event.total
        ? `${size(event.loaded)} of ${size(event.total)}${rate}`
        : "Looking into the file…";
    };
    request.onload = () => {
      const answer = request.response;
      if (request.status < 400 && request.responseURL) {
        location.href = request.responseURL;
        return;
      }
      busy(false);
      const notice = answer?.getElementById("upload-problem");
      if (notice?.textContent.trim()) problem.replaceChildren(...notice.children);
      else say("The file could not be uploaded. Try again.");
    };
    request.onerror = () => {
      busy(false);
      say("The connection broke off. Check it and upload the file again.");
    };
    request.onabort = () => busy(false);
    bar.value = 0;
    status.textContent = "";
    busy(true);
    request.send(data);
  };

  const take = (files) => {
    if (!files?.length) return false;
    const chosen = new DataTransfer();
    chosen.items.add(files[0]);
    input.files = chosen.files;
    send(files[0]);
    return true;
  };

  form.addEventListener("submit", (event) => {
    if (!input.files.length) return;
    event.preventDefault();
    send(input.files[0]);
  });
  document.getElementById("upload-cancel").addEventListener("click", () => request?.abort());
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    take(event.dataTransfer.files);
  });
  // A file that misses the box must not replace the page.
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => event.preventDefault());
  // Cells of a spreadsheet come as text; what is pasted into a field stays there.
  const paste = document.getElementById("paste");
  addEventListener("paste", (event) => {
    if (event.target.closest?.("textarea, input")) return;
    const text = event.clipboardData.getData("text/plain");
    if (/[\t\n]/.test(text)) {
      event.preventDefault();
      paste.open = true;
      const cells = paste.querySelector("textarea");
      cells.value = text;
      cells.focus();
    } else if (take(event.clipboardData.files)) {
      event.preventDefault();
    }
  });
})();
