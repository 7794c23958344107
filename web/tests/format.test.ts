import { mount } from '@vue/test-utils'
import { createI18n } from 'vue-i18n'
import { afterEach, expect, it, vi } from 'vitest'
import { useFormat } from '../src/lib/format'

function formats(locale: string, languages: string[]) {
  vi.spyOn(navigator, 'languages', 'get').mockReturnValue(languages)
  let made!: ReturnType<typeof useFormat>
  mount({ setup() { made = useFormat(); return () => null } }, { global: { plugins: [createI18n({ legacy: false, locale, messages: { en: {}, de: {} } })] } })
  return made
}
afterEach(() => { vi.restoreAllMocks() })

it('writes dates and numbers as the region of the browser does, in the language of the console', () => {
  const when = '2026-11-30T22:30:00Z'
  const zone = { dateStyle: 'medium', timeZone: 'Europe/Berlin' } as const
  expect(formats('en', ['de-CH', 'en-GB']).d(when, zone)).toBe('30 Nov 2026')
  expect(formats('en', ['en-US']).d(when, zone)).toBe('Nov 30, 2026')
  expect(formats('de', ['en-US', 'de-DE']).d(when, zone)).toBe('30.11.2026')
  expect(formats('de', ['fr-FR']).n(1234.5)).toBe('1.234,5')
})

it('uses the day of the time zone that is asked for', () => {
  const { d } = formats('en', ['en-GB'])
  expect(d('2026-11-30T23:30:00Z', { dateStyle: 'short', timeZone: 'Europe/Berlin' })).toBe('01/12/2026')
  expect(d(new Date('2026-11-30T23:30:00Z'), { dateStyle: 'short', timeZone: 'UTC' })).toBe('30/11/2026')
})
