// Texts of the frame around every page after the log-in.
export default {
  nav: { label: 'Main navigation', open: 'Open navigation', organization: 'Organization', home: 'Home', time: 'Time', tasks: 'Tasks', projects: 'Projects', reports: 'Reports', members: 'Members', roles: 'Roles', audit: 'Audit log', settings: 'Settings' },
  org: { label: 'Organizations', switch: 'Switch organization', find: 'Find an organization', personal: 'Personal', create: 'New organization', suspended: 'This organization is suspended. You can view everything, but changes are disabled.', readOnly: 'This organization is suspended. It can’t be changed.' },
  theme: { system: 'System theme', light: 'Light', dark: 'Dark' },
  ended: { title: 'Your session has ended', text: 'Sign in as {email} to continue. Your unsaved work is still here.', other: 'Use another account' },
  stepUp: { title: 'Confirm it’s you', text: 'This is a sensitive action. Enter your password to continue.', go: 'Continue' },
  palette: { verify: 'Verify log', open: 'Search or jump to…', hint: 'Search people and projects, or type a command', actions: 'Actions', pages: 'Pages', startTimer: 'Start timer', newProject: 'New project', switchTo: 'Switch to {name}', theme: 'Theme: {theme}', count: '{n} result | {n} results' },
  keys: { everywhere: 'Everywhere', goto: 'Go to', week: 'Week view', timer: 'Start or stop the timer', new: 'Log time', move: 'Move between cells', edit: 'Edit', clear: 'Delete', weeks: 'Previous, next week', today: 'This week' },
  denied: { have: 'Your roles', need: 'Roles with access', ask: 'Ask an owner or admin of this organization for one of these roles. It takes effect immediately.' },
  conflict: { title: 'Changed by someone else while you were editing', now: 'Current', yours: 'Yours', take: 'Use current', keep: 'Overwrite with mine' },
  weekday: { monday: 'Monday', saturday: 'Saturday', sunday: 'Sunday' },
  mine: { invitations: 'Invitations', waiting: '{name} invited you to {organization}. | {name} invited you to {organization}. | You have {n} invitations.', answer: 'Answer', joined: 'You joined {name}.', declined: 'Invitation to {name} declined.', declineTitle: 'Decline the invitation to {name}?', declineText: 'You can join later only with a new invitation.', acceptOne: 'Accept the invitation to {name}', declineOne: 'Decline the invitation to {name}', none: 'You are not a member of an organization yet. Create one, or ask for an invitation.', createText: 'You become its owner.', slugHint: 'Part of the address. Lowercase letters, digits and hyphens.', create: 'Create organization' },
}
