import { computed, onUnmounted, ref, watch } from 'vue'
import { useI18n } from 'vue-i18n'
import { useQuery, useQueryClient } from '@tanstack/vue-query'
import { api, body, newIdempotencyKey, type Schemas } from '@/api/client'
import { isProblem } from '@/api/problem'
import { notify, notifyError } from '@/lib/toast'
import { hm } from '@/lib/duration'
import { useOrg } from '@/session/context'

/** My timer, on whatever device it was started. */
export function useTimer() {
  const { t } = useI18n()
  const cache = useQueryClient()
  const { org, can } = useOrg()
  const path = computed(() => ({ org: org.value }))
  const key = computed(() => [org.value, 'timer'])
  const { data } = useQuery({
    queryKey: key, queryFn: () => body(api.GET('/api/v1/organizations/{org}/timer', { params: { path: path.value } })),
    enabled: computed(() => can('time_entries:read')), refetchInterval: 60_000, refetchOnWindowFocus: 'always', staleTime: 5_000,
  })
  const running = computed(() => data.value?.running ?? null)
  const now = ref(Date.now())
  let tick = 0
  watch(running, is => { clearInterval(tick); now.value = Date.now(); if (is) tick = window.setInterval(() => { now.value = Date.now() }, 1000) }, { immediate: true })
  onUnmounted(() => clearInterval(tick))
  const elapsed = computed(() => running.value ? Math.max(0, (now.value - Date.parse(running.value.started_at)) / 1000) : 0)
  const busy = ref(false)
  const fresh = () => Promise.all([cache.invalidateQueries({ queryKey: key.value }), cache.invalidateQueries({ queryKey: [org.value, 'entries'] })])

  async function start(draft: Schemas['TimerStart']) {
    busy.value = true
    try {
      if (running.value) await api.POST('/api/v1/organizations/{org}/timer/stop', { params: { path: path.value } })
      await api.POST('/api/v1/organizations/{org}/timer/start', { params: { path: path.value, header: { 'Idempotency-Key': newIdempotencyKey() } }, body: draft })
      return true
    } catch (error) {
      if (!isProblem(error, 'TIMER_RUNNING')) notifyError(error)
      return false
    } finally { await fresh(); busy.value = false }
  }
  async function stop() {
    busy.value = true
    try {
      const entry = await body(api.POST('/api/v1/organizations/{org}/timer/stop', { params: { path: path.value } }))
      const length = entry.duration_seconds ?? 0
      notify(t('timer.stopped', { time: length < 60 ? t('timer.seconds', { n: length }) : hm(length) }))
    } catch (error) { notifyError(error) } finally { await fresh(); busy.value = false }
  }
  return { running, elapsed, busy, start, stop, fresh }
}
