import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TerminalError } from 'aetheris'

/** The documents of this project, section by section. */

const root = fileURLToPath(new URL('../..', import.meta.url))

interface Section {
  /** The file and the heading, e.g. `docs/errors.md#TOOL_TIMEOUT`. */
  source: string
  text: string
}

async function sections(): Promise<Section[]> {
  const names = (await readdir(join(root, 'docs'))).filter((name) => name.endsWith('.md')).sort()
  const files = names.map((name) => `docs/${name}`)
  const read = files.map(async (file) => sectionsOf(file, await readFile(join(root, file), 'utf8')))
  return (await Promise.all(read)).flat()
}

function sectionsOf(file: string, text: string): Section[] {
  return text
    .split(/^#+ /m)
    .filter((part) => part.trim() !== '')
    .map((part) => {
      const [heading = '', ...lines] = part.split('\n')
      return { source: `${file}#${heading.trim()}`, text: lines.join('\n').trim() }
    })
}

const foundMax = 5
const beginCharacters = 200

/** The sections in which most of `words` stand, best first. */
export async function searchSections(words: readonly string[]): Promise<{ source: string; begin: string }[]> {
  const wanted = words.map((word) => word.toLowerCase())
  const rated = (await sections()).map(({ source, text }) => {
    const own = `${source} ${text}`.toLowerCase()
    const found = wanted.filter((word) => own.includes(word)).length
    // A long text holds any word.
    return { source, text, rate: found / Math.log(300 + text.length) }
  })
  return rated
    .filter(({ rate }) => rate > 0)
    .sort((one, other) => other.rate - one.rate)
    .slice(0, foundMax)
    .map(({ source, text }) => ({ source, begin: text.slice(0, beginCharacters) }))
}

/** @throws TerminalError where there is none; a model is told so, and tries another. */
export async function readSection(source: string): Promise<string> {
  const found = (await sections()).find((section) => section.source === source)
  if (found === undefined) throw new TerminalError(`There is no section "${source}". Take a source that search gave.`)
  return found.text
}
