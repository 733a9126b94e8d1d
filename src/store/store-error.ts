import { AetherisError } from '../base/error.ts'

/** The errors of every store, in one place so that all stores say the same. */

export function jobNotFound(jobId: string): AetherisError {
  return new AetherisError('JOB_NOT_FOUND', `No job has the id "${jobId}".`, { jobId })
}

export function jobExists(jobId: string): AetherisError {
  return new AetherisError('JOB_EXISTS', `Job "${jobId}" exists already. Choose another id.`, { jobId })
}

export function jobPruned(jobId: string): AetherisError {
  const message = `There was a job "${jobId}" once, which is deleted; its id is never used again. Choose another id.`
  return new AetherisError('JOB_PRUNED', message, { jobId })
}

export function jobUnsettled(jobId: string, status: string): AetherisError {
  const message = `Job "${jobId}" is ${status}; only a job that has ended is deleted.`
  return new AetherisError('COMMAND_REFUSED', message, { jobId })
}

export function jobSettled(jobId: string, status: string): AetherisError {
  return new AetherisError('JOB_SETTLED', `Job "${jobId}" is ${status} and takes no further input.`, { jobId })
}

export function fenced(jobId: string, epoch: number, actual: number): AetherisError {
  return new AetherisError(
    'LEASE_FENCED',
    `Epoch ${epoch} of job "${jobId}" is over: the job was claimed with epoch ${actual}.`,
    { jobId, actual },
  )
}

export function conflict(jobId: string, expectedSeq: number, actual: number): AetherisError {
  const message = `Job "${jobId}" has ${actual} events, not ${expectedSeq}. Read it again.`
  return new AetherisError('COMMIT_CONFLICT', message, { jobId, actual })
}

export function corrupt(message: string, where: { jobId?: string; seq?: number; cause?: unknown } = {}): AetherisError {
  return new AetherisError('STORE_CORRUPT', message, where)
}

export function invalid(message: string): AetherisError {
  return new AetherisError('INPUT_INVALID', message)
}

export function notOpen(): AetherisError {
  return new AetherisError('STORE_CLOSED', 'The store is not open. Call open() first.')
}
