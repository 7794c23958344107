// Accessibility of every page and dialog: WCAG 2.2 AA and best practices, light and dark, desk and phone.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'

const source = readFileSync('node_modules/axe-core/axe.min.js', 'utf8')
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

/** How to reach each state of the console. `desk`: not on phones. */
const STATES = [
  { path: '/login', open: true }, { path: '/register', open: true }, { path: '/forgot', open: true },
  { path: '/verify', open: true, ready: '#email:visible' }, { path: '/reset#token=x', open: true, ready: '#new-password:visible' }, { path: '/verify#undo=x', open: true, ready: '#confirm-button:visible' }, { path: '/accept#token=x', open: true, ready: '#way:visible' },
  { path: '/o/demo/time', ready: '[role=grid]' },
  { path: '/o/demo/reports', ready: 'h1' },
  { path: '/o/demo/members', ready: 'text=Mia Member' },
  { path: '/o/demo/members?tab=invitations' },
  { path: '/o/demo/members?invite=1', ready: '[role=dialog]' },
  { path: '/o/demo/members', name: 'roles dialog', act: async p => { await p.click('button:has-text("Change the roles of Mia")'); await p.click('[role=dialog] label:has-text("Admin")'); await p.waitForSelector('text=Gains') } },
  { path: '/o/demo/members', name: 'palette', desk: true, act: async p => { await p.waitForSelector('text=Mia Member'); await p.keyboard.press('Control+k'); await p.waitForSelector('[role=listbox]') } },
  { path: '/o/demo/members', name: 'shortcuts', desk: true, act: async p => { await p.waitForSelector('text=Mia Member'); await p.keyboard.press('?'); await p.waitForSelector('[role=dialog]') } },
  { path: '/o/demo/members', name: 'member', act: async p => { await p.click('table a:has-text("Mia Member")'); await p.waitForSelector('section[aria-label="Permissions"] table') } },
  { path: '/o/demo/roles', ready: 'table' },
  { path: '/o/demo/audit', act: async p => { await p.click('text=Verify log'); await p.waitForSelector('text=The audit log is intact'); await p.click('button[aria-controls^="event-"] >> nth=0') } },
  { path: '/o/demo/settings', ready: 'section[aria-label="Locked period"] input' },
  { path: '/account/profile', ready: 'select' },
  { path: '/account/security', ready: 'text=This device' },
  { path: '/account/activity', ready: 'button[aria-expanded]' },
  { path: '/account/delete', ready: 'li a' },
  { path: '/account/organizations?new=1', ready: '[role=dialog]' },
]

/** Fails if `page` has a barrier now. */
export async function check(page, label) {
  await page.addScriptTag({ content: source })
  const found = await page.evaluate(async rules => (await window.axe.run(document, { runOnly: rules })).violations.map(v => `${v.id}: ${v.nodes.slice(0, 3).map(n => `${n.target.join(' ')} ${n.any[0]?.message ?? ''}`).join('; ')}`), RULES)
  assert.deepEqual(found, [], label)
}

export const axe = Object.fromEntries(['light', 'dark'].flatMap(colorScheme => ['desk', 'phone'].map(size => [`axe: ${colorScheme}, ${size}`, async ({ base, context, signIn, faults }) => {
  // axe is injected, which the policy forbids. The other tests check the policy.
  const c = await context({ colorScheme, bypassCSP: true, ...(size === 'phone' && { viewport: { width: 390, height: 844 } }) })
  const problems = []
  const look = async (page, state) => {
    await page.goto(base + state.path)
    await page.waitForSelector(state.ready ?? 'h1')
    await state.act?.(page)
    // Chromium keeps a request open whose answer no script reads.
    if (!state.path.startsWith('/accept')) await page.waitForLoadState('networkidle').catch(() => assert.fail(`${state.path} is never idle`))
    await check(page, `${state.name ?? state.path}`).catch(error => problems.push(error.message))
  }
  const shown = STATES.filter(state => size === 'desk' || !state.desk)
  const page = await c.newPage()
  for (const state of shown.filter(s => s.open)) await look(page, state)
  const inside = await signIn(c, 'olivia')
  for (const state of shown.filter(s => !s.open)) await look(inside, state)
  assert.equal(problems.length, 0, problems.join('\n'))
  faults.splice(0, faults.length, ...faults.filter(f => !f.includes('axe')))
}])))
