import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { AetherisError, isAetherisError } from '../base/error.ts'
import { levelStore } from '../store/level-store.ts'
import type { Finding, JobStore } from '../store/store.ts'
import { type CommonOptions, type Context, lineToType } from './context.ts'
import { UsageError } from './exit-codes.ts'

export const defaultData = '.aetheris'

/**
 * Opens the data directory, and closes it whatever happens.
 * @throws UsageError when it is not there and `create` is not given: a verb that only looks makes no directory.
 */
export async function withStore<T>(
  context: Context,
  options: CommonOptions,
  use: (store: JobStore, problems: readonly Finding[]) => Promise<T>,
  { create = false } = {},
): Promise<T> {
  const directory = directoryOf(context, options, { create })
  const store = levelStore(directory)
  const { problems } = await store.open()
  try {
    return await use(store, problems)
  } catch (error) {
    const list = lineToType(context, options, 'jobs')
    throw isAetherisError(error, 'JOB_NOT_FOUND') ? notFoundIn(directory, list, error) : error
  } finally {
    await store.close()
  }
}

function notFoundIn(directory: string, list: string, { jobId = '' }: AetherisError): AetherisError {
  const message = `There is no job "${jobId}" in "${directory}". \`${list}\` lists those that are there; --data DIR names another directory.`
  return new AetherisError('JOB_NOT_FOUND', message, { jobId })
}

/** @throws UsageError when it is not there and `create` is not given. */
export function directoryOf({ io }: Context, { data = defaultData }: CommonOptions, { create = false } = {}): string {
  if (data === '') throw new UsageError('--data is empty; name a directory.')
  const directory = resolve(io.cwd, data)
  if (create || isData(directory)) return directory
  throw new UsageError(`There is no data directory at "${directory}". Name one with --data, or make one with \`run\`.`)
}

function isData(directory: string): boolean {
  return existsSync(join(directory, 'db')) || existsSync(join(directory, 'FORMAT'))
}
