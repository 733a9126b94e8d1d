/**
 * `npm run research [-- QUESTION [OPTION ...]]`: runs the agent beside this file on the command line. Where MODEL_URL names no
 * server, one on this machine stands in. The options are those of `aetheris run`.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import { startOffline } from './offline.ts'

const usual = 'Which errors leave open whether a write was stored, and who may answer an approval?'

const [first, ...rest] = process.argv.slice(2)
const isQuestion = first !== undefined && !first.startsWith('-')
const question = isQuestion ? first : usual
const options = isQuestion || first === undefined ? rest : [first, ...rest]

/** The same question is the same job: the same command goes on with it, or shows what it came to. */
const id =
  question === usual ? 'research' : `research-${createHash('sha256').update(question).digest('hex').slice(0, 8)}`

const own = process.env['MODEL_URL'] === undefined ? await startOffline() : undefined
const env = { AETHERIS_COMMAND: 'npm start --', ...process.env, ...(own && { MODEL_URL: `${own.url}/v1` }) }
const pathOf = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const words = ['run', pathOf('examples/research/agent.ts'), '--agent', 'research', '--id', id]
const input = ['--input', JSON.stringify({ question })]
const child = spawn(process.execPath, [pathOf('dist/src/cli/main.js'), ...words, ...input, ...options], {
  stdio: 'inherit',
  env,
})
// Ctrl-C reaches the whole process group: the command line stops in its own time and says how to go on.
process.on('SIGINT', () => {})
child.on('exit', async (code, signal) => {
  process.exitCode = signal === null ? (code ?? 1) : 128 + constants.signals[signal]
  await own?.stop()
})
