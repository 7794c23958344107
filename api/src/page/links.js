// Follows a mailed link: `verify#token=…`, `verify#undo=…`, `reset#token=…`.
"use strict";

(() => {
  const at = (id) => document.getElementById(id);
  const forms = ["confirm", "password", "again"];

  // Out of the address bar, the history, and what anybody reads over a shoulder.
  const fragment = new URLSearchParams(location.hash.slice(1));
  history.replaceState(null, "", location.pathname);
  let resets = location.pathname.replace(/\/$/, "").endsWith("/reset");
  let token = fragment.get("token");
  let undo = fragment.get("undo");

  // Another link opened in the same tab changes nothing but the fragment.
  addEventListener("hashchange", () => location.reload());

  /** Shows a heading, a sentence, and at most one form. */
  function show(title, text, form) {
    document.title = `${title} · Insula`;
    at("title").textContent = title;
    at("text").textContent = text;
    at("fault").textContent = "";
    for (const id of forms) at(id).hidden = id !== form;
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
      response = await fetch(`api/v1/auth/${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", ...(await csrf()) },
        body: JSON.stringify(body),
      });
    } catch {
      throw { message: "The service cannot be reached. Please try again." };
    }
    const answer = await response.json().catch(() => ({}));
    if (response.ok) return answer;
    throw { status: response.status, message: (answer.errors && answer.errors[0] || answer).message || "That did not work. Please try again." };
  }

  /** What a form does when it is sent; a link that is no longer good leads to a new one. */
  function on(id, act) {
    at(id).addEventListener("submit", async (event) => {
      event.preventDefault();
      const button = at(id).querySelector("button");
      button.disabled = true;
      at("fault").textContent = "";
      try {
        await act();
      } catch (problem) {
        if (problem.status === 410 && !undo) expired(problem.message);
        else if (problem.status === 410) show("Link expired", "This link was used or has expired.", null);
        else at("fault").textContent = problem.message || "That did not work. Please try again.";
      } finally {
        button.disabled = false;
      }
    });
  }

  function expired(message) {
    show("Link expired", message, "again");
  }

  /** The address is proved; a password that ended is set anew at once. */
  function proved(title, answer) {
    if (!answer.password_reset_token) {
      show(title, `${answer.email} is confirmed. You can close this page and log in.`, null);
      return;
    }
    [token, undo, resets] = [answer.password_reset_token, null, true];
    show(title, `${answer.email} is confirmed. Now choose the password you will log in with.`, "password");
  }

  on("confirm", async () => {
    if (undo) proved("Change undone", await ask("email/undo", { token: undo }));
    else proved("Address confirmed", await ask("email/verify", { token }));
  });

  on("password", async () => {
    const answer = await ask("password/reset", { token, password: at("new-password").value });
    at("new-password").value = "";
    show("Password set", `You can now log in as ${answer.email}. You were logged out everywhere else.`, null);
  });

  on("again", async () => {
    const answer = await ask(resets ? "password/forgot" : "email/resend", { email: at("email").value });
    show("Look into your mailbox", answer.message, null);
  });

  at("show").addEventListener("change", (event) => {
    at("new-password").type = event.target.checked ? "text" : "password";
  });

  // Nothing happens before somebody asks for it: programs that look into mails open links, too.
  if (undo) {
    at("confirm-button").textContent = "Undo the change";
    show("Undo the change of your address", "Your account gets its old e-mail address back, and everybody who is logged in is logged out. Then you choose a new password.", "confirm");
  } else if (!token) {
    show("Link incomplete", "Open the whole link from the mail, or ask for a new one.", "again");
  } else if (resets) {
    show("Set a new password", "You will be logged out everywhere.", "password");
  } else {
    at("confirm-button").textContent = "Confirm my address";
    show("Confirm your address", "One click, and this e-mail address is known to be yours.", "confirm");
  }
})();
