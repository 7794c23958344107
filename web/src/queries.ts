import { QueryClient } from '@tanstack/vue-query'
import { Problem } from './api/problem'

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      // Only overload and network failures are worth another attempt, after the time that the server asks for.
      retry: (count, error) => count < 2 && !(error instanceof Problem && error.status < 500 && error.status !== 429),
      retryDelay: (count, error) => error instanceof Problem && error.retryAfter ? error.retryAfter * 1000 : 500 * 2 ** count,
    },
  },
})
