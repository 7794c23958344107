// The network is away: pages keep what they show and what was typed, and continue by themselves.
import assert from 'node:assert/strict'
import { check } from './axe.mjs'

/** Chromium logs every request that was not answered as an error. */
const forgive = faults => faults.splice(0, faults.length, ...faults.filter(f => !f.includes('net::ERR')))

export const offline = {
  async 'offline: a bar, the page stays, and it continues by itself'({ context, signIn, faults }) {
    const c = await context({ bypassCSP: true })
    const page = await signIn(c, 'olivia')
    await page.waitForSelector('text=Mia Member')
    await page.waitForLoadState('networkidle')
    await c.setOffline(true)
    await page.waitForSelector('text=/Offline. Showing data from \\d/')
    await check(page, 'offline')
    await page.fill('input[type=search]', 'mia')
    assert.equal(await page.locator('table a:has-text("Victor Viewer")').count(), 1)
    await c.setOffline(false)
    await page.waitForSelector('text=Offline.', { state: 'detached' })
    await page.waitForSelector('table a:has-text("Victor Viewer")', { state: 'detached' })
    assert.equal(await page.inputValue('input[type=search]'), 'mia')
    forgive(faults)
  },

  async 'offline: a form keeps its text when the server is away, and can be sent again'({ base, context, signIn, faults }) {
    const page = await signIn(await context(), 'mia')
    await page.goto(`${base}/account/profile`)
    await page.getByLabel('Last name').fill('Memberson')
    await page.route('**/api/**', route => route.abort())
    await page.getByRole('button', { name: 'Save' }).click()
    await page.waitForSelector('form [role=alert]:has-text("cannot be reached")')
    await page.click('button:has-text("Try again")')
    await page.waitForSelector('text=/Offline. Showing/')
    assert.equal(await page.getByLabel('Last name').inputValue(), 'Memberson')
    await page.unroute('**/api/**')
    await page.click('button:has-text("Try again")')
    await page.waitForSelector('text=Offline.', { state: 'detached' })
    assert.equal(await page.getByLabel('Last name').inputValue(), 'Memberson')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.waitForSelector('text=Profile saved')
    await page.getByLabel('Last name').fill('Member')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.waitForFunction(() => document.querySelector('button[type=submit]').getAttribute('aria-disabled') === 'true')
    forgive(faults)
  },
}
