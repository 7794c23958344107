// What a page needs to start: the context, the name of the product, a new version, and invitations.
import assert from 'node:assert/strict'
import { check } from './axe.mjs'
import { request } from './browser.mjs'

export const start = {
  async 'start: one request for the user, organizations and permissions'({ base, context, signIn }) {
    const page = await signIn(await context(), 'olivia')
    await page.waitForLoadState('networkidle')
    const requests = []
    page.on('request', r => { if (r.url().includes('/api/')) requests.push(new URL(r.url()).pathname.replace('/api/v1/', '')) })
    await page.goto(`${base}/o/demo/members`)
    await page.waitForSelector('text=Mia Member')
    await page.waitForLoadState('networkidle')
    // It was 6, with the user, their organizations and their permissions apart.
    assert.deepEqual(requests.sort(), ['organizations/demo/invitations', 'organizations/demo/members', 'organizations/demo/roles', 'users/me/context'])
  },

  async 'start: an organization that the user may not open'({ base, context, signIn }) {
    const page = await signIn(await context(), 'mia')
    await page.goto(`${base}/o/nowhere/members`)
    await page.waitForSelector('[role=alert]:has-text("Not found")')
    // The rest of the page works: the user, and their organizations.
    await page.waitForSelector('aside >> text=Mia Member')
    await page.click('aside >> text=nowhere')
    await page.click('[role=option]:has-text("Member")')
    await page.waitForURL(/\/o\/demo\/members/)
  },

  async 'start: the product has the name that the operator chose'({ base, context, signIn }) {
    const c = await context()
    const open = await c.newPage()
    await open.goto(`${base}/login`)
    await open.waitForSelector('a >> text=Acme Hours')
    assert.equal(await open.title(), 'Sign in · Acme Hours')
    assert.doesNotMatch(await open.textContent('body'), /Insula/)
    // Their logo and their colour, too.
    assert.ok(await open.locator('img[src^="/brand/logo-"]').evaluate(img => img.complete && img.naturalWidth > 0))
    assert.equal(await open.locator('button[type=submit]').evaluate(b => getComputedStyle(b).backgroundColor), 'rgb(180, 0, 90)')
    const page = await signIn(c, 'mia')
    await page.keyboard.press('Control+k')
    await page.waitForSelector('[role=listbox] >> text=Acme Hours')
    await page.goto(`${base}/account/profile`)
    await page.waitForFunction(() => document.title === 'Profile · Acme Hours')
  },

  async 'start: a new version is offered, and not forced'({ context, signIn }) {
    const page = await signIn(await context(), 'olivia')
    await page.waitForSelector('text=Mia Member')
    await page.route('**/members?**', async route => {
      const response = await route.fetch()
      await route.fulfill({ response, headers: { ...response.headers(), 'x-insula-version': '99.0.0' } })
    })
    await page.fill('input[type=search]', 'mia')
    await page.waitForSelector('text=A new version is available')
    assert.equal(await page.inputValue('input[type=search]'), 'mia')
    await page.unroute('**/members?**')
    await page.click('button:has-text("Reload")')
    await page.waitForSelector('text=A new version is available', { state: 'detached' })
    await page.waitForSelector('text=Mia Member')
  },

  async 'invitations: the invited user declines one and accepts the next'({ context, signIn }) {
    const owner = await signIn(await context(), 'olivia')
    await request(owner, 'POST', '/api/v1/organizations', { name: 'North Harbour', slug: 'north-harbour' })
    const invite = () => request(owner, 'POST', '/api/v1/organizations/north-harbour/invitations', { email: 'adam@demo.example', roles: ['member'] })
    await invite()
    const page = await signIn(await context({ bypassCSP: true }), 'adam')
    await page.waitForSelector('text=invited you to North Harbour')
    await check(page, 'bar of an invitation')
    await page.click('text=Answer')
    await page.click('button:has-text("Decline")')
    await page.waitForSelector('[role=dialog]')
    await check(page, 'declining an invitation')
    await page.click('[role=dialog] button:has-text("Decline")')
    await page.waitForSelector('text=Invitation to North Harbour declined')
    await page.waitForSelector('h2:has-text("Invitations")', { state: 'detached' })
    await invite()
    await page.reload()
    await page.click('button:has-text("Accept")')
    await page.waitForURL(/\/o\/north-harbour/)
    await page.waitForSelector('text=You joined North Harbour')
    assert.equal(await page.locator('text=invited you').count(), 0)
  },
}
