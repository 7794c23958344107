import { computed } from 'vue'
import { useRoute } from 'vue-router'
import { useQuery, type QueryClient } from '@tanstack/vue-query'
import { api, body, type Schemas } from '@/api/client'
import { isProblem, type Problem } from '@/api/problem'

/** What every page needs to start, and why the organization in the address bar cannot be opened, if it cannot. */
type Context = Schemas['UserContext'] & { denied?: Problem }

/** Reads everything that a page needs to start, in one request. */
async function read(organization?: string): Promise<Context> {
  try {
    return await body(api.GET('/api/v1/users/me/context', { params: { query: { organization } } }))
  } catch (error) {
    // The organization is refused, not the user.
    if (organization && isProblem(error) && [403, 404, 410, 422].includes(error.status)) return { ...await read(), denied: error }
    throw error
  }
}

function useContext() {
  const route = useRoute()
  const org = computed(() => String(route.params.org ?? ''))
  const query = useQuery({
    queryKey: computed(() => ['context', org.value]),
    queryFn: async ({ client }) => {
      const context = await read(org.value || undefined)
      // The timer is read again every minute, in a query of its own. It starts with this answer.
      if (context.organization) client.setQueryData([org.value, 'timer'], { running: context.organization.timer })
      return context
    },
    // The user and their organizations are the same in every organization.
    placeholderData: (before: Context | undefined) => before && { ...before, organization: null, denied: undefined },
    staleTime: 60_000,
  })
  return { org, ...query }
}

/** Who is signed in, and what waits for their answer. */
export function useMe() {
  const { data, error, refetch } = useContext()
  return { me: computed(() => data.value?.user), invitations: computed(() => data.value?.invitations ?? []), error, refetch }
}

/** The organizations I belong to, the one in the address bar, and what I may do there. */
export function useOrg() {
  const { org, data, refetch } = useContext()
  const memberships = computed(() => data.value?.organizations)
  const current = computed(() => data.value?.organization)
  const membership = computed(() => memberships.value?.find(m => m.organization.id === current.value?.organization.id || m.organization.slug === org.value || m.organization.id === org.value))
  const held = computed(() => new Set<string>(current.value?.permissions))
  const can = (permission: string) => held.value.has(permission)
  const settings = computed(() => current.value?.settings ?? undefined)
  /** The day before which entries of time cannot be changed. */
  const lockedUntil = computed(() => current.value?.period_lock?.locked_until)
  const readOnly = computed(() => membership.value?.organization.status === 'suspended')
  return { org, membership, memberships, can, readOnly, settings, lockedUntil, refetch, denied: computed(() => data.value?.denied), memberId: computed(() => current.value?.member_id ?? undefined), loaded: computed(() => !!current.value) }
}

/** Reads the user, their organizations and permissions again after a change of one of them. */
export const refreshContext = (cache: QueryClient) => cache.invalidateQueries({ queryKey: ['context'] })

/** Shows the changed profile of the user everywhere. */
export const keepUser = (cache: QueryClient, user: Schemas['User']) => cache.setQueriesData<Context>({ queryKey: ['context'] }, before => before && { ...before, user })
