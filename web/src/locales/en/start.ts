// Texts of the pages before the log-in, and of what is shown everywhere.
export default {
  skip: 'Skip to content', close: 'Close', cancel: 'Cancel', save: 'Save', edit: 'Edit', delete: 'Delete', undo: 'Undo', again: 'Try again', more: 'Load more', copy: 'Copy', export: 'Export', actions: 'Actions', actionsFor: 'Actions for {name}', select: 'Select {name}', selectAll: 'Select all', selected: '{n} selected', removeOne: 'Remove {name}', search: 'Search', nothingFound: 'No results', clearFilters: 'Clear filters', nothingChanged: 'No changes to save', loading: 'Loading…', notice: 'Notification', you: 'You', now: 'now', yes: 'Yes', no: 'No', status: 'Status', suspended: 'Suspended', today: 'Today', yesterday: 'Yesterday', total: 'Total', project: 'Project', noProject: 'No project', billable: 'Billable', password: 'Password', requestId: 'Request ID', needs: 'Requires the permission {permission}. Ask an owner or admin.',
  email: 'E-mail address', firstName: 'First name', lastName: 'Last name',
  offline: { text: 'Offline. Showing data from {time}.', unreachable: 'The service cannot be reached.' },
  update: { text: 'A new version is available.', reload: 'Reload' },
  missing: { text: 'This page does not exist, or it was moved.', home: 'Go to the start page' },
  user: { account: 'Account', sessions: 'Sessions', keys: 'Keyboard shortcuts', docs: 'API documentation', signOut: 'Sign out' },
  auth: { welcome: 'Welcome back', lead: 'Sign in to continue.', login: 'E-mail or username', signIn: 'Sign in', show: 'Show password', hide: 'Hide password', forgot: 'Forgot your password?', register: 'Create an account', wait: 'Try again in {seconds} s' },
  problem: { offline: 'Service unreachable', denied: 'You don’t have access', missing: 'Not found', broken: 'Something went wrong', roles: 'Your roles: {held}. Roles with access: {grant}.' },
  register: { title: 'Create an account', lead: 'Start with your e-mail address and a password.', length: 'At least {n} characters. A few random words make a good password.', go: 'Create account', have: 'Do you have an account?', sent: 'We sent a link to {email}. Open it to confirm your address and sign in.' },
  forgot: { title: 'Reset your password', lead: 'Enter your e-mail address. We send you a link to set a new password.', go: 'Send link', back: 'Back to sign-in', sent: 'If {email} has an account, a link to set a new password is on its way. It is valid for 30 minutes.' },
  inbox: { title: 'Check your inbox', resend: 'Send the e-mail again', again: 'Sent again. It can take a minute to arrive.' },
}
