import { readFileSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A line of the user's code. */
export interface Place {
  path: string
  line: number
  text: string
}

/** Where in the user's own code an error comes from, where its stack, or that of what caused it, tells. */
export function placeOf(error: unknown): Place | undefined {
  if (!(error instanceof Error)) return undefined
  return placeIn(error.stack ?? '') ?? placeOf(error.cause)
}

const cli = fileURLToPath(new URL('.', import.meta.url))
const aetheris = fileURLToPath(new URL('..', import.meta.url))

/** The innermost frame that is the user's. What stands below the command line is whoever called it. */
function placeIn(stack: string): Place | undefined {
  for (const [, file = '', line] of stack.matchAll(/^ +at (?:.*\()?(.+):(\d+):\d+\)?$/gm)) {
    const path = file.startsWith('file:') ? fileURLToPath(file) : file
    if (path.startsWith(cli)) return undefined
    if (!isAbsolute(path) || path.startsWith(aetheris) || path.includes('/node_modules/')) continue
    const text = lineOf(path, Number(line))
    if (text !== undefined) return { path, line: Number(line), text }
  }
  return undefined
}

function lineOf(path: string, line: number): string | undefined {
  try {
    return readFileSync(path, 'utf8').split('\n')[line - 1]?.trim()
  } catch {
    return undefined
  }
}
