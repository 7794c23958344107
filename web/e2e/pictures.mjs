// Takes the pictures of the console for the documentation, from the real program with demo data.
import { mkdirSync } from 'node:fs'
import { startBrowser } from './browser.mjs'
import { startServer } from './server.mjs'

const OUT = '../docs/console'
const PICTURES = [
  { name: 'login', path: '/login', ready: 'h1', open: true },
  { name: 'members', path: '/o/demo/members', ready: 'text=Mia Member' },
  { name: 'roles', path: '/o/demo/roles', ready: 'table' },
  { name: 'preview', path: '/o/demo/members', act: async p => { await p.click('button:has-text("Change the roles of Mia")'); await p.click('[role=dialog] label:has-text("Admin")'); await p.waitForSelector('text=/Gains \\d+/') } },
  { name: 'audit-dark', path: '/o/demo/audit', dark: true, act: async p => { await p.click('text=Verify log'); await p.waitForSelector('text=The audit log is intact') } },
  { name: 'bulk', path: '/o/demo/members', act: async p => { await p.click('[role=checkbox][aria-label="Select Mia Member"]'); await p.click('[role=checkbox][aria-label="Select Victor Viewer"]') } },
  { name: 'time', path: '/o/demo/time', ready: '[role=grid]' },
  { name: 'reset-phone', path: '/reset#token=example', ready: '#new-password', phone: true, open: true },
  { name: 'members-phone', path: '/o/demo/members', ready: 'text=Mia Member', phone: true },
]

const server = await startServer(process.env.INSULA_BINARY ?? '../target/debug/insula')
const { browser, context, signIn } = await startBrowser(server.url, server.password)
mkdirSync(OUT, { recursive: true })
for (const { name, path, ready, act, dark, phone, open } of PICTURES) {
  const c = await context({ colorScheme: dark ? 'dark' : 'light', viewport: phone ? { width: 390, height: 844 } : { width: 1360, height: 860 } })
  const page = open ? await c.newPage() : await signIn(c, 'olivia')
  await page.goto(server.url + path)
  if (ready) await page.waitForSelector(ready)
  await act?.(page)
  await page.waitForLoadState('networkidle')
  await page.screenshot({ path: `${OUT}/${name}.png` })
  console.log(`docs/console/${name}.png`)
  await c.close()
}
await browser.close()
server.stop()
process.exit(0)
