import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { UsageError } from './exit-codes.ts'
import type { Io } from './io.ts'

/** More than the core takes as one value, so nothing is cut off that could be used. */
const bytesMax = 64 * 1024 * 1024

/** JSON given on the command line: as it is, `@file`, or `-` for stdin. @throws UsageError */
export async function readJson(io: Io, given: string, what: string): Promise<unknown> {
  if (given === '-') return parseJson(await readAll(io), `${what}, read from stdin,`)
  if (!given.startsWith('@')) return parseJson(given, what)
  const path = resolve(io.cwd, given.slice(1))
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${what} cannot be read from "${path}": ${error.code ?? error.message}.`)
  })
  return parseJson(text, `${what}, read from "${path}",`)
}

export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new UsageError(`${what} is not JSON: ${text.trim() === '' ? 'it is empty' : (error as Error).message}.`)
  }
}

async function readAll({ stdin }: Io): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stdin) {
    chunks.push(Buffer.from(chunk as Uint8Array))
    bytes += chunks.at(-1)?.length ?? 0
    if (bytes > bytesMax)
      throw new UsageError(`stdin gives more than ${bytesMax} bytes; pass the name of a file in the input.`)
  }
  return Buffer.concat(chunks).toString('utf8')
}
