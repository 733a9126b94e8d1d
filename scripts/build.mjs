// Builds dist/ from nothing, so that no file of an earlier build is left in it.
import { chmodSync, existsSync, readdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { root, run } from './setup.mjs'

const inputs = ['src', 'machines', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json']
/** Written last, so it is there only after a whole build; its time is the time of the build. */
const stamp = join(root, 'dist', '.built')

function newest(path) {
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))))
}

export function isBuilt() {
  if (!existsSync(stamp)) return false
  const builtAt = statSync(stamp).mtimeMs
  return inputs.every((input) => newest(join(root, input)) <= builtAt)
}

export function build() {
  rmSync(join(root, 'dist'), { recursive: true, force: true })
  run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', join(root, 'tsconfig.build.json')])
  const main = join(root, 'dist/src/cli/main.js')
  if (existsSync(main)) chmodSync(main, 0o755)
  writeFileSync(stamp, '')
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) build()
