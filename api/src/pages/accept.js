// Answers an invitation: `accept#token=…`.
"use strict";

(() => {
  const { at, ask, fragment, on, show, toOrganization, user } = page;
  const token = fragment.get("token");
  let needsPassword = false;
  // The organization of the invitation, when it is known.
  let organization = null;

  function closed(problem) {
    show("Invitation closed", problem.message, null);
  }

  function wrongAccount(email) {
    show("Wrong account", `This invitation is for ${email}, but you are logged in with another e-mail address. Log out to accept it.`, "switch");
  }

  /** Handles the problems that have a page of their own. Returns false for all others. */
  function stuck(problem) {
    if (problem.error === "INVITATION_EMAIL_MISMATCH") {
      wrongAccount(problem.email_masked);
    } else if (problem.error === "ALREADY_MEMBER") {
      show("You are already a member", "You do not need to accept this invitation. You can close this page.", null, organization ? toOrganization(organization) : undefined);
    } else if (problem.status === 410 || problem.error === "INVITATION_UNSUPPORTED") {
      closed(problem);
    } else {
      return false;
    }
    return true;
  }

  /** Shows the invitation, with a password field if the user needs a new account. */
  async function look() {
    const { invitation, needs_password } = await ask("invitations/preview", { token });
    organization = invitation.organization;
    needsPassword = needs_password;
    const me = await user();
    if (me && me.email !== invitation.email) return wrongAccount(invitation.email);
    for (const id of ["new-password", "first-name", "last-name"]) at(id).disabled = !needsPassword;
    at("account").hidden = !needsPassword;
    const roles = invitation.roles.map((role) => role.name).join(", ");
    const as = roles ? ` as ${roles}` : "";
    const how = needsPassword ? "Choose a password for your new account." : "You will join with your existing account.";
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
    show("Welcome", joined.message, null, toOrganization(joined.organization, joined.next === "log_in" ? joined.email : null));
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

  // Loading the page changes nothing. Only a click answers, because mail scanners open links too.
  if (token) look().catch((problem) => stuck(problem) || show("Something went wrong", problem.message, null));
  else show("Link incomplete", "Open the complete link from the e-mail.", null);
})();
