// Follows a mailed link: `verify#token=…`, `verify#undo=…`, `reset#token=…`.
"use strict";

(() => {
  const { at, ask, fragment, show } = page;
  let resets = location.pathname.replace(/\/$/, "").endsWith("/reset");
  let token = fragment.get("token");
  let undo = fragment.get("undo");
  // Sets the new password of an account whose address is not confirmed yet.
  let verifies = false;

  /** A link that is no longer good leads to a new one, and an account that somebody else may have opened to its password. */
  const on = (id, act) => page.on(id, act, (problem) => {
    if (problem.error === "PASSWORD_REQUIRED") {
      show("Enter your password", "It shows that this account is yours. If you do not know it, somebody else may have registered with your address: then set another.", "known");
      return true;
    }
    if (problem.status !== 410) return false;
    if (undo) show("Link expired", "This link was used or has expired.", null);
    else show("Link expired", problem.message, "again");
    return true;
  });

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
    if (undo) proved("Change undone", await ask("auth/email/undo", { token: undo }));
    else proved("Address confirmed", await ask("auth/email/verify", { token }));
  });

  on("known", async (button) => {
    if (button && button.value === "another") {
      verifies = true;
      show("Set a password", "Everybody who is logged in to this account is logged out.", "password");
      return;
    }
    const answer = await ask("auth/email/verify", { token, password: at("known-password").value });
    at("known-password").value = "";
    proved("Address confirmed", answer);
  });

  on("password", async () => {
    const password = at("new-password").value;
    const answer = verifies
      ? await ask("auth/email/verify", { token, new_password: password })
      : await ask("auth/password/reset", { token, password });
    at("new-password").value = "";
    show("Password set", `You can now log in as ${answer.email}. You were logged out everywhere else.`, null);
  });

  on("again", async () => {
    const answer = await ask(resets ? "auth/password/forgot" : "auth/email/resend", { email: at("email").value });
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
