// Claude Code itself, one prompt without tools; its telemetry goes where the environment says. Same protocol as app.py.
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import readline from 'node:readline'

const claude = path.join(import.meta.dirname, 'node_modules', '.bin', 'claude')
const prompts = { prompt: 'claude-haiku-4-5' }
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]()
for (const name of process.argv[2].split(',')) {
  const options = { stdio: ['ignore', 'pipe', 'inherit'], timeout: 120_000 }
  const done = spawnSync(claude, ['-p', 'say hello to the fox', '--model', prompts[name], '--tools', ''], options)
  if (done.status) console.log(`FAILED ${name}`)
  console.log(`DONE ${name}`)
  await lines.next()
}
process.exit(0)
