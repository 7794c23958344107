import { onMounted, onUnmounted } from 'vue'

const isTyping = (target: EventTarget | null) =>
  target instanceof HTMLElement && (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName))

/** Handles single keys and sequences of two (`g m`). Ignored in text fields and while a dialog or menu is open. */
export function useHotkeys(keys: Record<string, () => void>) {
  let before = '', timer = 0
  const on = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.altKey) return
    const mod = event.metaKey || event.ctrlKey
    const key = (mod ? 'mod+' : '') + event.key.toLowerCase()
    if (!mod && (isTyping(event.target) || document.querySelector('[role="dialog"],[role="alertdialog"],[role="menu"]'))) return
    const act = keys[`${before} ${key}`] ?? keys[key]
    clearTimeout(timer)
    before = act ? '' : key
    timer = window.setTimeout(() => { before = '' }, 900)
    if (!act) return
    event.preventDefault()
    act()
  }
  onMounted(() => addEventListener('keydown', on))
  onUnmounted(() => removeEventListener('keydown', on))
}

export const isMac = /mac|iphone|ipad/i.test(navigator.platform)
export const MOD = isMac ? '⌘' : 'Ctrl'
