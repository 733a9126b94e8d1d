import { readFileSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A line of the user's code. */
export interface Place {
  path: string
  line: number
  text: string
}

const causesMax = 10

/** Where in the user's own code an error comes from, where its stack, or that of what caused it, tells. */
export function placeOf(error: unknown): Place | undefined {
  try {
    let at = error
    for (let causes = 0; at instanceof Error && causes < causesMax; causes += 1) {
      const place = placeIn(String(at.stack))
      if (place !== undefined) return place
      at = at.cause
    }
  } catch {
    // What was thrown may be anything, and a file may be gone.
  }
  return undefined
}

const cli = fileURLToPath(new URL('.', import.meta.url))
const aetheris = fileURLToPath(new URL('..', import.meta.url))

/** The innermost frame that is the user's. What stands below the command line is whoever called it. */
function placeIn(stack: string): Place | undefined {
  for (const [, file = '', line] of stack.matchAll(/^ +at (?:.*\()?(.+):(\d+):\d+\)?$/gm)) {
    const path = file.startsWith('file:') ? fileURLToPath(file) : file
    if (path.startsWith(cli)) return undefined
    if (!isAbsolute(path) || path.startsWith(aetheris) || path.includes('/node_modules/')) continue
    const text = readFileSync(path, 'utf8').split('\n')[Number(line) - 1]
    return text === undefined ? undefined : { path, line: Number(line), text: text.trim() }
  }
  return undefined
}
