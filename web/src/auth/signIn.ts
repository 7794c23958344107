import { api, body } from '@/api/client'
import { withSessionLock } from '@/session/refresh'

/** The name of this browser in the list of sessions, such as `Chrome · Linux`. */
function device() {
  const ua = navigator.userAgent
  const browser = /Edg\//.test(ua) ? 'Edge' : /Firefox\//.test(ua) ? 'Firefox' : /Chrome\//.test(ua) ? 'Chrome' : /Safari\//.test(ua) ? 'Safari' : 'Browser'
  const system = /Windows/.test(ua) ? 'Windows' : /iPhone|iPad/.test(ua) ? 'iOS' : /Android/.test(ua) ? 'Android' : /Mac OS/.test(ua) ? 'macOS' : /Linux/.test(ua) ? 'Linux' : ''
  return [browser, system].filter(Boolean).join(' · ')
}

/** Signs in with cookies. Scripts cannot read the tokens in them. */
export async function signIn(login: string, password: string) {
  const who = login.includes('@') ? { email: login } : { username: login }
  const { user } = await withSessionLock(() => body(api.POST('/api/v1/auth/login', { body: { ...who, password, transport: 'cookie', device_name: device() } })))
  return user
}
