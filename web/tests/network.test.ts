// What the answers of the server say about the network and about its version.
import { beforeEach, expect, it, vi } from 'vitest'

beforeEach(() => { vi.resetModules() })

it('is offline since the last answer, until the next one', async () => {
  const { noteAnswer, noteNoAnswer, offlineSince } = await import('../src/session/network')
  vi.useFakeTimers({ now: new Date('2026-01-31T09:30:00Z') })
  noteAnswer()
  vi.setSystemTime(new Date('2026-01-31T09:35:00Z'))
  noteNoAnswer()
  noteNoAnswer()
  expect(offlineSince.value).toEqual(new Date('2026-01-31T09:30:00Z'))
  noteAnswer()
  expect(offlineSince.value).toBeNull()
  dispatchEvent(new Event('offline'))
  expect(offlineSince.value).not.toBeNull()
  vi.useRealTimers()
})

it('is outdated while the server has another version than at first', async () => {
  const { noteVersion, outdated } = await import('../src/session/version')
  for (const [version, expected] of [[null, false], ['1.0.0', false], ['1.0.0', false], ['1.1.0', true], [null, true], ['1.0.0', false]] as const) {
    noteVersion(version)
    expect(outdated.value).toBe(expected)
  }
})
