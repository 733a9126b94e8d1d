// Installs the dependencies where they are missing or out of date. Plain JavaScript that imports nothing but Node,
// since on a fresh clone nothing else is there yet. All it says goes to stderr, so that stdout stays the program's.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Ends the process with a message where Node is too old to run what follows. */
function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > 20 || (major === 20 && minor >= 19)) return
  console.error(`Aetheris needs Node 20.19 or newer; this is Node ${process.versions.node}.`)
  process.exit(1)
}

function packagesOf(file) {
  return JSON.parse(readFileSync(join(root, file), 'utf8')).packages ?? {}
}

/** Whether node_modules holds what package-lock.json asks for. npm keeps the record of an install in a hidden lock. */
function isInstalled() {
  const record = 'node_modules/.package-lock.json'
  if (!existsSync(join(root, record))) return false
  const installed = packagesOf(record)
  return Object.entries(packagesOf('package-lock.json')).every(([path, wanted]) => {
    if (path === '') return true
    const found = installed[path]
    // An optional package is absent where it is made for another platform.
    if (found === undefined) return wanted.optional === true
    return found.version === wanted.version && found.integrity === wanted.integrity && existsSync(join(root, path))
  })
}

/** Runs a command with all its output on stderr; ends this process with its exit code if it fails. */
export function run(command, args) {
  const done = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] })
  if (done.status === 0) return
  if (done.error) console.error(`${command}: ${done.error.message}`)
  process.exit(done.status ?? 1)
}

export function setup() {
  requireNode()
  if (isInstalled()) return
  console.error('Installing dependencies, once (npm ci) ...')
  // npm tells its scripts where it is; calling that file needs no shell and works alike on every platform.
  const npm = process.env.npm_execpath
  const args = ['ci', '--include=dev', '--loglevel=error']
  if (npm === undefined) run('npm', args)
  else run(process.execPath, [npm, ...args])
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) setup()
