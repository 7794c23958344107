import { ref } from 'vue'

let reached = new Date()

/** Since when the server cannot be reached: the time of its last answer. Null: it can be reached. */
export const offlineSince = ref<Date | null>(null)

/** Notes that the server answered. */
export function noteAnswer() {
  reached = new Date()
  offlineSince.value = null
}

/** Notes that the server did not answer, or that the device has no network. */
export function noteNoAnswer() {
  offlineSince.value ??= reached
}

addEventListener('offline', noteNoAnswer)
