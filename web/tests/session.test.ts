// One refresh for all requests, and what a 401 of it means.
import { beforeEach, expect, it, vi } from 'vitest'

let refreshes: number, status: number, during: () => void
beforeEach(() => {
  vi.resetModules()
  refreshes = 0
  status = 200
  during = () => {}
  document.cookie = 'csrf=one'
  vi.stubGlobal('fetch', vi.fn(async () => { refreshes++; during(); return new Response(null, { status }) }))
})
const load = () => import('../src/session/refresh')

it('refreshes once for requests at the same time', async () => {
  const { refreshSession } = await load()
  expect(await Promise.all([refreshSession('one'), refreshSession('one'), refreshSession('one')])).toEqual([true, true, true])
  expect(refreshes).toBe(1)
})

it('does not refresh after another tab did', async () => {
  const { refreshSession } = await load()
  document.cookie = 'csrf=two'
  expect(await refreshSession('one')).toBe(true)
  expect(refreshes).toBe(0)
})

it('ends the session after a 401', async () => {
  const { ended, refreshSession } = await load()
  status = 401
  expect(await refreshSession('one')).toBe(false)
  expect(ended.value).toBe(true)
})

it('keeps a session that began during the refresh', async () => {
  const { ended, refreshSession } = await load()
  status = 401
  during = () => { document.cookie = 'csrf=new' }
  expect(await refreshSession('one')).toBe(true)
  expect(ended.value).toBe(false)
})
