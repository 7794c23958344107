// The browser tests: Chromium against the real program. INSULA_BINARY is its path; a name as argument selects tests.
import { fileURLToPath } from 'node:url'
import { account } from './account.mjs'
import { axe } from './axe.mjs'
import { bulk } from './bulk.mjs'
import { startBrowser } from './browser.mjs'
import { flows } from './flows.mjs'
import { hostile } from './hostile.mjs'
import { links } from './links.mjs'
import { member } from './member.mjs'
import { offline } from './offline.mjs'
import { states } from './states.mjs'
import { start } from './start.mjs'
import { time } from './time.mjs'
import { startServer } from './server.mjs'

const server = await startServer(process.env.INSULA_BINARY ?? '../target/debug/insula', { INSULA_PRODUCT_NAME: 'Acme Hours', INSULA_ACCENT_COLOR: '#b4005a', INSULA_LOGO_FILE: fileURLToPath(new URL('./logo.svg', import.meta.url)) })
const world = { ...await startBrowser(server.url, server.password), base: server.url, password: server.password }
const wanted = process.argv[2]
let failed = 0, passed = 0
for (const [name, test] of Object.entries({ ...flows, ...start, ...member, ...account, ...offline, ...time, ...links, ...bulk, ...states, ...hostile, ...axe })) {
  if (wanted && !name.includes(wanted)) continue
  const began = Date.now()
  try {
    await test(world)
    if (world.faults.length) throw new Error([...new Set(world.faults)].join('\n'))
    passed++
    console.log(`ok    ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`)
  } catch (error) {
    failed++
    console.log(`FAIL  ${name}\n${error.message ?? error}`)
  }
  world.faults.length = 0
  for (const c of world.browser.contexts()) await c.close()
}
await world.browser.close()
server.stop()
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed || !passed ? 1 : 0)
