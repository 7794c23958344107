import { createI18n } from 'vue-i18n'
import en from './en'

export type Messages = typeof en
export type Locale = 'en' | 'de'

const wanted = (localStorage.getItem('insula.locale') ?? navigator.language).startsWith('de') ? 'de' : 'en'

export const i18n = createI18n({ legacy: false, locale: 'en' as Locale, fallbackLocale: 'en', messages: { en } as Record<Locale, Messages> })

/** Changes the language. German is loaded when it is needed first. */
export async function setLocale(locale: Locale) {
  if (locale === 'de' && !i18n.global.availableLocales.includes('de')) i18n.global.setLocaleMessage('de', (await import('./de')).default)
  i18n.global.locale.value = locale
  localStorage.setItem('insula.locale', locale)
  document.documentElement.lang = locale
}

void setLocale(wanted)
