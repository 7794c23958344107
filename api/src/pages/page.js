// Shared by the pages that links in e-mails open. They show one step at a time and call the API.
"use strict";

const page = (() => {
  const at = (id) => document.getElementById(id);

  // The server writes the name of the product into the page.
  const product = document.title;

  // Remove the token from the address bar and the history.
  const fragment = new URLSearchParams(location.hash.slice(1));
  history.replaceState(null, "", location.pathname);

  // Another link opened in the same tab only changes the fragment.
  addEventListener("hashchange", () => location.reload());

  // Without the web console, there is only the home page.
  const hasConsole = "console" in document.documentElement.dataset;
  const toHome = { href: "./", label: hasConsole ? `Go to ${product}` : "Go to the home page" };

  /** Leads to the log-in of `email`, then to `next`, a path below the home page. */
  function toLogIn(email, next = "") {
    return hasConsole ? { href: `login?${new URLSearchParams({ email, next: `/${next}` })}`, label: "Log in" } : toHome;
  }

  /** Leads to an organization. `email`: of the user, if they must log in first. */
  function toOrganization({ slug, name }, email) {
    if (!hasConsole) return toHome;
    const path = `o/${encodeURIComponent(slug)}`;
    return email ? { ...toLogIn(email, path), label: `Log in to ${name}` } : { href: path, label: `Go to ${name}` };
  }

  /** Shows a heading, a sentence, and at most one form, or else the way on. */
  function show(title, text, form, way = toHome) {
    document.title = `${title} · ${product}`;
    at("title").textContent = title;
    at("text").textContent = text;
    at("fault").textContent = "";
    for (const other of document.querySelectorAll("form")) other.hidden = other.id !== form;
    // When nothing is left to do, show where to go on.
    at("onward").hidden = form !== null;
    at("way").href = way.href;
    at("way").textContent = way.label;
    at("title").focus();
  }

  /** Gets the CSRF header that the API needs when the browser has a session. */
  async function csrf() {
    const get = () => fetch("api/v1/auth/csrf");
    let response = await get();
    if (response.status === 401) {
      // The access token may have expired while the session is still active.
      const refreshed = await fetch("api/v1/auth/refresh", { method: "POST" });
      if (refreshed.ok) response = await get();
    }
    return response.ok ? { "x-csrf-token": (await response.json()).csrf_token } : {};
  }

  /** The signed-in user. `null`: nobody is signed in. */
  async function user() {
    if (!/(^|; )(__(Host|Secure)-)?csrf=/.test(document.cookie)) return null;
    await csrf();
    const response = await fetch("api/v1/users/me");
    return response.ok ? response.json() : null;
  }

  /** Calls the API. Returns the answer, or throws a problem with a message for people. */
  async function ask(path, body) {
    let response;
    try {
      const headers = await csrf();
      if (body) headers["content-type"] = "application/json";
      response = await fetch(`api/v1/${path}`, { method: "POST", headers, body: body && JSON.stringify(body) });
    } catch {
      throw { message: "The service cannot be reached. Check your connection and try again." };
    }
    const answer = await response.json().catch(() => ({}));
    if (response.ok) return answer;
    const message = (answer.errors && answer.errors[0] || answer).message;
    throw { ...answer, status: response.status, message: message || "Something went wrong. Please try again." };
  }

  /** Sets what a form does on submit. `stuck` handles problems that need more than their message. */
  function on(id, act, stuck = () => false) {
    at(id).addEventListener("submit", async (event) => {
      event.preventDefault();
      const buttons = at(id).querySelectorAll("button");
      for (const button of buttons) button.disabled = true;
      at("fault").textContent = "";
      try {
        await act(event.submitter);
      } catch (problem) {
        if (!stuck(problem)) at("fault").textContent = problem.message || "Something went wrong. Please try again.";
      } finally {
        for (const button of buttons) button.disabled = false;
      }
    });
  }

  return { at, ask, fragment, on, show, toLogIn, toOrganization, user };
})();
