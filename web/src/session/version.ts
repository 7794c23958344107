import { ref } from 'vue'

let loaded: string | null = null

/** Whether the server has another version than the one that this page was loaded with. */
export const outdated = ref(false)

/** Compares the version of an answer with that of the first one. */
export function noteVersion(version: string | null) {
  if (!version) return
  loaded ??= version
  outdated.value = version !== loaded
}
