import { readdir, readFile, realpath, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { TerminalError } from 'aetheris'

/** An installed package: where it is, and what its manifest calls it. */
export interface Installed {
  dir: string
  name: string
  version: string
}

/**
 * Every installed package of a tree, nested and scoped ones too, sorted by name, version and place.
 *
 * `root` is a node_modules directory, or a directory that holds one. Only places where a package manager installs are
 * looked at: a package's own test fixtures are not installed packages. A directory that is reached twice, through
 * links, counts once.
 *
 * @throws TerminalError where `root` is no directory, or nothing is installed there.
 */
export async function findPackages(root: string): Promise<Installed[]> {
  const top = resolve(root)
  if (!(await isDirectory(top))) throw new TerminalError(`"${root}" is not a directory.`)
  const inside = join(top, 'node_modules')
  const start = basename(top) !== 'node_modules' && (await isDirectory(inside)) ? inside : top
  const found = new Map<string, Installed>()
  await walkModules(start, found, new Set())
  if (found.size === 0 && basename(start) !== 'node_modules') {
    throw new TerminalError(
      `"${root}" holds no installed packages: it is no node_modules directory and has none in it.`,
    )
  }
  return [...found.values()].sort(byNameVersionDir)
}

/** Looks at one node_modules directory. `seen` holds the real paths that were walked, so links cannot make a loop. */
async function walkModules(modules: string, found: Map<string, Installed>, seen: Set<string>): Promise<void> {
  const names = await list(modules)
  for (const name of names.filter((each) => !each.startsWith('.'))) {
    const dir = join(modules, name)
    if (!name.startsWith('@')) await visit(dir, found, seen)
    else for (const scoped of await list(dir)) await visit(join(dir, scoped), found, seen)
  }
  // pnpm keeps the real directories here; those that were reached by a link already are not counted again.
  if (!names.includes('.pnpm')) return
  for (const name of await list(join(modules, '.pnpm'))) {
    await walkModules(join(modules, '.pnpm', name, 'node_modules'), found, seen)
  }
}

async function visit(dir: string, found: Map<string, Installed>, seen: Set<string>): Promise<void> {
  const real = await realpath(dir).catch(() => undefined) // a dangling link is no package
  if (real === undefined || seen.has(real) || !(await isDirectory(real))) return
  seen.add(real)
  const identity = await readIdentity(dir)
  if (identity) found.set(real, { dir, ...identity })
  await walkModules(join(dir, 'node_modules'), found, seen)
}

/** A manifest without name or version is a marker, such as `{ "type": "commonjs" }`, or is broken. */
async function readIdentity(dir: string): Promise<{ name: string; version: string } | undefined> {
  try {
    const { name, version } = JSON.parse(withoutMark(await readFile(join(dir, 'package.json'), 'utf8')))
    const isNamed = typeof name === 'string' && name !== '' && typeof version === 'string' && version !== ''
    return isNamed ? { name, version } : undefined
  } catch {
    return undefined
  }
}

/** JSON.parse refuses the byte order mark that some editors put first. */
export function withoutMark(text: string): string {
  return text.startsWith('\uFEFF') ? text.slice(1) : text
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}

/** Names in a directory in an order that does not depend on the file system; none where it is not there. */
async function list(path: string): Promise<string[]> {
  return (await readdir(path).catch(() => [])).sort()
}

/** By code unit, not by language: the order is the same on every machine. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function byNameVersionDir(a: Installed, b: Installed): number {
  return compare(a.name, b.name) || compare(a.version, b.version) || compare(a.dir, b.dir)
}
