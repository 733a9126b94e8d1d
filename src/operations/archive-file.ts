import { createReadStream, existsSync } from 'node:fs'
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { AetherisError, isAetherisError } from '../base/error.ts'
import { syncDirectory } from '../store/sync-files.ts'

/** Archives as files. One is there whole and durably, or not at all, and none is ever written over. */

/** Characters that are gathered before they are written. */
const gathered = 256 * 1024

/**
 * Writes what `lines` gives. Gives what it returns.
 * @throws AetherisError INPUT_INVALID when the file exists, STORE_IO, and whatever `lines` throws.
 */
export async function writeLines<T>(path: string, lines: AsyncGenerator<string, T>): Promise<T> {
  if (existsSync(path)) throw new AetherisError('INPUT_INVALID', `"${path}" exists already; name another file.`)
  const part = `${path}.part`
  try {
    const file = await open(part, 'w', 0o600)
    const result = await pour(lines, file).finally(() => file.close())
    await rename(part, path)
    await syncDirectory(dirname(resolve(path)))
    return result
  } catch (error) {
    await rm(part, { force: true }).catch(() => {}) // what matters is the first error
    throw asFileError(error, `writing "${path}"`)
  }
}

async function pour<T>(lines: AsyncGenerator<string, T>, file: FileHandle): Promise<T> {
  let text = ''
  for (;;) {
    const next = await lines.next()
    if (next.done !== true) text += next.value
    if (text.length > gathered || next.done === true) {
      await file.writeFile(text)
      text = ''
    }
    if (next.done !== true) continue
    await file.sync()
    return next.value
  }
}

/** @throws AetherisError STORE_IO */
export async function* linesOf(path: string): AsyncGenerator<string> {
  const input = createReadStream(path, 'utf8')
  const failed = new Promise<never>((_, reject) => input.once('error', reject))
  failed.catch(() => {})
  const lines = createInterface({ input, crlfDelay: Infinity })[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await Promise.race([lines.next(), failed])
      if (next.done === true) return
      yield next.value
    }
  } catch (error) {
    throw asFileError(error, `reading "${path}"`)
  } finally {
    input.destroy()
  }
}

/** `target`, or a file of a new name in it where it is a directory. */
export async function fileIn(target: string, name: string): Promise<string> {
  const found = await stat(target).catch(() => undefined)
  return found?.isDirectory() === true ? join(target, name) : target
}

export function asFileError(thrown: unknown, doing: string): AetherisError {
  if (isAetherisError(thrown)) return thrown
  const why = thrown instanceof Error ? thrown.message : String(thrown)
  return new AetherisError('STORE_IO', `The disk or the operating system refused while ${doing}: ${why}.`, {
    cause: thrown,
  })
}
