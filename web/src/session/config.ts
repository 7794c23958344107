import { computed, watchEffect, type Ref } from 'vue'
import { useQuery, type QueryClient } from '@tanstack/vue-query'
import { api, body } from '@/api/client'

/** What the installation says about itself before the log-in, such as its name. */
export function useConfig() {
  const { data: config } = useQuery({ queryKey: ['auth-config'], queryFn: () => body(api.GET('/api/v1/auth/config')), staleTime: Infinity })
  return { config, product: computed(() => config.value?.product_name ?? '') }
}

/** Keeps the title of the tab: the page, then where it belongs. */
export function useTitle(page: Readonly<Ref<string>>, place: Readonly<Ref<string | undefined>>) {
  watchEffect(() => { document.title = [page.value, place.value].filter(Boolean).join(' · ') })
}

/** Drops everything that the previous user loaded. */
export const forget = (cache: QueryClient) => cache.removeQueries({ predicate: query => query.queryKey[0] !== 'auth-config' })
