// The page of one member.
import assert from 'node:assert/strict'
import { request } from './browser.mjs'
import { check } from './axe.mjs'

export const member = {
  async 'member: profile, permissions with their roles, and activity'({ context, signIn }) {
    const page = await signIn(await context(), 'olivia')
    await page.click('table a:has-text("Mia Member")')
    await page.waitForURL(/\/members\/[0-9a-f-]{36}/)
    await page.waitForSelector('h1:has-text("Mia Member")')
    await page.waitForSelector('section[aria-label="Permissions"] tr:has-text("projects:read") >> text=Member')
    await page.waitForSelector('dl:has-text("Last activity") time >> nth=1')
    await page.click('section[aria-label="Activity"] button[aria-expanded] >> nth=0')
    await page.waitForSelector('section[aria-label="Activity"] dl code')
    assert.equal(await page.title(), 'Member · Demo')
    assert.equal(await page.locator('nav a.font-medium').textContent(), 'Members')
    await page.click('button:has-text("Change roles")')
    await page.waitForSelector('[role=dialog]:has-text("Roles of Mia Member")')
  },

  async 'member: suspend, reactivate and remove, each with its effect'({ base, context, signIn }) {
    const c = await context({ bypassCSP: true })
    const page = await signIn(c, 'olivia')
    const { data: [victor] } = await request(page, 'GET', '/api/v1/organizations/demo/members?q=victor')
    await page.goto(`${base}/o/demo/members/${victor.id}`)
    await page.click('button:has-text("Suspend")')
    await page.waitForSelector('[role=dialog] >> text=/Loses \\d+ permissions/')
    await check(page, 'suspending a member')
    // Somebody else changes the member meanwhile.
    await request(page, 'PATCH', `/api/v1/organizations/demo/members/${victor.id}`, { roles: ['viewer', 'member'] })
    await page.click('[role=dialog] button:has-text("Suspend")')
    await page.waitForSelector('[role=dialog] >> text=This member was changed meanwhile')
    await page.click('[role=dialog] button:has-text("Suspend")')
    await page.waitForSelector('h1 >> text=Suspended')
    await page.click('button:has-text("Reactivate")')
    await page.waitForSelector('[role=dialog] >> text=/Gains \\d+ permissions/')
    await page.click('[role=dialog] button:has-text("Reactivate")')
    await page.waitForSelector('h1 >> text=Suspended', { state: 'detached' })
    await page.waitForSelector('[role=dialog]', { state: 'detached' })
    await page.click('button:has-text("Remove")')
    await page.waitForSelector('[role=dialog] >> text=/Loses \\d+ permissions/')
    await page.keyboard.press('Escape')
    await page.waitForSelector('[role=dialog]', { state: 'detached' })
    await request(page, 'PATCH', `/api/v1/organizations/demo/members/${victor.id}`, { roles: ['viewer'] })

    await request(page, 'POST', '/api/v1/organizations', { name: 'South Harbour', slug: 'south-harbour' })
    await request(page, 'POST', '/api/v1/organizations/south-harbour/invitations', { email: 'adam@demo.example', roles: ['member'] })
    const adam = await signIn(await context(), 'adam')
    const { data: [invitation] } = await request(adam, 'GET', '/api/v1/users/me/invitations')
    const { member_id } = await request(adam, 'POST', `/api/v1/users/me/invitations/${invitation.id}/accept`)
    await page.goto(`${base}/o/south-harbour/members/${member_id}`)
    await page.click('button:has-text("Remove")')
    await page.waitForSelector('[role=dialog] >> text=/Loses \\d+ permissions/')
    await page.click('[role=dialog] button:has-text("Remove")')
    await page.waitForURL(/\/south-harbour\/members$/)
    assert.equal(await page.locator('td:has-text("Adam")').count(), 0)
    await page.goto(`${base}/o/south-harbour/members/${member_id}`)
    await page.waitForSelector('h1 >> text=Removed')
    assert.equal(await page.locator('button:has-text("Suspend")').count(), 0)
  },

  async 'member: a viewer sees why actions are off, and no activity'({ base, context, signIn }) {
    const page = await signIn(await context(), 'victor')
    const { data: [mia] } = await request(page, 'GET', '/api/v1/organizations/demo/members?q=mia')
    await page.goto(`${base}/o/demo/members/${mia.id}`)
    const button = page.locator('button:has-text("Suspend")')
    assert.equal(await button.getAttribute('aria-disabled'), 'true')
    assert.match(await button.getAttribute('title'), /members:update/)
    assert.equal(await page.locator('section[aria-label="Activity"]').count(), 0)
    await page.goto(`${base}/o/demo/members/00000000-0000-7000-8000-000000000000`)
    await page.waitForSelector('[role=alert]:has-text("Not found")')
  },

  async 'members: the dialog for roles needs no request to open, and roles have numbers of members'({ base, context, signIn }) {
    const page = await signIn(await context(), 'olivia')
    await page.waitForLoadState('networkidle')
    const requests = []
    page.on('request', r => requests.push(new URL(r.url()).pathname))
    await page.click('button:has-text("Change the roles of Mia Member")')
    await page.waitForSelector('[role=dialog]')
    await page.waitForLoadState('networkidle')
    assert.deepEqual(requests.filter(path => path.includes('/members/')), [])
    requests.length = 0
    await page.goto(`${base}/o/demo/roles`)
    await page.waitForSelector('th:has-text("Viewer") >> text=1 member')
    await page.waitForLoadState('networkidle')
    assert.deepEqual(requests.filter(path => path.includes('/members')).length, 0)
  },
}
