import { i18n, refusal } from '@/locales'
import type { components } from './schema'

type Body = components['schemas']['Problem']

/** A refusal of the API (RFC 9457). */
export class Problem extends Error {
  constructor(readonly body: Body, readonly retryAfter?: number, message = body.message) {
    super(message)
  }

  get code() { return this.body.error }
  get status() { return this.body.status }
  get requestId() { return this.body.request_id }

  /** The sentence for one field of a form. */
  field(name: string) {
    return this.body.errors?.map(e => e as { field: string, message: string }).find(e => e.field === name)?.message
  }

  /** Sentences for fields that the form does not show. */
  others(shown: string[]) {
    return (this.body.errors ?? []).map(e => e as { field: string, message: string }).filter(e => !shown.includes(e.field))
  }

  static async of(response: Response) {
    const body = await response.clone().json().catch(() => null) as Body | null
    const retry = Number(response.headers.get('retry-after')) || undefined
    const message = body && await refusal(body.error, { permission: body.permission, seconds: body.retry_after ?? retry })
    return new Problem(body ?? {
      type: 'about:blank', title: response.statusText, status: response.status, detail: '', instance: '', error: 'INTERNAL_ERROR',
      message: `The server answered ${response.status}.`, errors: [], request_id: response.headers.get('x-request-id') ?? '', trace_id: '',
    }, retry, message ?? undefined)
  }
}

/** The server was not reached at all. */
export class Unreachable extends Error {
  constructor() { super(i18n.global.t('offline.unreachable')) }
}

export const isProblem = (e: unknown, code?: string): e is Problem => e instanceof Problem && (!code || e.code === code)
