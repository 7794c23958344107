// Many members at once.
import assert from 'node:assert/strict'
import { check } from './axe.mjs'
import { request } from './browser.mjs'

const bar = page => page.getByRole('region', { name: 'Selected members' })
const box = (page, name) => page.getByRole('checkbox', { name: `Select ${name}` })
const chosen = (page, n) => bar(page).getByText(`${n} selected`).waitFor()

export const bulk = {
  async 'bulk: ranges, all loaded, and what is refused stays selected'({ context, signIn }) {
    const page = await signIn(await context({ bypassCSP: true }), 'adam')
    await box(page, 'Adam Admin').waitFor()
    const names = await page.locator('tbody a').allTextContents()
    assert.ok(names.length >= 4, names.join())
    await box(page, names[0]).click()
    await box(page, names[2]).click({ modifiers: ['Shift'] })
    await chosen(page, 3)
    // By keyboard: x selects the row that has the focus.
    await page.getByRole('link', { name: names[1] }).focus()
    await page.keyboard.press('x')
    await chosen(page, 2)
    await box(page, names[3]).focus()
    await page.keyboard.press('Shift+Space')
    await chosen(page, 4)
    await bar(page).getByRole('button', { name: 'Cancel' }).click()
    await bar(page).waitFor({ state: 'detached' })

    await box(page, names[0]).click()
    if (names.length > 1) await bar(page).getByRole('button', { name: 'Select all loaded' }).click()
    await chosen(page, names.length)
    let open = 0, most = 0
    await page.route('**/members/*', async route => {
      most = Math.max(most, ++open)
      const response = await route.fetch()
      open--
      await route.fulfill({ response })
    })
    await bar(page).getByRole('button', { name: 'Suspend' }).click()
    // An admin cannot suspend the owner.
    await bar(page).locator('[role=alert]:has-text("Olivia Owner")').waitFor()
    await chosen(page, 1)
    assert.ok(most <= 6, `${most} requests at the same time`)
    // All others are, except the user.
    await page.waitForFunction(n => [...document.querySelectorAll('tbody tr')].filter(row => /Suspended/.test(row.textContent)).length === n, names.length - 2)
    await check(page, 'refused bulk action')
    await page.click('button:has-text("Undo")')
    await page.locator('tbody >> text=Suspended').first().waitFor({ state: 'detached' })
    await page.waitForFunction(() => !/Suspended/.test(document.querySelector('tbody').textContent))
  },

  async 'bulk: roles that members do not share stay as they are, and removal asks first'({ base, context, signIn }) {
    const page = await signIn(await context({ bypassCSP: true, viewport: { width: 390, height: 844 } }), 'olivia')
    await request(page, 'POST', '/api/v1/organizations', { name: 'West Harbour', slug: 'west-harbour' })
    for (const [who, roles] of [['mia', ['member']], ['victor', ['viewer']]]) {
      await request(page, 'POST', '/api/v1/organizations/west-harbour/invitations', { email: `${who}@demo.example`, roles })
      const invited = await signIn(await context(), who)
      const { data } = await request(invited, 'GET', '/api/v1/users/me/invitations')
      await request(invited, 'POST', `/api/v1/users/me/invitations/${data.find(i => i.organization.slug === 'west-harbour').id}/accept`)
    }
    const rolesOf = async () => Object.fromEntries((await request(page, 'GET', '/api/v1/organizations/west-harbour/members')).data.map(m => [m.user.email.split('@')[0], m.roles.map(r => r.key).sort().join()]))
    await page.goto(`${base}/o/west-harbour/members`)
    await box(page, 'Mia Member').click()
    await box(page, 'Victor Viewer').click()
    await check(page, 'bar of selected members')
    await bar(page).getByRole('button', { name: 'Roles' }).click()
    const role = name => page.locator('[role=dialog]').getByRole('checkbox', { name, exact: true })
    assert.equal(await role('Member').getAttribute('aria-checked'), 'mixed')
    await role('Admin').click()
    await page.waitForSelector('[role=dialog] >> text=/Gains \\d+ permissions/')
    await check(page, 'roles of many members')
    await page.click('[role=dialog] button:has-text("Save")')
    await page.waitForSelector('text=Roles of 2 members updated')
    assert.deepEqual(await rolesOf(), { olivia: 'owner', mia: 'admin,member', victor: 'admin,viewer' })
    await page.click('button:has-text("Undo")')
    await page.waitForFunction(() => !/Admin/.test(document.querySelector('tbody').textContent))
    assert.deepEqual(await rolesOf(), { olivia: 'owner', mia: 'member', victor: 'viewer' })

    await box(page, 'Mia Member').click()
    await box(page, 'Victor Viewer').click()
    await bar(page).getByRole('button', { name: 'Remove' }).click()
    await page.waitForSelector('[role=dialog]:has-text("Remove 2 members?")')
    await check(page, 'removing many members')
    await page.click('[role=dialog] button:has-text("Remove")')
    await page.waitForSelector('text=2 members removed')
    await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 1)
  },
}
