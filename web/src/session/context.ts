import { computed } from 'vue'
import { useRoute } from 'vue-router'
import { useQuery } from '@tanstack/vue-query'
import { all, api, body } from '@/api/client'
import { isProblem } from '@/api/problem'

/** Who is signed in. */
export function useMe() {
  const { data, error, refetch } = useQuery({ queryKey: ['me'], queryFn: () => body(api.GET('/api/v1/users/me')), staleTime: 300_000 })
  return { me: data, error, refetch }
}

/** The organizations I belong to, the one in the address bar, and what I may do there. */
export function useOrg() {
  const route = useRoute()
  const org = computed(() => String(route.params.org ?? ''))
  const { data: memberships } = useQuery({
    queryKey: ['memberships'],
    queryFn: () => all(cursor => body(api.GET('/api/v1/users/me/organizations', { params: { query: { limit: 100, cursor } } }))),
    staleTime: 300_000,
  })
  const membership = computed(() => memberships.value?.find(m => m.organization.slug === org.value || m.organization.id === org.value))
  const { data: effective, error } = useQuery({
    queryKey: computed(() => [org.value, 'permissions']),
    queryFn: () => body(api.GET('/api/v1/organizations/{org}/me/permissions', { params: { path: { org: org.value } } })),
    enabled: computed(() => !!org.value),
    staleTime: 60_000,
  })
  const held = computed(() => new Set(effective.value?.permissions.map(p => p.permission as string)))
  const can = (permission: string) => held.value.has(permission)
  const readOnly = computed(() => membership.value?.organization.status === 'suspended')
  const denied = computed(() => isProblem(error.value) ? error.value : null)
  return { org, membership, memberships, can, readOnly, denied, memberId: computed(() => effective.value?.member_id), loaded: computed(() => !!effective.value) }
}
