// Answers an invitation: `accept#token=…`.
"use strict";

(() => {
  const { at, ask, fragment, on, show } = page;
  const token = fragment.get("token");
  let needsPassword = false;

  function closed(problem) {
    show("Invitation closed", problem.message, null);
  }

  /** What keeps somebody from joining, and what he can do about it. */
  function stuck(problem) {
    if (problem.error === "INVITATION_EMAIL_MISMATCH") {
      show("Another account", `You are logged in with another address than that of the invitation, ${problem.email_masked}. Log out here to accept it.`, "switch");
    } else if (problem.error === "ALREADY_MEMBER") {
      show("You are a member already", "There is nothing left to accept. You can close this page.", null);
    } else if (problem.status === 410 || problem.error === "INVITATION_UNSUPPORTED") {
      closed(problem);
    } else {
      return false;
    }
    return true;
  }

  /** Says what the invitation is, and asks for what accepting it takes. */
  async function look() {
    const { invitation, needs_password } = await ask("invitations/preview", { token });
    needsPassword = needs_password;
    for (const id of ["new-password", "first-name", "last-name"]) at(id).disabled = !needsPassword;
    at("account").hidden = !needsPassword;
    const roles = invitation.roles.map((role) => role.name).join(", ");
    const as = roles ? ` as ${roles}` : "";
    const how = needsPassword ? "Choose the password you will log in with." : "You join with the account you have.";
    show(`Join ${invitation.organization.name}`, `${invitation.inviter} invites ${invitation.email}${as}. ${how}`, "answer");
  }

  async function accept() {
    const text = (id) => at(id).value.trim() || null;
    const body = { token };
    if (needsPassword) {
      Object.assign(body, { password: at("new-password").value, first_name: text("first-name"), last_name: text("last-name") });
    }
    const joined = await ask("invitations/accept", body);
    at("new-password").value = "";
    show("Welcome", joined.message, null);
  }

  async function decline() {
    const answer = await ask("invitations/decline", { token });
    show("Declined", answer.message, null);
  }

  on("answer", (button) => (button && button.id === "decline" ? decline() : accept()), stuck);

  on("switch", async () => {
    await ask("auth/logout");
    await look();
  }, stuck);

  at("show").addEventListener("change", (event) => {
    at("new-password").type = event.target.checked ? "text" : "password";
  });

  // Looking changes nothing; only a click answers, since programs that look into mails open links, too.
  if (token) look().catch((problem) => stuck(problem) || show("That did not work", problem.message, null));
  else show("Link incomplete", "Open the whole link from the mail.", null);
})();
