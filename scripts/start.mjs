// `npm start`: installs and builds what is missing, then runs the example. Arguments after `--` go to `aetheris run`.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { build, isBuilt } from './build.mjs'
import { root, setup } from './setup.mjs'

setup()
if (!isBuilt()) {
  console.error('Building, once (tsc) ...')
  build()
}

const main = join(root, 'dist/src/cli/main.js')
const args = [main, 'run', 'examples/licence-audit/agent.ts', ...process.argv.slice(2)]
const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' })

// Ctrl-C reaches the whole process group: the child stops in its own time and says how to resume.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => signal === 'SIGTERM' && child.kill(signal))
child.on('exit', (code, signal) => {
  if (signal) console.error(`Ended by ${signal}. Run the same command again to go on.`)
  process.exitCode = code ?? 1
})
