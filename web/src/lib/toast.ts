import { ref } from 'vue'

export interface Toast { id: number, text: string, kind: 'good' | 'bad', undo?: () => void, requestId?: string }

export const toasts = ref<Toast[]>([])
let last = 0

/** Shows a result, with an undo action if there is one. */
export function notify(text: string, undo?: () => void) {
  toasts.value = [...toasts.value.slice(-2), { id: ++last, text, kind: 'good', undo }]
}

/** Shows a failure with its request id. */
export function notifyError(error: unknown) {
  const text = error instanceof Error ? error.message : String(error)
  const requestId = (error as { requestId?: string }).requestId
  toasts.value = [...toasts.value.slice(-2), { id: ++last, text, kind: 'bad', requestId }]
}

export const dismiss = (id: number) => { toasts.value = toasts.value.filter(t => t.id !== id) }
