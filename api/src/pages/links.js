// Handles a link from an e-mail: `verify#token=…`, `verify#undo=…`, `reset#token=…`.
"use strict";

(() => {
  const { at, ask, fragment, show, toLogIn } = page;
  let resets = location.pathname.replace(/\/$/, "").endsWith("/reset");
  let token = fragment.get("token");
  let undo = fragment.get("undo");
  // Whether the new password is for an account whose e-mail address is not confirmed yet.
  let verifies = false;

  /** An expired link leads to a new one. An account that someone else may have created asks for its password. */
  const on = (id, act) => page.on(id, act, (problem) => {
    if (problem.error === "PASSWORD_REQUIRED") {
      show("Enter your password", "This shows that the account is yours. If you do not know the password, someone else may have registered with your e-mail address. In that case, set a new password.", "known");
      return true;
    }
    if (problem.status !== 410) return false;
    if (undo) show("Link expired", "This link has already been used or has expired.", null);
    else show("Link expired", problem.message, "again");
    return true;
  });

  /** The e-mail address is confirmed. A password that was removed is set again right away. */
  function proved(title, answer) {
    if (!answer.password_reset_token) {
      show(title, `${answer.email} is confirmed. You can close this page and log in.`, null, toLogIn(answer.email));
      return;
    }
    [token, undo, resets] = [answer.password_reset_token, null, true];
    show(title, `${answer.email} is confirmed. Now choose a new password.`, "password");
  }

  on("confirm", async () => {
    if (undo) proved("Change undone", await ask("auth/email/undo", { token: undo }));
    else proved("E-mail address confirmed", await ask("auth/email/verify", { token }));
  });

  on("known", async (button) => {
    if (button && button.value === "another") {
      verifies = true;
      show("Set a password", "This logs out every device that uses this account.", "password");
      return;
    }
    const answer = await ask("auth/email/verify", { token, password: at("known-password").value });
    at("known-password").value = "";
    proved("E-mail address confirmed", answer);
  });

  on("password", async () => {
    const password = at("new-password").value;
    const answer = verifies
      ? await ask("auth/email/verify", { token, new_password: password })
      : await ask("auth/password/reset", { token, password });
    at("new-password").value = "";
    show("Password set", `You can now log in as ${answer.email}. All other devices were logged out.`, null, toLogIn(answer.email));
  });

  on("again", async () => {
    const answer = await ask(resets ? "auth/password/forgot" : "auth/email/resend", { email: at("email").value });
    show("Check your inbox", answer.message, null, toLogIn(at("email").value));
  });

  at("show").addEventListener("change", (event) => {
    at("new-password").type = event.target.checked ? "text" : "password";
  });

  // Nothing happens before the user clicks, because mail scanners open links too.
  if (undo) {
    at("confirm-button").textContent = "Undo the change";
    show("Undo the change of your e-mail address", "This restores your previous e-mail address and logs out all devices. You then choose a new password.", "confirm");
  } else if (!token) {
    show("Link incomplete", "Open the complete link from the e-mail, or request a new one.", "again");
  } else if (resets) {
    show("Set a new password", "This logs you out on all devices.", "password");
  } else {
    at("confirm-button").textContent = "Confirm my e-mail address";
    show("Confirm your e-mail address", "Confirm that this e-mail address is yours.", "confirm");
  }
})();
