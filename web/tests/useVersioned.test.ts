// A form for a resource that another user changes meanwhile.
import { flushPromises } from '@vue/test-utils'
import { expect, it } from 'vitest'
import { Problem } from '../src/api/problem'
import { useVersioned } from '../src/lib/useVersioned'

type Fields = { name: string, slug: string }

/** A server with one resource that checks versions. */
function server(start: Fields) {
  const state = { fields: start, version: 1 }
  const answer = () => ({ fields: { ...state.fields }, etag: String(state.version) })
  const read = async () => answer()
  const write = async (changed: Partial<Fields>, etag: string) => {
    if (etag !== String(state.version)) throw new Problem({ error: 'PRECONDITION_FAILED', status: 412, message: 'changed', errors: [] } as never)
    Object.assign(state.fields, changed)
    state.version++
    return answer()
  }
  return { state, read, write }
}

async function opened() {
  const api = server({ name: 'Acme', slug: 'acme' })
  const form = useVersioned<Fields>(api.read, api.write)
  await flushPromises()
  return { api, form }
}

it('sends only what changed', async () => {
  const { api, form } = await opened()
  form.form.value!.name = 'Acme 2'
  expect(form.changed.value).toEqual(['name'])
  expect(await form.save()).toBe(true)
  expect(api.state).toEqual({ fields: { name: 'Acme 2', slug: 'acme' }, version: 2 })
  expect(form.changed.value).toEqual([])
})

it('merges changes of different fields', async () => {
  const { api, form } = await opened()
  await api.write({ slug: 'acme-inc' }, '1')
  form.form.value!.name = 'Acme 2'
  expect(await form.save()).toBe(true)
  expect(api.state.fields).toEqual({ name: 'Acme 2', slug: 'acme-inc' })
})

it('asks about a field that both sides changed', async () => {
  const { api, form } = await opened()
  await api.write({ name: 'Theirs' }, '1')
  form.form.value!.name = 'Mine'
  expect(await form.save()).toBe(false)
  expect(form.conflict.value).toEqual({ name: 'Theirs' })
  expect(form.form.value!.name).toBe('Mine')
  form.settle(false)
  expect(form.form.value!.name).toBe('Theirs')
  form.form.value!.name = 'Mine'
  form.settle(true)
  expect(await form.save()).toBe(true)
  expect(api.state.fields.name).toBe('Mine')
})
