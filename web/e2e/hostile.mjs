// Names that try to be markup, template code, or wider than the page. They are text wherever they are shown.
import assert from 'node:assert/strict'
import { request } from './browser.mjs'

const MARKUP = '<img src=x onerror=alert(1)>'
const NAMES = {
  first: MARKUP,
  last: 'שלום "O’Brien" {{ 7*7 }} 👩‍🚀',
  organization: `${MARKUP} & 'Söhne' مرحبا`,
  role: '<b>Planner</b> {{ 7*7 }} عربي',
  project: `</script>${MARKUP}`,
  // As long as a name can be, without a place to break.
  long: 'W'.repeat(100),
}

export const hostile = {
  async 'hostile names are text on every page, and none is wider than a phone'({ base, context }) {
    const c = await context({ viewport: { width: 320, height: 720 } })
    const page = await c.newPage()
    let dialogs = 0
    page.on('dialog', d => { dialogs++; void d.dismiss() })
    const json = { 'content-type': 'application/json' }
    const email = 'hana@demo.example', password = 'Quartz-lantern-47-meadow'
    const post = (path, body) => fetch(`${base}/api/v1/${path}`, { method: 'POST', headers: json, body: JSON.stringify(body) })
    assert.ok((await post('auth/register', { email, password, first_name: NAMES.first, last_name: NAMES.last })).ok)
    await post('auth/login', { email, password, device_name: MARKUP })
    await page.goto(`${base}/login`)
    await page.fill('[name=username]', email)
    await page.fill('[name=password]', password)
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/o\//)

    const make = async (path, body) => {
      const answer = await request(page, 'POST', `/api/v1/${path}`, body)
      assert.ok(answer.id ?? answer.invitation ?? answer.running ?? answer.email, JSON.stringify(answer))
      return answer
    }
    await make('organizations', { name: NAMES.organization, slug: 'hostile' })
    const role = await make('organizations/hostile/roles', { name: NAMES.role, description: MARKUP, permissions: ['projects:read'] })
    const project = await make('organizations/hostile/projects', { name: NAMES.project, code: 'HOST' })
    await make('organizations/hostile/projects', { name: NAMES.long, code: 'LONG' })
    const noon = new Date(Date.now() - 60_000)
    await make('organizations/hostile/time-entries', { project_id: project.id, activity: MARKUP, started_at: new Date(noon - 3_600_000).toISOString().replace(/\.\d+/, ''), ended_at: noon.toISOString().replace(/\.\d+/, '') })
    await make('organizations/hostile/invitations', { email: 'invited@demo.example', roles: [role.key] })
    const { data: [me] } = await request(page, 'GET', '/api/v1/organizations/hostile/members')
    assert.equal(me.user.display_name, `${NAMES.first} ${NAMES.last}`)

    const shows = async (path, ...texts) => {
      await page.goto(path.startsWith('http') ? path : `${base}/${path}`)
      for (const text of texts) await page.getByText(text).first().waitFor({ state: 'attached' }).catch(() => assert.fail(`${path} does not show ${text}`))
      const found = await page.evaluate(() => ({ images: document.querySelectorAll('img[src=x]').length, wide: document.documentElement.scrollWidth - innerWidth }))
      assert.deepEqual(found, { images: 0, wide: 0 }, path)
    }
    await shows('o/hostile/members', NAMES.first, NAMES.organization)
    await shows(`o/hostile/members/${me.id}`, NAMES.last)
    await shows('o/hostile/members?invite=1', NAMES.role)
    await shows('o/hostile/members?tab=invitations', 'invited@demo.example', NAMES.role)
    await shows('o/hostile/roles', NAMES.role)
    await shows('o/hostile/audit', NAMES.role, NAMES.project)
    await shows('o/hostile/settings', 'Leave or delete')
    assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), NAMES.organization)
    await shows('o/hostile/time', NAMES.project, MARKUP)
    await shows('o/hostile/reports', NAMES.project)
    await shows('account/profile', NAMES.first)
    await shows('account/security', MARKUP)
    await shows('account/organizations', NAMES.organization)
    await shows('account/activity', NAMES.first)
    await shows('account/delete', NAMES.organization)
    const { data: mails } = await (await fetch(`${base}/dev/mail`, { headers: { accept: 'application/json' } })).json()
    const link = /\/accept#\S+/.exec(mails.find(mail => mail.to === 'invited@demo.example').text)[0]
    await request(page, 'POST', '/api/v1/auth/logout')
    await shows(link.slice(1), NAMES.organization, NAMES.role)
    assert.equal(dialogs, 0)
  },
}
