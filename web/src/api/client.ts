import createClient from 'openapi-fetch'
import type { components, paths } from './schema'
import { Problem, Unreachable } from './problem'
import { csrf } from '@/session/csrf'
import { noteAnswer, noteNoAnswer } from '@/session/network'
import { refreshSession } from '@/session/refresh'
import { stepUp } from '@/session/stepUp'
import { noteVersion } from '@/session/version'

export type Schemas = components['schemas']
export type Member = Schemas['Member']
export type Role = Schemas['Role']
export type Project = Schemas['Project']
export type TimeEntry = Schemas['TimeEntry']
export type AuditEvent = Schemas['AuditEvent']
export type Membership = Schemas['Membership']

const READS = ['GET', 'HEAD', 'OPTIONS']

/** Sends a request. It adds the CSRF token, refreshes an expired session and asks for the password where needed, each once. */
async function send(request: Request): Promise<Response> {
  let used: string | undefined
  const attempt = async () => {
    used = csrf()
    const copy = request.clone()
    if (!READS.includes(copy.method)) copy.headers.set('x-csrf-token', used ?? '')
    try {
      const answer = await fetch(copy)
      noteAnswer()
      noteVersion(answer.headers.get('x-insula-version'))
      return answer
    } catch (error) {
      if (request.signal.aborted) throw error
      noteNoAnswer()
      throw new Unreachable()
    }
  }
  let response = await attempt()
  if (response.status === 401 && !isProof(request) && await refreshSession(used)) response = await attempt()
  if (response.status === 403) {
    const { error } = await response.clone().json().catch(() => ({}))
    if (error === 'CSRF_FAILED' && (await fetch('/api/v1/auth/csrf')).ok) response = await attempt()
    // Dry runs never ask for the password.
    if (error === 'REAUTH_REQUIRED' && !request.url.includes('dry_run=true') && await stepUp()) response = await attempt()
  }
  if (!response.ok && response.status !== 304) throw await Problem.of(response)
  return response
}

/** There, a 401 means that the password was wrong, not that the session has ended. */
const isProof = (request: Request) => /\/auth\/(login|reauthenticate)$/.test(request.url)

export const api = createClient<paths>({ baseUrl: location.origin, fetch: send })

/** The body of a successful answer. Refusals were thrown as `Problem`. */
export async function body<T>(answer: Promise<{ data?: T }>): Promise<T> {
  return (await answer).data as T
}

/** The body with its version, for `If-Match`. */
export async function withEtag<T>(answer: Promise<{ data?: T, response: Response }>) {
  const { data, response } = await answer
  return { data: data as T, etag: response.headers.get('etag') ?? '*' }
}

/** All pages of a list that is known to be short; `max` pages at most. */
export async function all<T>(page: (cursor?: string) => Promise<{ data: T[], next_cursor?: string | null }>, max = 5) {
  const rows: T[] = []
  let cursor: string | undefined
  for (let n = 0; n < max; n++) {
    const { data, next_cursor } = await page(cursor)
    rows.push(...data)
    if (!next_cursor) break
    cursor = next_cursor
  }
  return rows
}

/** A key for a request that creates something. A repeated request with the same key creates nothing new. */
export const newIdempotencyKey = () => crypto.randomUUID()
