// What people do in the console, by mouse and keyboard.
import assert from 'node:assert/strict'
import { request } from './browser.mjs'

export const flows = {
  async 'log-in: leads to the requested page, keeps tokens from scripts'({ base, context, password }) {
    const page = await (await context()).newPage()
    await page.goto(`${base}/o/demo/members`)
    await page.waitForURL(/\/login\?next=/)
    await page.fill('[name=username]', 'olivia@demo.example')
    await page.fill('[name=password]', 'wrong')
    await page.keyboard.press('Enter')
    await page.waitForSelector('[role=alert]:has-text("Invalid email or password")')
    await page.fill('[name=password]', password)
    await page.keyboard.press('Enter')
    await page.waitForURL(url => url.pathname === '/o/demo/members')
    const readable = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]))
    assert.doesNotMatch(readable, /eyJ|rt_|olivia/)
  },

  async 'log-in: does not lead to another site'({ base, context, password }) {
    const page = await (await context()).newPage()
    await page.goto(`${base}/login?next=//evil.example/`)
    await page.fill('[name=username]', 'olivia@demo.example')
    await page.fill('[name=password]', password)
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/o\//)
    assert.ok(page.url().startsWith(base))
  },

  async 'register: creates an account and leads to its organization'({ base, context }) {
    const page = await (await context()).newPage()
    await page.goto(`${base}/register`)
    await page.fill('[name=email]', 'nina@demo.example')
    await page.fill('[name=password]', 'password1')
    await page.click('button[type=submit]')
    await page.waitForSelector('[name=password][aria-invalid=true]')
    await page.fill('[name=password]', 'Quartz-lantern-47-meadow')
    await page.click('button[type=submit]')
    await page.waitForURL(/\/o\/[^/]+\/time/)
  },

  async 'forgot: gives the same answer for every address'({ base, context }) {
    const page = await (await context()).newPage()
    await page.goto(`${base}/forgot`)
    await page.fill('[name=email]', 'nobody@demo.example')
    await page.click('button[type=submit]')
    await page.waitForSelector('h1:has-text("Check your inbox")')
  },

  async 'keyboard: skip link, palette, shortcuts'({ context, signIn }) {
    const page = await signIn(await context(), 'olivia')
    await page.reload()
    await page.waitForSelector('text=Mia Member')
    await page.keyboard.press('Tab')
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to content')
    await page.keyboard.press('Control+k')
    await page.waitForSelector('[role=listbox]')
    await page.keyboard.type('roles')
    await page.waitForSelector('[role=option][data-highlighted]:has-text("Roles")')
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/roles/)
    await page.waitForSelector('[role=dialog]', { state: 'detached' })
    await page.keyboard.press('Control+k')
    await page.keyboard.type('adam')
    await page.waitForSelector('[role=option][data-highlighted]:has-text("adam@demo.example")')
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/members\/./)
    await page.waitForSelector('[role=dialog]', { state: 'detached' })
    await page.keyboard.press('g')
    await page.keyboard.press('m')
    await page.waitForURL(/\/members$/)
    await page.keyboard.press('?')
    await page.waitForSelector('[role=dialog]:has-text("Keyboard shortcuts")')
    await page.keyboard.press('Escape')
    await page.waitForSelector('[role=dialog]', { state: 'detached' })
  },

  async 'members: suspend and undo'({ context, signIn }) {
    const page = await signIn(await context(), 'olivia')
    await page.click('[aria-label="Actions for Victor Viewer"]')
    await page.click('[role=menuitem]:has-text("Suspend")')
    await page.waitForSelector('tr:has-text("Victor Viewer") >> text=Suspended')
    await page.click('button:has-text("Undo")')
    await page.waitForSelector('tr:has-text("Victor Viewer") >> text=Suspended', { state: 'detached' })
  },

  async 'members: preview, conflict and undo of roles'({ context, signIn }) {
    const page = await signIn(await context(), 'olivia')
    await page.click('button:has-text("Change the roles of Victor Viewer")')
    await page.click('[role=dialog] label:has-text("Admin")')
    await page.waitForSelector('[role=dialog] >> text=/Gains \\d+ permissions/')
    const { data: [victor] } = await request(page, 'GET', '/api/v1/organizations/demo/members?q=victor')
    await request(page, 'PATCH', `/api/v1/organizations/demo/members/${victor.id}`, { roles: ['member'] })
    await page.click('[role=dialog] >> text=Save')
    await page.waitForSelector('text=Changed by someone else')
    await page.click('text=Overwrite with mine')
    await page.waitForSelector('text=Roles of Victor Viewer updated')
    await page.click('button:has-text("Undo")')
    await page.waitForSelector('tr:has-text("Victor Viewer") >> text=Admin', { state: 'detached' })
    await request(page, 'PATCH', `/api/v1/organizations/demo/members/${victor.id}`, { roles: ['viewer'] })
  },

  async 'invitations: many, resend and revoke'({ base, context, signIn }) {
    const page = await signIn(await context(), 'olivia')
    await page.goto(`${base}/o/demo/members?invite=1`)
    await page.fill('[role=dialog] input:not([type=hidden])', 'ada@partner.example, mia@demo.example ben@partner.example')
    await page.click('[role=dialog] button[type=submit]')
    await page.waitForSelector('[role=dialog] [role=alert]:has-text("mia@demo.example")')
    await page.keyboard.press('Escape')
    await page.click('[role=tab]:has-text("Invitations")')
    await page.waitForSelector('text=ben@partner.example')
    await page.click('li:has-text("ada@partner.example") >> text=Resend')
    await page.waitForSelector('text=Invitation sent again to ada@partner.example')
    await page.click('li:has-text("ada@partner.example") >> text=Revoke')
    await page.waitForSelector('text=Invitation for ada@partner.example revoked')
    await page.waitForSelector('li:has-text("ada@partner.example"):has-text("Invited by")', { state: 'detached' })
  },

  async 'roles: the matrix shows the effect before saving'({ base, context, signIn }) {
    const page = await signIn(await context(), 'olivia')
    await request(page, 'POST', '/api/v1/organizations/demo/roles', { name: 'Planner', permissions: ['projects:read'] })
    await page.goto(`${base}/o/demo/roles`)
    await page.click('[aria-label="Edit the role Planner"]')
    await page.click('[role=checkbox][aria-label^="Planner:"] >> nth=3')
    await page.waitForSelector('text=No one’s permissions change')
    await page.click('button:has-text("Save")')
    await page.waitForSelector('text=Role Planner updated')
  },

  async 'roles: a new role is named, then gets its permissions'({ base, context, signIn }) {
    const page = await signIn(await context(), 'olivia')
    await page.goto(`${base}/o/demo/roles`)
    await page.click('button:has-text("New role")')
    const dialog = page.locator('[role=dialog]')
    await dialog.getByLabel('Name').fill('Owner')
    await dialog.locator('button:has-text("New role")').click()
    // The dialog names the field, and stays.
    await dialog.locator('input[aria-invalid=true]').waitFor()
    await dialog.getByLabel('Name').fill('Reviewer')
    await dialog.locator('button:has-text("New role")').click()
    await page.click('[role=checkbox][aria-label^="Reviewer:"] >> nth=3')
    await page.waitForSelector('text=No one’s permissions change')
    await page.click('button:has-text("Save")')
    await page.waitForSelector('text=Role Reviewer updated')
  },

  async 'audit log: verification, filter in the URL, details, export'({ base, context, signIn }) {
    const page = await signIn(await context(), 'olivia')
    await page.goto(`${base}/o/demo/audit`)
    await page.click('text=Verify log')
    await page.waitForSelector('text=The audit log is intact')
    await page.click('button:has-text("All resources")')
    await page.click('[role=option]:has-text("Roles")')
    await page.waitForURL(/resource=role/)
    await page.click('button[aria-controls^="event-"] >> nth=0')
    await page.waitForSelector('dl code')
    await page.click('button:has-text("Export")')
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('[role=menuitem]:has-text("JSON Lines")')])
    assert.equal(download.suggestedFilename(), 'audit-demo.jsonl')
  },

  async 'settings: a change by someone else is merged or shown'({ base, context, signIn }) {
    const page = await signIn(await context(), 'olivia')
    await page.goto(`${base}/o/demo/settings`)
    const general = page.locator('section[aria-label="General"]')
    const { name } = await request(page, 'GET', '/api/v1/organizations/demo')
    await general.getByLabel('Name').fill('Demo from the console')
    await request(page, 'PATCH', '/api/v1/organizations/demo', { name: 'Demo from elsewhere' })
    await general.getByRole('button', { name: 'Save' }).click()
    await page.waitForSelector('[role=alert]:has-text("Demo from elsewhere")')
    await general.getByRole('button', { name: 'Overwrite with mine' }).click()
    await page.waitForSelector('text=Settings saved')
    assert.equal((await request(page, 'GET', '/api/v1/organizations/demo')).name, 'Demo from the console')
    await request(page, 'PATCH', '/api/v1/organizations/demo', { name })
  },

  async 'account: profile and sessions'({ base, context, signIn }) {
    const other = await signIn(await context(), 'mia')
    const page = await signIn(await context(), 'mia')
    await page.goto(`${base}/account/profile`)
    await page.getByLabel('First name').fill('Maria')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.waitForSelector('text=Profile saved')
    await page.getByLabel('First name').fill('Mia')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.goto(`${base}/account/security`)
    await page.click('button:has-text("Sign out all other devices")')
    await page.waitForSelector('text=All other devices signed out')
    await other.reload()
    await other.waitForURL(/\/login/)
  },

  async 'session: ends elsewhere, typed text stays'({ base, context, password, signIn }) {
    const page = await signIn(await context(), 'adam')
    const login = await (await fetch(`${base}/api/v1/auth/login`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ email: 'adam@demo.example', password }) })).json()
    await fetch(`${base}/api/v1/auth/logout-all`, { method: 'POST', headers: { authorization: `Bearer ${login.access_token}` } })
    await page.fill('input[type=search]', 'typed before')
    await page.waitForSelector('text=Your session has ended')
    await page.fill('[role=dialog] input[type=password]', password)
    await page.keyboard.press('Enter')
    await page.waitForSelector('text=Your session has ended', { state: 'detached' })
    assert.equal(await page.inputValue('input[type=search]'), 'typed before')
  },

  async 'permissions: a viewer sees why a page is denied'({ base, context, signIn }) {
    const page = await signIn(await context(), 'victor')
    await page.goto(`${base}/o/demo/audit`)
    await page.waitForSelector('text=Roles with access')
    assert.equal(await page.locator('nav >> text=Audit log').count(), 0)
  },

  async 'phone, German, 320 px: no page scrolls sideways'({ base, context, signIn }) {
    const page = await signIn(await context({ viewport: { width: 320, height: 640 }, locale: 'de-DE' }), 'olivia')
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'de')
    for (const path of ['o/demo/time', 'o/demo/reports', 'o/demo/members', 'o/demo/roles', 'o/demo/audit', 'o/demo/settings', 'account/profile', 'account/security', 'account/organizations', 'account/activity', 'account/delete', 'login', 'register', 'forgot']) {
      await page.goto(`${base}/${path}`)
      await page.waitForLoadState('networkidle')
      await page.waitForSelector('h1')
      const beyond = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
      assert.ok(beyond <= 0, `${path}: ${beyond} px too wide`)
    }
    await page.goto(`${base}/o/demo/members`)
    await page.click('table a:has-text("Mia Member")')
    await page.waitForSelector('section[aria-label="Rechte"] table')
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'the page of a member is too wide')
  },
}
