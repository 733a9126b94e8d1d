// `npm start`: installs and builds what is missing, then runs the example of the README.
//
//   npm start                          the licence audit, always as the same job: a second time shows its result
//   npm start -- --input '{...}'       the audit of something else, as a job of its own
//   npm start -- --crash               a new audit that is killed in the middle with SIGKILL, and started again
//   npm start -- show licence-audit    any other line of the command line `aetheris`; --help lists them
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { constants } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { build, isBuilt } from './build.mjs'
import { root, setup } from './setup.mjs'

const example = 'examples/licence-audit/agent.ts'
/** About the middle of the audit of this project's own packages. */
const crashAt = 150
/** The exit code of `aetheris` where another process has the data directory open, and how long to wait for that one. */
const inUse = 7
const patienceMs = 10_000

setup()
if (!isBuilt()) {
  console.error('Building, once (tsc) ...')
  build()
}

/** Runs the command line. Resolves with its exit code, or the signal that ended it. */
function aetheris(words) {
  const env = { ...process.env, AETHERIS_COMMAND: 'npm start --' }
  const child = spawn(process.execPath, [join(root, 'dist/src/cli/main.js'), ...words], {
    cwd: root,
    stdio: 'inherit',
    env,
  })
  const pass = (signal) => child.kill(signal)
  process.on('SIGTERM', pass)
  return new Promise((resolve) => {
    child.on('exit', (code, signal) => {
      process.off('SIGTERM', pass)
      resolve(code ?? signal)
    })
  })
}

/** A process whose parent was killed may still be at work on the same job, for a moment. */
async function aetherisWhenFree(words) {
  const until = Date.now() + patienceMs
  for (;;) {
    const ended = await aetheris(words)
    if (ended !== inUse || Date.now() >= until) return ended
    await setTimeout(1_000)
  }
}

/** The same input is the same job, so that the same command goes on with it. */
function jobId(words) {
  const at = words.findIndex((word) => /^--input(=|$)/.test(word))
  if (at < 0) return 'licence-audit'
  const input = words[at] === '--input' ? (words[at + 1] ?? '') : words[at].slice('--input='.length)
  return `licence-audit-${createHash('sha256').update(input).digest('hex').slice(0, 8)}`
}

async function crash(words) {
  const audit = ['run', example, '--id', `crash-${Date.now().toString(36)}`, ...words]
  const ended = await aetheris([...audit, '--kill-at', String(crashAt)])
  if (ended !== 'SIGKILL') return ended
  console.error(`\nKilled by SIGKILL at event ${crashAt}. The same command again:\n`)
  return aetheris(audit)
}

/** Words that ask about the command line as a whole. */
const about = ['--help', '-h', '--version', '-V']

function start(words) {
  if (words.includes('--crash')) return crash(words.filter((word) => word !== '--crash'))
  if (words.length === 1 && about.includes(words[0])) return aetheris(words)
  if (words[0] !== undefined && !words[0].startsWith('-')) return aetheris(words)
  const id = words.some((word) => /^--id(=|$)/.test(word)) ? [] : ['--id', jobId(words)]
  return aetherisWhenFree(['run', example, ...id, ...words])
}

// Ctrl-C reaches the whole process group: the command line stops in its own time and says how to go on.
process.on('SIGINT', () => {})
const ended = await start(process.argv.slice(2))
if (typeof ended === 'string') console.error(`Ended by ${ended}. The same command goes on with the job.`)
process.exitCode = typeof ended === 'string' ? 128 + constants.signals[ended] : ended
