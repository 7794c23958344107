import { createI18n } from 'vue-i18n'
import start from './en/start'

export type Locale = 'en' | 'de'
/** A file of texts. Each page names those it needs, besides `start`, in the `texts` of its route. */
export type Texts = 'start' | 'shell' | 'people' | 'audit' | 'account' | 'settings' | 'time'

const files = import.meta.glob<Record<string, unknown>>('./*/*.ts', { import: 'default' })
const needed = new Set<Texts>(['start'])
const requests = new Map<string, Promise<void>>()

export const i18n = createI18n({
  legacy: false,
  locale: 'en' as Locale,
  fallbackLocale: 'en',
  messages: { en: start } as Record<Locale, typeof start>,
  missing: (locale, key) => { console.error(`There is no text for ${key} in ${locale}.`) },
})

function load(locale: Locale, name: Texts | 'problems') {
  const path = `./${locale}/${name}.ts`
  const request = requests.get(path) ?? files[path]!().then(texts => { i18n.global.mergeLocaleMessage(locale, texts) })
  requests.set(path, request)
  request.catch(() => requests.delete(path))
  return request
}

/** Loads the texts `names` in the language of the user. */
export async function loadTexts(names: readonly Texts[]) {
  for (const name of names) needed.add(name)
  await language
  await Promise.all(names.map(name => load(i18n.global.locale.value, name)))
}

/** The sentence for an error of the API in the language of the user. In English, the sentence of the API is shown. */
export async function refusal(code: string, values: Record<string, unknown>) {
  await language
  const locale = i18n.global.locale.value, key = `refused.${code}`
  if (locale === 'en') return undefined
  await load(locale, 'problems').catch(() => {})
  return i18n.global.te(key, locale) ? i18n.global.t(key, values) : undefined
}

/** Changes the language, when all texts that are in use are loaded. */
export async function setLocale(locale: Locale) {
  await Promise.all([...needed].map(name => load(locale, name)))
  i18n.global.locale.value = locale
  localStorage.setItem('insula.locale', locale)
  document.documentElement.lang = locale
}

const language = setLocale((localStorage.getItem('insula.locale') ?? navigator.language).startsWith('de') ? 'de' : 'en').catch(() => {})
