import { shallowRef } from 'vue'

/** Answers the open request for the password. The dialog in the shell is shown while it is set. */
export const asked = shallowRef<((proved: boolean) => void) | null>(null)

let pending: Promise<boolean> | null = null

/** Asks for the password. True: it was right, and the refused request can be sent again. */
export function stepUp(): Promise<boolean> {
  pending ??= new Promise<boolean>(resolve => { asked.value = resolve }).finally(() => { pending = null; asked.value = null })
  return pending
}
