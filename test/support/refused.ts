import { readdirSync } from 'node:fs'
import { expect } from 'vitest'
import { inProcess } from './cli.ts'
import { copyOf } from './store-data.ts'

/** Sees a line of the command line refused in a copy of a directory with data, where it leaves everything as it was. */
export async function expectRefused(directory: string, words: readonly string[], message: string): Promise<void> {
  const copy = await copyOf(directory)
  const { code, stdout, stderr } = await inProcess(words, { cwd: copy })
  expect(stderr).toContain(message)
  expect(stdout).toBe('')
  expect(code).toBe(2)
  expect(readdirSync(copy)).toEqual(['.aetheris'])
}
