import { afterEach, expect, it } from 'vitest'
import { Problem } from '../src/api/problem'
import { setLocale } from '../src/locales'

afterEach(() => setLocale('en'))

const problem = (error: string, more: object = {}) =>
  Problem.of(new Response(JSON.stringify({ error, message: 'A sentence of the API.', errors: [], ...more }), { status: 409 }))

it('an error of the API is shown in the language of the user', async () => {
  expect((await problem('LAST_OWNER')).message).toBe('A sentence of the API.')
  await setLocale('de')
  expect((await problem('LAST_OWNER')).message).toContain('einen aktiven Inhaber')
  expect((await problem('FORBIDDEN', { permission: 'tasks:create' })).message).toBe('Dafür brauchst du das Recht „tasks:create“.')
  expect((await problem('RATE_LIMITED', { retry_after: 7 })).message).toContain('in 7 Sekunden')
})

it('an error that the console does not know keeps the sentence of the API', async () => {
  await setLocale('de')
  expect((await problem('SOMETHING_NEW')).message).toBe('A sentence of the API.')
})

it('an answer that is no problem has a sentence too', async () => {
  const answer = await Problem.of(new Response('<html>', { status: 502, statusText: 'Bad Gateway' }))
  expect([answer.code, answer.message]).toEqual(['INTERNAL_ERROR', 'The server answered 502.'])
})
