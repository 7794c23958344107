import { ref } from 'vue'
import { csrf } from './csrf'

/** Messages between the tabs of one browser. They never contain a token. */
type TabMessage = { kind: 'signed_in', user: string } | { kind: 'ended', of?: string } | { kind: 'signed_out' }

const channel = new BroadcastChannel('insula.session')

/** Whether the session of this browser has ended while the page was open. */
export const ended = ref(false)

let refreshing: Promise<boolean> | null = null

/** Exchanges the refresh cookie, once for all requests of all tabs. False: the session has ended.
 *
 * `used` is the CSRF token of the refused request. A refresh sets another one, and all tabs read the same cookie. So a tab
 * notices at once that another tab has refreshed already; the storage of other tabs would change too late. */
export function refreshSession(used: string | undefined): Promise<boolean> {
  refreshing ??= alone(used).finally(() => { refreshing = null })
  return refreshing
}

async function alone(used: string | undefined) {
  return withSessionLock(async () => {
    const now = csrf()
    if (now && now !== used) return true
    const response = await fetch('/api/v1/auth/refresh', { method: 'POST' })
    // A user signed in during the request. The 401 is about the previous session.
    if (response.status === 401 && csrf() !== now && csrf()) return true
    if (response.status === 401) end()
    return response.ok
  })
}

/** Runs `act` while no other tab changes the cookies of the session. Locks exist in secure contexts only. Elsewhere the
 * server accepts the previous refresh token for 10 s. */
export function withSessionLock<T>(act: () => Promise<T>): Promise<T> {
  return navigator.locks ? navigator.locks.request('insula.session', act) as Promise<T> : act()
}

function end() {
  ended.value = true
  channel.postMessage({ kind: 'ended', of: csrf() } satisfies TabMessage)
}

/** Tells all tabs that the user signed out. They leave at once, so that the next person at this device sees nothing. */
export function signedOut() {
  channel.postMessage({ kind: 'signed_out' } satisfies TabMessage)
  location.assign('/login')
}

/** Tells all tabs that `user` signed in. */
export function signedIn(user: string) {
  ended.value = false
  channel.postMessage({ kind: 'signed_in', user } satisfies TabMessage)
}

/** Follows the other tabs: leaves after a sign-out, and reloads after a log-in as another user. */
export function listen(me: () => string | undefined) {
  channel.onmessage = ({ data }: MessageEvent<TabMessage>) => {
    if (data.kind === 'signed_out') location.assign('/login')
    else if (data.kind === 'ended') ended.value ||= csrf() === data.of
    else if (data.user !== me()) location.reload()
    else ended.value = false
  }
}
