import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What the pages of the project show, and what it has to be equal to. */

export const root = fileURLToPath(new URL('../..', import.meta.url))

export function page(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** The code blocks of a page that have a comment above them, by that comment. */
export function blocks(path: string): Map<string, string> {
  const found = page(path).matchAll(/<!-- ([^\n]+) -->\n```\w+\n([\s\S]*?)```/g)
  return new Map([...found].map((match) => [match[1] as string, match[2] as string]))
}

export function block(path: string, mark: string): string {
  const found = blocks(path).get(mark)
  if (found === undefined) throw new Error(`${path} has no block marked "${mark}".`)
  return found
}

/** A part of a file between `#region` and `#endregion`, moved to the left. */
export function region(path: string, name: string): string {
  const found = new RegExp(`// #region ${name}\n([\\s\\S]*?)\n *// #endregion`).exec(page(path))?.[1]
  if (found === undefined) throw new Error(`"${path}" has no region "${name}".`)
  const lines = found.split('\n')
  const indents = lines.filter((line) => line.trim() !== '').map((line) => line.length - line.trimStart().length)
  const left = Math.min(...indents)
  return `${lines.map((line) => line.slice(left)).join('\n')}\n`
}

/** The pages that show parts of files, each `path#region`. */
export const pages = [
  'README.md',
  ...['effects', 'control', 'plans', 'operations', 'models', 'mcp', 'external-agents', 'browser'].map(
    (name) => `docs/${name}.md`,
  ),
]
