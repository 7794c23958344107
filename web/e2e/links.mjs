// The pages of e-mailed links: they look like the console, run under its policy, and lead into it.
import assert from 'node:assert/strict'
import { request } from './browser.mjs'

const SECRET = 'Quartz-lantern-47-meadow'

/** The newest link in an e-mail to `address` with this path. */
async function link(base, address, path) {
  for (let n = 0; n < 100; n++) {
    const { data } = await (await fetch(`${base}/dev/mail`, { headers: { accept: 'application/json' } })).json()
    for (const mail of data.filter(mail => mail.to === address)) {
      const found = new RegExp(`/${path}#\\S+`).exec(mail.text)
      if (found) return base + found[0]
    }
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  throw new Error(`no link to /${path} for ${address}`)
}

async function invite(owner, email) {
  await request(owner, 'POST', '/api/v1/organizations/east-harbour/invitations', { email, roles: ['member'] })
}

export const links = {
  async 'links: an invitation makes an account and leads into the organization'({ base, context, signIn }) {
    const owner = await signIn(await context(), 'olivia')
    await request(owner, 'POST', '/api/v1/organizations', { name: '<b>East</b> Harbour', slug: 'east-harbour' })
    await invite(owner, 'noor@demo.example')
    const url = await link(base, 'noor@demo.example', 'accept')
    // Signed in with another address.
    await owner.goto(url)
    await owner.waitForSelector('h1:has-text("Wrong account")')
    await owner.click('button:has-text("Log out and continue")')
    await owner.waitForSelector('h1:has-text("Join <b>East</b> Harbour")')

    const page = await (await context({ viewport: { width: 320, height: 640 }, colorScheme: 'dark' })).newPage()
    await page.goto(url)
    await page.waitForSelector('h1:has-text("Join <b>East</b> Harbour")')
    assert.equal(await page.evaluate(() => location.hash + document.documentElement.dataset.theme), 'dark')
    assert.match(await page.evaluate(() => getComputedStyle(document.body).fontFamily), /^"Inter Variable"/)
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth))
    await page.fill('#new-password', SECRET)
    await page.fill('#first-name', 'Noor')
    await page.keyboard.press('Enter')
    await page.click('a:has-text("Log in to <b>East</b> Harbour")')
    await page.waitForURL(/\/login\?/)
    assert.equal(await page.inputValue('[name=username]'), 'noor@demo.example')
    await page.fill('[name=password]', SECRET)
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/o\/east-harbour\//)
  },

  async 'links: the invited user who is signed in goes on without a log-in'({ base, context, signIn }) {
    const page = await signIn(await context(), 'mia')
    const owner = await signIn(await context(), 'olivia')
    await invite(owner, 'mia@demo.example')
    await page.goto(await link(base, 'mia@demo.example', 'accept'))
    await page.click('button:has-text("Accept")')
    await page.click('a:has-text("Go to <b>East</b> Harbour")')
    await page.waitForURL(/\/o\/east-harbour\//)
  },

  async 'links: a new password leads to the log-in'({ base, context }) {
    const page = await (await context()).newPage()
    await page.goto(`${base}/forgot`)
    await page.fill('[name=email]', 'noor@demo.example')
    await page.click('button[type=submit]')
    const url = await link(base, 'noor@demo.example', 'reset')
    await page.goto(url)
    await page.fill('#new-password', 'short')
    await page.keyboard.press('Enter')
    await page.waitForSelector('#fault:not(:empty)')
    await page.fill('#new-password', `${SECRET}-2`)
    await page.keyboard.press('Enter')
    await page.click('a:has-text("Log in")')
    assert.equal(await page.inputValue('[name=username]'), 'noor@demo.example')
    // The link works once. Then a new one is offered.
    await page.goto(url)
    await page.fill('#new-password', `${SECRET}-3`)
    await page.keyboard.press('Enter')
    await page.waitForSelector('h1:has-text("Link expired")')
    await page.fill('#email', 'noor@demo.example')
    await page.keyboard.press('Enter')
    await page.waitForSelector('h1:has-text("Check your inbox")')
    await page.waitForSelector('a:has-text("Log in")')
  },

  async 'links: a change of the e-mail address is undone'({ base, context }) {
    // Only installations that send e-mail send this link, so the API is not asked here.
    const page = await (await context()).newPage()
    const answers = { 'email/undo': { email: 'noor@demo.example', password_reset_token: 'next' }, 'password/reset': { email: 'noor@demo.example', password_reset_token: null } }
    const asked = []
    for (const [path, answer] of Object.entries(answers)) {
      await page.route(`**/api/v1/auth/${path}`, route => { asked.push(route.request().postDataJSON()); return route.fulfill({ json: answer }) })
    }
    await page.goto(`${base}/verify#undo=first`)
    await page.waitForSelector('h1:has-text("Undo the change")')
    assert.deepEqual(asked, [], 'opening the page does nothing')
    await page.click('button:has-text("Undo the change")')
    await page.waitForSelector('h1:has-text("Change undone")')
    await page.fill('#new-password', SECRET)
    await page.keyboard.press('Enter')
    await page.waitForSelector('h1:has-text("Password set")')
    assert.deepEqual(asked, [{ token: 'first' }, { token: 'next', password: SECRET }])
    assert.match(await page.getAttribute('#way', 'href'), /^login\?email=noor%40demo.example/)
  },
}
