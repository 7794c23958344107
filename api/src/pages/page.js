// What the pages of mailed links share: they show one thing at a time, and ask the API as a page of its own.
"use strict";

const page = (() => {
  const at = (id) => document.getElementById(id);

  // Out of the address bar, the history, and what anybody reads over a shoulder.
  const fragment = new URLSearchParams(location.hash.slice(1));
  history.replaceState(null, "", location.pathname);

  // Another link opened in the same tab changes nothing but the fragment.
  addEventListener("hashchange", () => location.reload());

  /** Shows a heading, a sentence, and at most one form. */
  function show(title, text, form) {
    document.title = `${title} · Insula`;
    at("title").textContent = title;
    at("text").textContent = text;
    at("fault").textContent = "";
    for (const other of document.querySelectorAll("form")) other.hidden = other.id !== form;
    // Where nothing is left to do, there is still somewhere to go.
    at("onward").hidden = form !== null;
    at("title").focus();
  }

  /** Proves to the API that this is a page of its own, where a browser's session may be at stake. */
  async function csrf() {
    const get = () => fetch("api/v1/auth/csrf");
    let response = await get();
    if (response.status === 401) {
      // The session may only be asleep.
      const woken = await fetch("api/v1/auth/refresh", { method: "POST" });
      if (woken.ok) response = await get();
    }
    return response.ok ? { "x-csrf-token": (await response.json()).csrf_token } : {};
  }

  /** Asks the API; gives its answer, or throws a problem with a sentence for people. */
  async function ask(path, body) {
    let response;
    try {
      const headers = await csrf();
      if (body) headers["content-type"] = "application/json";
      response = await fetch(`api/v1/${path}`, { method: "POST", headers, body: body && JSON.stringify(body) });
    } catch {
      throw { message: "The service cannot be reached. Please try again." };
    }
    const answer = await response.json().catch(() => ({}));
    if (response.ok) return answer;
    const message = (answer.errors && answer.errors[0] || answer).message;
    throw { ...answer, status: response.status, message: message || "That did not work. Please try again." };
  }

  /** What a form does when it is sent, and what a problem leads to where that is more than its sentence. */
  function on(id, act, stuck = () => false) {
    at(id).addEventListener("submit", async (event) => {
      event.preventDefault();
      const buttons = at(id).querySelectorAll("button");
      for (const button of buttons) button.disabled = true;
      at("fault").textContent = "";
      try {
        await act(event.submitter);
      } catch (problem) {
        if (!stuck(problem)) at("fault").textContent = problem.message || "That did not work. Please try again.";
      } finally {
        for (const button of buttons) button.disabled = false;
      }
    });
  }

  return { at, ask, fragment, on, show };
})();
