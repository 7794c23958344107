/** The CSRF token of the session, from the only cookie that scripts can read. Undefined: there is no session. */
export function csrf() {
  const names = ['__Host-csrf', '__Secure-csrf', 'csrf']
  const pairs = document.cookie.split('; ').map(pair => pair.split('='))
  return pairs.find(([name]) => names.includes(name!))?.[1]
}
