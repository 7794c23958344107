// The week, the timer and the report.
import assert from 'node:assert/strict'
import { request } from './browser.mjs'

const cell = (page, row, column) => page.locator(`[data-cell="${row} ${column}"]`)

export const time = {
  async 'time: the week is a sheet for the keyboard, with undo'({ base, context, signIn }) {
    const page = await signIn(await context(), 'mia')
    await page.click('nav >> text=Time')
    await page.waitForSelector('[role=grid]')
    // A past week, in which no entry can be in the future.
    await page.click('[aria-label="Previous week"]')
    await page.waitForURL(/week=/)
    await page.waitForLoadState('networkidle')
    await cell(page, 0, 5).focus()
    await page.keyboard.type('1:30')
    await page.keyboard.press('Enter')
    await page.waitForFunction(() => /1:30/.test(document.querySelector('[data-cell="0 5"]').textContent))
    await cell(page, 0, 5).focus()
    await page.keyboard.type(':::')
    await page.keyboard.press('Enter')
    await page.waitForSelector('text=is not a duration')
    await page.keyboard.press('Escape')
    await page.reload()
    await page.waitForFunction(() => /1:30/.test(document.querySelector('[data-cell="0 5"]')?.textContent))
    await cell(page, 0, 5).focus()
    await page.keyboard.press('Delete')
    await page.waitForSelector('text=1:30 deleted')
    await page.waitForFunction(() => !/1:30/.test(document.querySelector('[data-cell="0 5"]').textContent))
    await page.click('button:has-text("Undo")')
    await page.waitForFunction(() => /1:30/.test(document.querySelector('[data-cell="0 5"]').textContent))
    assert.ok(page.url().startsWith(base))
  },

  async 'time: one line logs an entry, or starts the timer'({ base, context, signIn }) {
    const page = await signIn(await context(), 'mia')
    await page.goto(`${base}/o/demo/time`)
    await page.waitForSelector('[role=grid]')
    const line = page.locator('main form input').first()
    await line.fill('9-10:30 yesterday Console review')
    await page.waitForSelector('text=/Yesterday, 9:00 – 10:30/')
    await page.click('button:has-text("Log 1:30")')
    await page.waitForSelector('text=/Logged: Yesterday/')
    await line.fill('Review the release')
    await page.keyboard.press('Enter')
    await page.waitForSelector('[role=timer]')
    const { running } = await request(page, 'GET', '/api/v1/organizations/demo/timer')
    assert.equal(running.activity, 'Review the release')
    await page.click('[aria-label="Stop timer"]')
    await page.waitForSelector('text=/Stopped after/')
    await page.waitForSelector('[role=timer]', { state: 'detached' })
  },

  async 'reports: hours by day and project, also as a table'({ context, signIn }) {
    const page = await signIn(await context(), 'mia')
    await page.click('nav >> text=Reports')
    await page.waitForSelector('canvas')
    await page.waitForSelector('text=Your own time.')
    await page.waitForSelector('table', { state: 'attached' })
    await page.waitForSelector('h2:has-text("By project")')
  },

  async 'time: the navigation shows what the roles allow'({ context, signIn }) {
    const owner = await signIn(await context(), 'olivia')
    await owner.waitForSelector('nav >> text=Reports')
    const { data: [victor] } = await request(owner, 'GET', '/api/v1/organizations/demo/members?q=victor')
    await request(owner, 'POST', '/api/v1/organizations/demo/roles', { name: 'Guest', permissions: ['members:read'] })
    await request(owner, 'PATCH', `/api/v1/organizations/demo/members/${victor.id}`, { roles: ['guest'] })
    const page = await signIn(await context(), 'victor')
    await page.waitForSelector('nav >> text=Members')
    assert.equal(await page.locator('nav >> text=Time').count(), 0)
    assert.equal(await page.locator('nav >> text=Reports').count(), 0)
    await request(owner, 'PATCH', `/api/v1/organizations/demo/members/${victor.id}`, { roles: ['viewer'] })
  },
}
