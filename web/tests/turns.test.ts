import { expect, it } from 'vitest'
import { inTurns } from '../src/lib/turns'

it('runs at most six requests at the same time, tells the progress, and keeps the order', async () => {
  let open = 0, most = 0
  const told: number[] = []
  const items = Array.from({ length: 40 }, (_, n) => n)
  const turns = await inTurns(items, async n => {
    most = Math.max(most, ++open)
    await new Promise(resolve => setTimeout(resolve, (n * 7) % 5))
    open--
    if (n % 10 === 3) throw new Error(`refused ${n}`)
  }, done => told.push(done))
  expect(most).toBe(6)
  expect(told).toEqual(items.map(n => n + 1))
  expect(turns.map(t => t.item)).toEqual(items)
  expect(turns.filter(t => t.error).map(t => (t.error as Error).message)).toEqual([3, 13, 23, 33].map(n => `refused ${n}`))
})

it('runs nothing without items', async () => {
  expect(await inTurns([], () => Promise.reject(new Error('never')))).toEqual([])
})
