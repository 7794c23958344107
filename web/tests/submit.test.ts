import { mount } from '@vue/test-utils'
import { afterEach, expect, it, vi } from 'vitest'
import { Problem, Unreachable } from '../src/api/problem'
import { useSubmit } from '../src/lib/submit'

const refusal = (body: object, retry?: number) => new Problem({ type: '', title: '', status: 422, detail: '', instance: '', error: 'VALIDATION_FAILED', message: 'Check the fields.', errors: [], request_id: 'r', trace_id: '', ...body } as never, retry)
function form(shown: string[] = []) {
  let made!: ReturnType<typeof useSubmit>
  mount({ setup() { made = useSubmit(shown); return () => null } })
  return made
}
afterEach(() => { vi.useRealTimers() })

it('puts faults at the fields that are shown, and the others in the summary', async () => {
  const f = form(['name'])
  expect(await f.run(() => Promise.reject(refusal({ errors: [{ field: 'name', code: 'TOO_LONG', message: 'Too long.' }] })))).toBe(false)
  expect([f.fault('name'), f.summary.value]).toEqual(['Too long.', ''])
  await f.run(() => Promise.reject(refusal({ errors: [{ field: 'slug', code: 'INVALID', message: 'Not a slug.' }] })))
  expect([f.fault('name'), f.summary.value]).toEqual([undefined, 'slug: Not a slug.'])
  await f.run(() => Promise.reject(new Unreachable()))
  expect(f.summary.value).toMatch(/reached/)
})

it('puts a taken value at its field', async () => {
  const f = form(['slug'])
  await f.run(() => Promise.reject(refusal({ status: 409, error: 'SLUG_TAKEN', message: 'This slug is taken.' })))
  expect([f.fault('slug'), f.summary.value]).toEqual(['This slug is taken.', ''])
})

it('runs once at a time, and waits as long as the server asks', async () => {
  vi.useFakeTimers()
  const f = form()
  let runs = 0
  const slow = f.run(async () => { runs++; await new Promise(resolve => setTimeout(resolve, 10)) })
  expect(await f.run(async () => { runs++ })).toBe(false)
  await vi.advanceTimersByTimeAsync(10)
  expect([await slow, runs]).toEqual([true, 1])
  await f.run(() => Promise.reject(refusal({ status: 429, error: 'RATE_LIMITED', message: 'Too many.' }, 2)))
  expect([f.wait.value, await f.run(async () => { runs++ })]).toEqual([2, false])
  await vi.advanceTimersByTimeAsync(2000)
  expect([f.wait.value, f.summary.value, await f.run(async () => { runs++ }), runs]).toEqual([0, '', true, 2])
})
