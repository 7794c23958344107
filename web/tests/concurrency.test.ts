import { expect, it } from 'vitest'
import { runLimited } from '../src/lib/concurrency'

it('runs at most six requests at the same time, tells the progress, and keeps the order', async () => {
  let open = 0, most = 0
  const told: number[] = []
  const items = Array.from({ length: 40 }, (_, n) => n)
  const outcomes = await runLimited(items, async n => {
    most = Math.max(most, ++open)
    await new Promise(resolve => setTimeout(resolve, (n * 7) % 5))
    open--
    if (n % 10 === 3) throw new Error(`refused ${n}`)
  }, done => told.push(done))
  expect(most).toBe(6)
  expect(told).toEqual(items.map(n => n + 1))
  expect(outcomes.map(t => t.item)).toEqual(items)
  expect(outcomes.filter(t => t.error).map(t => (t.error as Error).message)).toEqual([3, 13, 23, 33].map(n => `refused ${n}`))
})

it('runs nothing without items', async () => {
  expect(await runLimited([], () => Promise.reject(new Error('never')))).toEqual([])
})
