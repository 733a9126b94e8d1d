import { isAetherisError } from '../base/error.ts'
import { unseal } from './chain.ts'
import { keyParts, keys, under } from './keys.ts'
import { checkCommits, checkWitness, headOf } from './level-check.ts'
import { atOneMoment, collect, type View } from './level-db.ts'
import type { CommitEntry } from './level-draft.ts'
import type { CommitHead } from './level-medium.ts'
import type { Session } from './level-session.ts'
import { caught, Verification, verifyJob } from './level-verify-job.ts'
import type { Finding } from './store.ts'

/**
 * Checks everything that is stored against everything else; changes nothing.
 *
 * It looks at one moment where the database can show one (classic-level can); with others it must not be run while
 * the store is being written to.
 */
export async function* verifySession({ db, medium }: Session, jobId: string | undefined): AsyncGenerator<Finding> {
  // Asked for first: what was witnessed before the moment that is looked at must be in it.
  const { witnessed } = await medium.testimony()
  yield* atOneMoment(db, (view) => (jobId === undefined ? verifyAll(view, witnessed) : verifyOne(view, jobId)))
}

export async function* verifyOne(view: View, jobId: string): AsyncGenerator<Finding> {
  yield* caught('head', jobId, () => verifyJob(new Verification(view), jobId))
}

export async function* verifyAll(view: View, witnessed: CommitHead | undefined): AsyncGenerator<Finding> {
  const verification = new Verification(view)
  yield* caught('record', undefined, () => verifyRecords(view))
  yield* caught('commit', undefined, () => verifyCommits(verification, witnessed))
  // A range that cannot be read to its end does not keep the others from being looked at.
  for (const prefix of ofJobs) yield* caught('record', undefined, () => verifyJobsUnder(verification, prefix))
  for (const jobId of verification.last.keys()) yield* verifyOnce(verification, jobId)
  yield* caught('index', undefined, () => verifyDueTimes(verification))
}

/** The jobs of which there is a trace under a prefix. */
async function* verifyJobsUnder(verification: Verification, prefix: string): AsyncGenerator<Finding> {
  // Jumps from job to job, however many keys one has.
  for (let { gte, lt } = under(prefix); ; ) {
    const [key] = await collect(verification.view.keys({ gte, lt, limit: 1 }))
    if (key === undefined) return
    const jobId = keyParts(key)[0] as string
    yield* verifyOnce(verification, jobId)
    gte = `${prefix}!${jobId}"`
  }
}

async function* verifyOnce(verification: Verification, jobId: string): AsyncGenerator<Finding> {
  if (verification.checked.has(jobId)) return
  verification.checked.add(jobId)
  yield* caught('head', jobId, () => verifyTraced(verification, jobId))
}

/** A key that is damaged may name a job that never was. */
async function* verifyTraced(verification: Verification, jobId: string): AsyncGenerator<Finding> {
  try {
    yield* verifyJob(verification, jobId)
  } catch (error) {
    if (!isAetherisError(error, 'JOB_NOT_FOUND')) throw error
    yield {
      kind: 'record',
      message: `A record names the job ${JSON.stringify(jobId)}, of which nothing else is there.`,
    }
  }
}

/** Ranges in which the part after the prefix is the id of a job. */
const ofJobs = ['j', 'e', 'u', 'T', 'i', 'd', 's', 'b', 'x'] as const
const known: ReadonlySet<string> = new Set([...ofJobs, 't', 'c', 'm'])

/** The records that belong to no job, and keys that nobody has written. */
async function* verifyRecords(view: View): AsyncGenerator<Finding> {
  for (const key of [keys.format, keys.owner]) {
    yield* caught('record', undefined, async () => {
      const value = await view.get(key)
      if (value !== undefined) unseal(key, value)
    })
  }
  for (let gte = ''; ; ) {
    const [key] = await collect(view.keys({ gte, lt: '\uffff', limit: 1 }))
    if (key === undefined) return
    const prefix = key.split('!', 1)[0] as string
    if (!known.has(prefix))
      yield { kind: 'record', message: `The record ${JSON.stringify(key)} is none of this store.` }
    gte = key.includes('!') ? `${prefix}"` : `${key}\0`
  }
}

async function* verifyCommits(verification: Verification, witnessed: CommitHead | undefined): AsyncGenerator<Finding> {
  const { view } = verification
  const head = await headOf(view)
  yield* caught('watermark', undefined, async () => {
    if (witnessed !== undefined) await checkWitness(view, head, witnessed)
  })
  const last = new Map<string, CommitEntry>()
  await checkCommits(view, 1, head.commit, (entries) => {
    for (const entry of entries) last.set(entry[0], entry)
  })
  // Only now: a chain that is broken says nothing about what came last.
  verification.last = last
}

/** The timers of all jobs in order of time, seen from that side. */
async function* verifyDueTimes({ view, timersReported }: Verification): AsyncGenerator<Finding> {
  for await (const chunk of view.entries(under('t'))) {
    for (const [key, value] of chunk) {
      const [dueAt, jobId, timerId] = keyParts(key) as [string, string, string]
      if (timersReported.has(jobId)) continue
      yield* caught('index', jobId, async function* () {
        unseal(key, value)
        const timer = await view.get(keys.timer(jobId, timerId))
        const isSet = timer !== undefined && Number(unseal(keys.timer(jobId, timerId), timer)) === Number(dueAt)
        if (!isSet) yield { kind: 'index', jobId, message: `The due time ${key} belongs to no timer.` }
      })
    }
  }
}
