// Chromium, and pages that record what a page must not do.
import { chromium } from 'playwright-core'

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']

/** Starts Chromium. `faults` collects policy violations, console errors and requests to other origins of all pages. */
export async function startBrowser(base, password) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS })
  const faults = []

  async function context(options = {}) {
    const c = await browser.newContext({ viewport: { width: 1360, height: 860 }, locale: 'en-GB', timezoneId: 'Europe/Berlin', reducedMotion: 'reduce', ...options })
    c.setDefaultTimeout(15_000)
    await c.exposeBinding('reportViolation', (_, text) => faults.push(`policy: ${text}`))
    await c.addInitScript(() => document.addEventListener('securitypolicyviolation', e => window.reportViolation(`${location.pathname} ${e.effectiveDirective} ${e.blockedURI} ${e.sample}`)))
    c.on('page', page => {
      // Chromium logs each refusal (4xx) as an error. The tests cause some of them on purpose.
      page.on('console', m => { if (['error', 'warning'].includes(m.type()) && !/status of 4\d\d/.test(m.text())) faults.push(`console: ${m.text()}`) })
      page.on('pageerror', e => faults.push(`error: ${e}`))
      page.on('request', r => { if (!r.url().startsWith(base) && !/^(data|blob):/.test(r.url())) faults.push(`request: ${r.url()}`) })
    })
    return c
  }

  /** Signs in on a new page of `c`. */
  async function signIn(c, who) {
    const page = await c.newPage()
    await page.goto(`${base}/login?next=/o/demo/members`)
    await page.fill('[name=username]', `${who}@demo.example`)
    await page.fill('[name=password]', password)
    await page.click('button[type=submit]')
    await page.waitForURL(url => url.pathname === '/o/demo/members')
    // Until then, a page has nothing to keep when its session ends.
    await page.waitForSelector(`aside >> text=${who}`, { state: 'attached' })
    return page
  }
  return { browser, context, signIn, faults }
}

/** Sends a request as the signed-in user of `page`. */
export const request = (page, method, path, body) => page.evaluate(async ([method, path, body]) => {
  const token = document.cookie.match(/csrf=([^;]+)/)[1]
  const answer = await fetch(path, { method, headers: { 'content-type': 'application/json', 'x-csrf-token': token }, ...(body && { body: JSON.stringify(body) }) })
  return answer.status === 204 ? null : answer.json()
}, [method, path, body])
