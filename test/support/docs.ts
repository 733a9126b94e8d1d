import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What the documents show, and the code that they show it of. */

export const root = fileURLToPath(new URL('../..', import.meta.url))

export function textOf(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** A code block of a document by the comment above it. */
export function block(path: string, mark: string): string {
  const found = new RegExp(`<!-- ${mark} -->\n\`\`\`\\w+\n([\\s\\S]*?)\`\`\``).exec(textOf(path))?.[1]
  if (found === undefined) throw new Error(`"${path}" has no block marked "${mark}".`)
  return found
}

/** A part of a file between `#region` and `#endregion`, without what all of its lines are indented by. */
export function region(path: string, name: string): string {
  const found = new RegExp(`// #region ${name}\n([\\s\\S]*?)// #endregion`).exec(textOf(path))?.[1]
  if (found === undefined) throw new Error(`"${path}" has no region "${name}".`)
  const lines = found.trimEnd().split('\n')
  const indent = Math.min(...lines.filter((line) => line !== '').map((line) => line.search(/\S/)))
  return `${lines.map((line) => line.slice(indent)).join('\n')}\n`
}
