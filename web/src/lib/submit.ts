import { computed, onUnmounted, ref, shallowRef } from 'vue'
import { isProblem } from '@/api/problem'

/** The state of a form that sends a request: busy, its refusal, and the seconds until it can be sent again.
 *
 * `shown`: the fields that show their own faults. What concerns no shown field is in `summary`. */
export function useSubmit(shown: string[] = []) {
  const busy = ref(false), wait = ref(0), failure = shallowRef<unknown>(null)
  let clock = 0
  onUnmounted(() => clearInterval(clock))

  /** Runs `action` unless it is running already. True: it succeeded. */
  async function run(action: () => Promise<unknown>) {
    if (busy.value || wait.value) return false
    busy.value = true
    failure.value = null
    try {
      await action()
      return true
    } catch (error) {
      failure.value = error
      if (isProblem(error) && error.retryAfter) countDown(error.retryAfter)
      return false
    } finally { busy.value = false }
  }

  function countDown(seconds: number) {
    wait.value = seconds
    clearInterval(clock)
    clock = window.setInterval(() => {
      wait.value--
      if (wait.value <= 0) { clearInterval(clock); failure.value = null }
    }, 1000)
  }

  /** The fault of one field. */
  const fault = (field: string) => isProblem(failure.value) ? failure.value.field(field) ?? TAKEN[field]?.(failure.value.code, failure.value.message) : undefined
  /** What is wrong apart from the shown fields. */
  const summary = computed(() => {
    if (!failure.value || shown.some(field => fault(field))) return ''
    const others = isProblem(failure.value) ? failure.value.others(shown) : []
    return others.length ? others.map(e => `${e.field}: ${e.message}`).join(' ') : (failure.value as Error).message
  })
  return { busy, wait, failure, run, fault, summary }
}

const only = (code: string) => (refused: string, message: string) => refused === code ? message : undefined
/** Conflicts that concern one field. */
const TAKEN: Record<string, (code: string, message: string) => string | undefined> = {
  email: only('EMAIL_TAKEN'),
  username: only('USERNAME_TAKEN'),
  slug: only('SLUG_TAKEN'),
  role_name: only('ROLE_NAME_TAKEN'),
  current_password: only('PASSWORD_MISMATCH'),
}
