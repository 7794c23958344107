import { expect, it } from 'vitest'
import { ref } from 'vue'
import { useSelection } from '../src/lib/selection'

const list = () => ref(['a', 'b', 'c', 'd', 'e'].map(id => ({ id })))
const ids = (s: ReturnType<typeof useSelection>) => s.chosen.value.map(row => row.id).join('')

it('shift chooses and clears ranges, in both directions', () => {
  const s = useSelection(list())
  s.choose('b', true)
  s.choose('d', true, true)
  expect(ids(s)).toBe('bcd')
  s.choose('a', true, true)
  expect(ids(s)).toBe('abcd')
  s.choose('b', false, true)
  expect(ids(s)).toBe('cd')
})

it('a range without a start is one row', () => {
  const s = useSelection(list())
  s.choose('c', true, true)
  expect(ids(s)).toBe('c')
})

it('tells whether all, some or none are chosen', () => {
  const rows = list(), s = useSelection(rows)
  expect(s.all.value).toBe(false)
  s.choose('a', true)
  expect(s.all.value).toBe('indeterminate')
  s.chooseAll()
  expect(s.all.value).toBe(true)
  rows.value = rows.value.slice(1)
  expect(ids(s)).toBe('bcde')
  s.set(['e', 'gone'])
  expect(ids(s)).toBe('e')
  s.clear()
  expect(s.all.value).toBe(false)
})
