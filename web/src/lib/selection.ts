import { computed, ref, type Ref } from 'vue'

/** The chosen rows of a list. Shift chooses or clears all rows from the last one to this one. */
export function useSelection<T extends { id: string }>(rows: Readonly<Ref<T[]>>) {
  const ids = ref(new Set<string>())
  let last: string | null = null
  const chosen = computed(() => rows.value.filter(row => ids.value.has(row.id)))
  const all = computed(() => rows.value.length > 0 && chosen.value.length === rows.value.length ? true : chosen.value.length ? 'indeterminate' as const : false)

  function choose(id: string, on: boolean, range = false) {
    const next = new Set(ids.value)
    const places = [last, id].map(one => rows.value.findIndex(row => row.id === one)).sort((a, b) => a - b) as [number, number]
    const touched = range && places[0] >= 0 ? rows.value.slice(places[0], places[1] + 1).map(row => row.id) : [id]
    for (const one of touched) {
      if (on) next.add(one)
      else next.delete(one)
    }
    last = id
    ids.value = next
  }

  /** Replaces the chosen rows. */
  function set(list: readonly string[]) {
    ids.value = new Set(list)
    last = null
  }
  return { chosen, all, has: (id: string) => ids.value.has(id), choose, set, chooseAll: () => set(rows.value.map(row => row.id)), clear: () => set([]) }
}
