import { expect, it } from 'vitest'
import { slugOf } from '../src/lib/slug'

it.each([
  ['Acme', 'acme'], ['Ärzte & Co.', 'aerzte-co'], ['  Große Straße 7 ', 'grosse-strasse-7'], ['Crème brûlée', 'creme-brulee'], ['株式会社', ''], ['a'.repeat(62) + ' b', 'a'.repeat(62)],
])('%s becomes %s', (name, slug) => expect(slugOf(name)).toBe(slug))
