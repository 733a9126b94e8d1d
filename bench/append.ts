import type { JobStore } from 'aetheris'
import { levelStore } from 'aetheris/level'
import {
  type Figure,
  figure,
  inDirectory,
  measure,
  pick,
  pool,
  repeat,
  type Size,
  single,
  type Workload,
} from './helpers.ts'
import { type Batch, RawLevel, Recorder } from './raw.ts'

type Commit = Parameters<JobStore['commit']>[0]

const text = 'x'.repeat(180)

/** A commit of one event of about 300 bytes, the first of its job or a later one. */
function commitOf(jobId: string, seq: number): Commit {
  const id = `${jobId}-${seq}`
  return {
    lease: { jobId, epoch: 1 },
    expectedSeq: seq,
    ...(seq === 0 ? { create: { agent: 'append', priority: 5 }, status: 'running' } : {}),
    events: [
      {
        id,
        type: 'signal.received',
        v: 1,
        at: 1_700_000_000_000 + seq,
        cause: null,
        state: { running: 'go' },
        data: { name: 'go', payload: { text }, message: id },
      },
    ],
  }
}

/** Each job commits its next event as soon as its last one is durable. */
const appendAll = (store: JobStore, jobs: number, from: number, to: number) =>
  pool(jobs, jobs, async (job) => {
    for (let seq = from; seq < to; seq += 1) await store.commit(commitOf(`job-${job}`, seq))
  })

async function recorded(jobs: number, events: number): Promise<Batch[]> {
  return inDirectory(async (directory) => {
    const recorder = new Recorder()
    const store = levelStore(directory, recorder.options)
    await store.open()
    await appendAll(store, jobs, 0, events)
    await store.close()
    return recorder.take()
  })
}

async function compare(jobs: number, events: number, times: number): Promise<Figure[]> {
  const batches = await recorded(jobs, events)
  const runs = await repeat(times, async () => ({
    ours: await inDirectory(async (directory) => {
      const store = levelStore(directory)
      await store.open()
      const reading = await measure(() => appendAll(store, jobs, 0, events))
      await store.close()
      return reading
    }),
    raw: await inDirectory(async (directory) => {
      const raw = new RawLevel(directory)
      await raw.open()
      const reading = await measure(() => raw.writeAll(batches))
      await raw.close()
      return reading
    }),
  }))
  const total = jobs * events
  const what = jobs === 1 ? '1 job' : `${jobs} jobs`
  return [
    figure(`${what}: time over raw`, 'x', runs, ({ ours, raw }) => ours.wallMs / raw.wallMs),
    figure(`${what}: events`, '/s', runs, ({ ours }) => (total * 1000) / ours.wallMs),
    figure(`${what}: CPU an event`, 'ms', runs, ({ ours }) => ours.cpuMs / total),
    single(`${what}: events a sync`, '', total / batches.length),
  ]
}

export const append: Workload = {
  name: 'append',
  about: 'commits of one event by 1, 64 and 256 jobs at a time, over raw LevelDB',
  async run(size: Size) {
    const plans = pick(size, {
      tiny: [
        [1, 3],
        [4, 2],
      ],
      normal: [
        [1, 1_000],
        [64, 150],
        [256, 60],
      ],
    }) as [jobs: number, events: number][]
    const times = pick(size, { tiny: 1, normal: 3 })
    const all = await repeat(plans.length, (index) => compare(...(plans[index] as [number, number]), times))
    return all.flat()
  },
}
