// SPDX-License-Identifier: Apache-2.0
// Brings the page up to date. Without it the page is the same, as of when it was loaded.
"use strict";
(() => {
  const kEveryMs = 2000;
  const status = document.getElementById("refresh-status");
  const button = document.getElementById("refresh-toggle");
  let paused = false;
  let timer = 0;

  // Only what has changed is replaced, so that focus, selection and scrolling stay where they are.
  const sync = (now, then) => {
    if (now.isEqualNode(then)) return;
    if (now.nodeName !== then.nodeName || now.childNodes.length !== then.childNodes.length ||
        now.nodeType !== Node.ELEMENT_NODE) {
      now.replaceWith(document.adoptNode(then));
      return;
    }
    for (const { name } of [...now.attributes]) if (!then.hasAttribute(name)) now.removeAttribute(name);
    for (const { name, value } of then.attributes) {
      if (now.getAttribute(name) !== value) now.setAttribute(name, value);
    }
    const fresh = [...then.childNodes];
    [...now.childNodes].forEach((child, i) => sync(child, fresh[i]));
  };

  const take = (fresh) => {
    for (const now of document.querySelectorAll("[data-live]")) {
      const then = fresh.getElementById(now.id);
      if (then) sync(now, then);
    }
    document.title = fresh.title;
  };

  const refresh = async () => {
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(5000) });
      if (!answer.ok) throw new Error(answer.statusText);
      // Its style has a nonce of its own, which is not this page's.
      const text = (await answer.text()).replace(/<style[^]*?<\/style>/, "");
      take(new DOMParser().parseFromString(text, "text/html"));
      document.body.classList.remove("stale");
      if (!paused) status.textContent = "";
    } catch {
      document.body.classList.add("stale");
      status.textContent = "\u26a0 Not up to date: the daemon cannot be reached.";
    }
    plan();
  };

  const plan = () => {
    clearTimeout(timer);
    if (!paused && !document.hidden) timer = setTimeout(refresh, kEveryMs);
  };

  button.hidden = false;
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? "Resume" : "Pause";
    status.textContent = paused ? "Paused." : "";
    if (paused) clearTimeout(timer);
    else refresh();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !paused) refresh();
    else plan();
  });
  plan();
})();
