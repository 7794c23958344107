// The states of pages besides the usual one: nothing there, failed, denied, read only, suspended and deleted.
import assert from 'node:assert/strict'
import { check } from './axe.mjs'
import { request } from './browser.mjs'

const problem = (status, error, message) => ({ status, contentType: 'application/problem+json', body: JSON.stringify({ type: 'about:blank', title: message, status, detail: message, message, error, errors: [], request_id: '0192f0c1-1111-7abc-8def-000000000001', trace_id: '' }) })

export const states = {
  async 'states: filters without a match offer to clear them'({ base, context, signIn }) {
    const page = await signIn(await context({ bypassCSP: true }), 'olivia')
    for (const path of ['members?q=nobody-has-this-name', 'audit?actor=00000000-0000-7000-8000-000000000000']) {
      await page.goto(`${base}/o/demo/${path}`)
      await page.getByRole('button', { name: 'Clear filters' }).last().waitFor()
      await check(page, path)
      await page.getByRole('button', { name: 'Clear filters' }).last().click()
      await page.waitForSelector(path.startsWith('members') ? 'text=Mia Member' : 'button[aria-expanded]')
    }
  },

  async 'states: a failed list says so with its request id, and can be read again'({ base, context, signIn }) {
    const page = await signIn(await context({ bypassCSP: true }), 'olivia')
    for (const [path, list, ready] of [['o/demo/members', '**/members?*', 'text=Mia Member'], ['o/demo/members?tab=invitations', '**/invitations?*', 'text=/No pending invitations|Invited by/'], ['o/demo/roles', '**/roles?*', 'table'], ['o/demo/audit', '**/audit-events?*', 'button[aria-expanded]'], ['account/security', '**/sessions*', 'text=This device'], ['account/activity', '**/activity?*', 'button[aria-expanded]']]) {
      await page.route(list, route => route.fulfill(problem(400, 'BAD_REQUEST', 'This cannot be shown.')))
      await page.goto(`${base}/${path}`)
      const alert = page.locator('[role=alert]', { hasText: 'This cannot be shown.' })
      await alert.waitFor().catch(() => assert.fail(`${path} does not show the failure`))
      await alert.locator('button', { hasText: '0192f0c1' }).waitFor().catch(() => assert.fail(`${path} does not show the request id`))
      await page.unroute(list)
      await alert.getByRole('button', { name: 'Try again' }).click()
      await page.waitForSelector(ready)
    }
    await check(page, 'after a failure')
  },

  async 'states: a slow page keeps its place'({ base, context, signIn }) {
    const page = await signIn(await context({ bypassCSP: true }), 'olivia')
    let go
    const held = new Promise(resolve => { go = resolve })
    await page.route('**/api/v1/organizations/demo/**', async route => { await held; await route.continue() })
    await page.goto(`${base}/o/demo/members`)
    await page.waitForSelector('main [role=status][aria-label="Loading…"]')
    await check(page, 'loading')
    go()
    await page.waitForSelector('text=Mia Member')
  },

  async 'states: a suspended organization is read only on every page'({ base, context, signIn, password }) {
    const owner = await signIn(await context({ bypassCSP: true }), 'olivia')
    const { id } = await request(owner, 'POST', '/api/v1/organizations', { name: 'Quiet Harbour', slug: 'quiet-harbour' })
    await request(owner, 'POST', '/api/v1/organizations/quiet-harbour/roles', { name: 'Pilot', permissions: ['projects:read'] })
    const root = await (await fetch(`${base}/api/v1/auth/login`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ email: 'root@demo.example', password }) })).json()
    const answer = await fetch(`${base}/api/v1/admin/organizations/${id}/suspend`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${root.access_token}` }, body: JSON.stringify({ reason: 'Unpaid invoices' }) })
    assert.ok(answer.ok, await answer.text())
    for (const [path, action] of [['members', 'Invite members'], ['roles', 'New role'], ['roles', 'Edit the role Pilot'], ['settings', 'Save'], ['settings', 'Offer ownership']]) {
      await owner.goto(`${base}/o/quiet-harbour/${path}`)
      await owner.waitForSelector('[role=status]:has-text("This organization is suspended")')
      const button = owner.getByRole('button', { name: action }).first()
      await button.waitFor()
      await owner.waitForFunction(b => b.getAttribute('aria-disabled') === 'true' && /suspended/.test(b.title), await button.elementHandle()).catch(() => assert.fail(`${path}: ${action} is not off`))
    }
    await check(owner, 'suspended organization')
  },

  async 'states: a deleted organization is restored by its owner'({ base, context, signIn }) {
    const owner = await signIn(await context({ bypassCSP: true }), 'olivia')
    await request(owner, 'POST', '/api/v1/organizations', { name: 'Lost Harbour', slug: 'lost-harbour' })
    await owner.goto(`${base}/o/lost-harbour/settings`)
    await owner.click('button:has-text("Delete organization")')
    await owner.getByLabel('Type lost-harbour to confirm').fill('lost-harbour')
    await owner.click('[role=dialog] button:has-text("Delete organization")')
    await owner.waitForSelector('text=Lost Harbour deleted')
    await owner.goto(`${base}/o/lost-harbour/members`)
    await owner.waitForSelector('h1:has-text("This organization was deleted")')
    await check(owner, 'deleted organization')
    await owner.click('button:has-text("Restore organization")')
    await owner.waitForSelector('text=Organization restored')
    await owner.waitForSelector('td:has-text("Olivia Owner")')
  },

  async 'states: a personal organization invites nobody'({ base, context, signIn }) {
    const page = await signIn(await context(), 'mia')
    const { data } = await request(page, 'GET', '/api/v1/users/me/organizations')
    const mine = data.find(m => m.organization.kind === 'personal')
    if (!mine) return assert.fail('there is no personal organization')
    await page.goto(`${base}/o/${mine.organization.slug}/members`)
    const button = page.getByRole('button', { name: 'Invite members' })
    await page.waitForFunction(b => /personal/.test(b.title), await button.elementHandle())
  },
}
