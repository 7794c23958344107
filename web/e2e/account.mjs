// The activity of the user, and the deletion of their account.
import assert from 'node:assert/strict'
import { check } from './axe.mjs'

export const account = {
  async 'account: activity shows own events and failed log-ins'({ base, context, signIn }) {
    await fetch(`${base}/api/v1/auth/login`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ email: 'mia@demo.example', password: 'wrong' }) })
    const page = await signIn(await context({ bypassCSP: true }), 'mia')
    await page.goto(`${base}/account/profile`)
    await page.click('nav >> text=Activity')
    await page.waitForSelector('button:has-text("Mia Member signed in")')
    await page.waitForSelector('button:has-text("failed to sign in")')
    await page.click('button[aria-expanded] >> nth=0')
    await page.waitForSelector('dl code:has-text("session.created")')
    await check(page, 'activity')
  },

  async 'account: an only owner must find another owner first'({ base, context, signIn }) {
    const page = await signIn(await context({ bypassCSP: true }), 'olivia')
    await page.goto(`${base}/account/delete`)
    await page.waitForSelector('text=These organizations need another owner first')
    await check(page, 'deletion of the account')
    await page.getByLabel('Type olivia@demo.example to confirm').fill('olivia@demo.example')
    assert.equal(await page.locator('button:has-text("Delete account")').getAttribute('aria-disabled'), 'true')
    await page.click('main a:has-text("Demo")')
    await page.waitForURL(/\/o\/demo\/settings/)
  },

  async 'account: deletion asks for the address and the password, and signs out'({ base, context }) {
    const page = await (await context()).newPage()
    const email = 'leaving@demo.example', secret = 'Quartz-lantern-47-meadow'
    await page.goto(`${base}/register`)
    await page.fill('[name=email]', email)
    await page.fill('[name=password]', secret)
    await page.click('button[type=submit]')
    await page.waitForURL(/\/o\/[^/]+\/time/)
    await page.goto(`${base}/account/profile`)
    await page.click('text=See what happens, and delete the account')
    const button = page.locator('button:has-text("Delete account")')
    await page.waitForSelector('text=Your personal organization is deleted')
    assert.equal(await button.getAttribute('aria-disabled'), 'true')
    await page.getByLabel(`Type ${email} to confirm`).fill(email)
    // The log-in was long ago.
    let refusals = 0
    await page.route('**/users/me', async route => route.request().method() === 'DELETE' && !refusals++ ? route.fulfill({ status: 403, contentType: 'application/problem+json', body: JSON.stringify({ status: 403, error: 'REAUTH_REQUIRED', message: 'Confirm your password.' }) }) : route.continue())
    await page.keyboard.press('Enter')
    await page.waitForSelector('[role=dialog]:has-text("Confirm it")')
    await page.fill('[role=dialog] input[type=password]', secret)
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/login/)
    await page.fill('[name=username]', email)
    await page.fill('[name=password]', secret)
    await page.click('button[type=submit]')
    await page.waitForSelector('[role=alert]:not(:empty)')
  },
}
