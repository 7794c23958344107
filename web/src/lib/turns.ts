/** The outcome of one of many requests. */
export interface Turn<T> { item: T, error?: unknown }

/** Runs `act` for each item, at most `atOnce` at the same time. `progress` is told how many are done. The outcomes have the order of `items`. */
export async function inTurns<T>(items: readonly T[], act: (item: T) => Promise<unknown>, progress?: (done: number) => void, atOnce = 6): Promise<Turn<T>[]> {
  const turns: Turn<T>[] = items.map(item => ({ item }))
  let next = 0, done = 0
  const worker = async () => {
    while (next < turns.length) {
      const turn = turns[next++]!
      try { await act(turn.item) } catch (error) { turn.error = error }
      progress?.(++done)
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker))
  return turns
}
