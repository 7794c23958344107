// Starts the real `insula serve` with demo data in a folder of its own, on a free port.
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Starts the program at `binary`. Returns its URL, the password of the demo's users, and a function that stops it. */
export async function startServer(binary, settings = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'insula-web-'))
  const env = {
    PATH: process.env.PATH, INSULA_DATA_DIR: join(folder, 'data'), INSULA_PASSWORD_MEMORY: '8', INSULA_OPS_BIND: '127.0.0.1:0', INSULA_BIND: '127.0.0.1:0', INSULA_DRAIN_DELAY: '0', NO_COLOR: '1', RUST_LOG: 'warn',
    INSULA_LIMIT_LOG_IN: '10000/min', INSULA_LIMIT_READ: '100000/min', INSULA_LIMIT_WRITE: '10000/min', INSULA_LIMIT_ADDRESS: '100000/min', INSULA_LIMIT_EXPORT: '1000/h', INSULA_LIMIT_BULK: '1000/min', INSULA_LIMIT_EMAIL_LINKS: '1000/min', INSULA_LIMIT_REGISTER: '1000/min', INSULA_LIMIT_RESET: '1000/min', ...settings,
  }
  execFileSync(binary, ['seed', 'demo'], { env, cwd: folder, stdio: 'pipe' })
  const child = spawn(binary, ['serve'], { env, cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const stop = () => { child.kill('SIGKILL'); rmSync(folder, { recursive: true, force: true }) }
  process.on('exit', stop)
  const url = await new Promise((resolve, reject) => {
    const read = chunk => {
      output += chunk
      const match = /Insula listens on (http:\/\/\S+)/.exec(output)
      if (match) resolve(match[1])
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    child.on('exit', code => reject(new Error(`insula serve ended with ${code}:\n${output}`)))
  })
  return { url, password: readFileSync(join(env.INSULA_DATA_DIR, 'demo.txt'), 'utf8').trim(), stop }
}
