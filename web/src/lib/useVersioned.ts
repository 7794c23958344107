import { computed, ref, shallowRef, type Ref } from 'vue'
import { isProblem } from '@/api/problem'

/** A form for one resource that others may change meanwhile. It keeps the version it was opened with, for `If-Match`.
 *
 * `F`: the fields of the form. Fields that only one side changed are merged without a question. */
export function useVersioned<F extends Record<string, unknown>>(read: () => Promise<{ fields: F, etag: string }>, write: (changed: Partial<F>, etag: string) => Promise<{ fields: F, etag: string }>) {
  const form = ref<F | null>(null) as Ref<F | null>
  const base = shallowRef<F | null>(null), etag = ref(''), failure = shallowRef<unknown>(null)
  /** The current values of fields that both sides changed. */
  const conflict = shallowRef<Partial<F> | null>(null)
  const differing = (a: F, b: F) => Object.keys(a).filter(k => JSON.stringify(a[k]) !== JSON.stringify(b[k])) as (keyof F & string)[]
  const changed = computed(() => form.value && base.value ? differing(form.value, base.value) : [])

  function keep(answer: { fields: F, etag: string }) {
    base.value = answer.fields
    etag.value = answer.etag
    form.value = { ...answer.fields }
    conflict.value = null
  }
  async function load() {
    failure.value = null
    try { keep(await read()) } catch (error) { failure.value = error }
  }
  /** Saves the changed fields. After a conflict it merges what it can and saves again, or sets `conflict`. */
  async function save(again = true): Promise<boolean> {
    const fields = Object.fromEntries(changed.value.map(k => [k, form.value![k]])) as Partial<F>
    try {
      keep(await write(fields, etag.value))
      return true
    } catch (error) {
      if (!isProblem(error, 'PRECONDITION_FAILED') || !again) throw error
      const theirs = await read()
      const both = differing(theirs.fields, base.value!).filter(k => k in fields && JSON.stringify(theirs.fields[k]) !== JSON.stringify(fields[k]))
      form.value = { ...theirs.fields, ...fields }
      base.value = theirs.fields
      etag.value = theirs.etag
      if (both.length) {
        conflict.value = Object.fromEntries(both.map(k => [k, theirs.fields[k]])) as Partial<F>
        return false
      }
      return save(false)
    }
  }
  /** Ends a conflict with the current values, or with those of the form. */
  function settle(mine: boolean) {
    if (!mine) form.value = { ...form.value!, ...conflict.value }
    conflict.value = null
  }
  void load()
  return { form, changed, failure, conflict, load, save, settle }
}
