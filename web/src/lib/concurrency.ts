/** The outcome of one of many requests. */
export interface Outcome<T> { item: T, error?: unknown }

/** Runs `act` for each item, at most `atOnce` at the same time. `progress` is told how many are done. The outcomes have the order of `items`. */
export async function runLimited<T>(items: readonly T[], act: (item: T) => Promise<unknown>, progress?: (done: number) => void, atOnce = 6): Promise<Outcome<T>[]> {
  const outcomes: Outcome<T>[] = items.map(item => ({ item }))
  let next = 0, done = 0
  const worker = async () => {
    while (next < outcomes.length) {
      const outcome = outcomes[next++]!
      try { await act(outcome.item) } catch (error) { outcome.error = error }
      progress?.(++done)
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker))
  return outcomes
}
