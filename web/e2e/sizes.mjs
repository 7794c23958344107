// The sizes of the built files against their budgets, as a browser loads them (Brotli).
import { readdirSync, readFileSync } from 'node:fs'
import { brotliCompressSync, constants } from 'node:zlib'

const sizeOf = name => brotliCompressSync(readFileSync(`dist/assets/${name}`), { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }).length / 1000
const names = readdirSync('dist/assets')
const page = readFileSync('dist/index.html', 'utf8')

/** The chunks that loading `start` needs: its static imports, all the way down. */
function chunksOf(...start) {
  const all = new Set(start)
  for (const name of all) {
    for (const [, imported] of readFileSync(`dist/assets/${name}`, 'utf8').matchAll(/(?:from|import)\s*"\.\/([\w.-]+\.js)"/g)) all.add(imported)
  }
  return all
}
const total = chunks => [...chunks].reduce((sum, name) => sum + sizeOf(name), 0)
const named = prefix => names.find(name => name.startsWith(`${prefix}-`) && name.endsWith('.js'))
const entry = [...page.matchAll(/assets\/([\w.-]+\.js)/g)].map(m => m[1])
const login = chunksOf(...entry, named('SignIn'))
const first = chunksOf(...login, ...['AppShell', 'MembersPage', 'texts-en-shell', 'texts-en-people'].map(named))
/** The texts that a page loads besides those of the shell. */
const TEXTS = { MemberPage: ['audit'], AuditPage: ['audit'], SettingsPage: ['settings'], ProfilePage: ['account'], SecurityPage: ['account'], OrganizationsPage: ['account', 'settings'], ActivityPage: ['account', 'audit'], DeletePage: ['account'], TimePage: ['time'], ReportsPage: ['time'] }
const later = name => total([...chunksOf(named(name), ...(TEXTS[name] ?? []).map(texts => named(`texts-en-${texts}`)))].filter(chunk => !first.has(chunk)))

const rows = [
  ['JavaScript to the log-in', total(login), 140],
  ['JavaScript to the members page', total(first), 180],
  ['CSS', total(names.filter(name => name.endsWith('.css'))), 12],
  ['font (latin)', readFileSync(`dist/assets/${names.find(name => /^inter-latin-wght.*woff2$/.test(name))}`).length / 1000, 50],
  ...['MemberPage', 'RolesPage', 'AuditPage', 'SettingsPage', 'ProfilePage', 'SecurityPage', 'OrganizationsPage', 'ActivityPage', 'DeletePage', 'TimePage'].map(name => [name, later(name), 15]),
  ['ReportsPage', later('ReportsPage'), 60],
]
let exceeded = 0
for (const [what, size, budget] of rows) {
  const fine = size <= budget
  if (!fine) exceeded++
  console.log(`${fine ? 'ok   ' : 'FAIL '} ${what}: ${size.toFixed(1)} kB of ${budget} kB`)
}
process.exit(exceeded ? 1 : 0)
