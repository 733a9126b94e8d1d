import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { NewEvent } from '../../src/event/event.ts'
import { chainHash, genesisHash, seal, splitHash } from '../../src/store/chain.ts'
import { under } from '../../src/store/keys.ts'
import { verifyDamaged } from '../../src/store/level-inspect.ts'
import { levelStore } from '../../src/store/level-store.ts'
import { all, eventOf, eventsOf } from '../../src/testing/job-store-bench.ts'
import { copyOf, newDirectory, removeDirectories } from '../support/store-data.ts'

/** Each kind of damage, planted with raw writes, and the one finding that it has to give. */

type Level = ClassicLevel<string, string>

let whole: string

beforeAll(async () => {
  whole = await newDirectory()
  const store = levelStore(whole)
  await store.open()
  const payload = 'large '.repeat(2_000)
  const large = { ...eventOf('large'), data: { name: 'go', payload, message: 'm' } } as NewEvent
  const spawned = { ...eventOf('spawned'), type: 'child.spawned', data: { effect: 'go', jobId: 'child' } } as NewEvent
  const create = (jobId: string, events: NewEvent[], more = {}) =>
    store.commit({ lease: { jobId, epoch: 1 }, expectedSeq: 0, create: { agent: 'a', priority: 5 }, events, ...more })
  await create('child', eventsOf('child', 0, 2), { status: 'completed' })
  await create('job', [...eventsOf('job', 0, 2), large, spawned], {
    timers: {
      set: [
        { id: 't', dueAt: 5 },
        { id: 'u', dueAt: 6 },
      ],
    },
    snapshot: { seq: 2, machine: 'm', state: { a: 1 } },
  })
  for (const id of ['m0', 'm1', 'm2']) await store.send({ jobId: 'job', id, at: 1, kind: 'signal', body: {} })
  await store.commit({ lease: { jobId: 'job', epoch: 1 }, expectedSeq: 4, events: eventsOf('job', 4, 1), acks: ['m0'] })
  await create('gone', eventsOf('gone', 0, 2), { status: 'failed' })
  await store.prune(['gone'], 9)
  expect(await all(store.verify())).toEqual([])
  await store.close()
})

afterAll(removeDirectories)

async function change(db: Level, key: string, edit: (text: string) => string): Promise<void> {
  await db.put(key, edit((await db.get(key)) as string))
}

/** With a checksum that fits. */
async function resealed(db: Level, key: string, edit: (text: string) => string): Promise<void> {
  await change(db, key, (value) => seal(key, edit(value.slice(8))))
}

async function keyOf(db: Level, prefix: string): Promise<string> {
  const [key] = await db.keys({ ...under(prefix), limit: 1 }).all()
  return key as string
}

const event = (seq: number) => `e!job!000000000${seq}`
const commit = (n: number) => `c!${String(n).padStart(16, '0')}`

const plants: Record<string, { damage: (db: Level) => Promise<void>; finding: object }> = {
  'an event that was changed': {
    damage: (db) => change(db, event(1), (value) => value.replace('job-1', 'job-x')),
    finding: { kind: 'hash', jobId: 'job', seq: 1 },
  },
  'an event that was changed, with a hash that fits': {
    damage: async (db) => {
      const { hash } = splitHash((await db.get(event(0))) as string)
      await change(db, event(1), (value) => {
        const text = splitHash(value).text.replace('job-1', 'job-x')
        return chainHash(hash, event(1), text) + text
      })
    },
    finding: { kind: 'hash', jobId: 'job', seq: 2 },
  },
  'an event that is missing': { damage: (db) => db.del(event(1)), finding: { kind: 'gap', jobId: 'job', seq: 1 } },
  'the last event is missing': { damage: (db) => db.del(event(4)), finding: { kind: 'head', jobId: 'job', seq: 4 } },
  'a blob that was changed': {
    damage: async (db) => change(db, await keyOf(db, 'b!job'), (text) => text.replace('large', 'small')),
    finding: { kind: 'blob', jobId: 'job', seq: 2 },
  },
  'a blob that is missing': {
    damage: async (db) => db.del(await keyOf(db, 'b!job')),
    finding: { kind: 'blob', jobId: 'job', seq: 2 },
  },
  'a blob that nothing names': {
    damage: (db) => db.put('b!job!unnamed', '1'),
    finding: { kind: 'blob', jobId: 'job' },
  },
  'a row that was changed': {
    damage: (db) => change(db, 'j!job', (value) => value.replace('"running"', '"waiting"').replace('"a"', '"b"')),
    finding: { kind: 'head', jobId: 'job' },
  },
  'an old row': {
    damage: (db) => resealed(db, 'j!job', (text) => text.replace('"seq":5', '"seq":4')),
    finding: { kind: 'head', jobId: 'job' },
  },
  'a row that is missing': { damage: (db) => db.del('j!job'), finding: { kind: 'head', jobId: 'job' } },
  'a row without events': {
    damage: async (db) => {
      for (const seq of [0, 1]) await db.del(`e!child!000000000${seq}`)
    },
    finding: { kind: 'head', jobId: 'child', seq: 0 },
  },
  'a job of which only the commits tell': {
    damage: async (db) => {
      for await (const [key] of db.iterator()) if (/^.!child(!|$)/.test(key)) await db.del(key)
    },
    // Its parent misses it too.
    finding: [
      { kind: 'index', jobId: 'job', seq: 3 },
      { kind: 'head', jobId: 'child', seq: 2 },
    ],
  },
  'events of a job that never was': {
    damage: async (db) => {
      const text = splitHash((await db.get('e!child!0000000000')) as string).text
      await db.put('e!ghost!0000000000', chainHash(genesisHash, 'e!ghost!0000000000', text) + text)
    },
    finding: { kind: 'head', jobId: 'ghost', seq: 1 },
  },
  'something of a job that never was': {
    damage: (db) => db.put('s!ghost!0000000001', 'x'),
    finding: { kind: 'index', jobId: 'ghost' },
  },
  'a job that is not listed as unfinished': {
    damage: (db) => db.del('u!job'),
    finding: { kind: 'index', jobId: 'job' },
  },
  'a job that is listed as unfinished and has ended': {
    damage: (db) => db.put('u!child', seal('u!child', '')),
    finding: { kind: 'index', jobId: 'child' },
  },
  'a list of the unfinished that is damaged': {
    damage: (db) => db.put('u!job', 'x'),
    finding: { kind: 'index', jobId: 'job' },
  },
  'a timer that is missing': { damage: (db) => db.del('T!job!t'), finding: { kind: 'index', jobId: 'job' } },
  'a timer that was changed': {
    damage: (db) => change(db, 'T!job!t', (value) => value.replace(/5$/, '7')),
    finding: { kind: 'index', jobId: 'job' },
  },
  'a due time that is missing': {
    damage: (db) => db.del('t!0000000000000005!job!t'),
    finding: { kind: 'index', jobId: 'job' },
  },
  'a due time that belongs to no timer': {
    damage: (db) => db.put('t!0000000000000008!job!t', seal('t!0000000000000008!job!t', '')),
    finding: { kind: 'index', jobId: 'job' },
  },
  'a message that is missing': {
    damage: (db) => db.del('i!job!0000000001'),
    finding: { kind: 'index', jobId: 'job', message: expect.stringContaining('"m1"') },
  },
  'a message that was changed': {
    damage: (db) => change(db, 'i!job!0000000001', (value) => value.replace('signal', 'cancel')),
    finding: { kind: 'index', jobId: 'job' },
  },
  'the id of a message is missing': {
    damage: (db) => db.del('d!job!m1'),
    finding: { kind: 'index', jobId: 'job', message: expect.stringContaining('"m1"') },
  },
  'the id of a message that was taken is missing': {
    damage: (db) => db.del('d!job!m0'),
    finding: { kind: 'index', jobId: 'job' },
  },
  'a snapshot that was changed': {
    damage: (db) => change(db, 's!job!0000000002', (value) => value.replace('"a":1', '"a":2')),
    finding: { kind: 'snapshot', jobId: 'job', seq: 2 },
  },
  'a snapshot that is missing': {
    damage: (db) => db.del('s!job!0000000002'),
    finding: { kind: 'snapshot', jobId: 'job', seq: 2 },
  },
  'a snapshot that no row names': {
    damage: (db) => db.put('s!job!0000000003', 'x'),
    finding: { kind: 'snapshot', jobId: 'job', seq: 3 },
  },
  'a commit record that was changed': {
    damage: (db) => change(db, commit(2), (value) => value.replace('job', 'jab')),
    finding: { kind: 'commit' },
  },
  'a commit record that is missing': { damage: (db) => db.del(commit(2)), finding: { kind: 'commit' } },
  'the last commit record is missing': {
    damage: (db) => db.del(commit(8)),
    finding: { kind: 'watermark' },
  },
  'a tombstone that is missing': { damage: (db) => db.del('x!gone'), finding: { kind: 'index', jobId: 'gone' } },
  'a tombstone that was changed': { damage: (db) => db.put('x!gone', '00000000' + '8'), finding: { jobId: 'gone' } },
  'a tombstone of a job that is there': {
    damage: (db) => db.put('x!child', seal('x!child', '1')),
    finding: { kind: 'index', jobId: 'child' },
  },
  'the number of openings was changed': { damage: (db) => db.put('m!owner', 'x'), finding: { kind: 'record' } },
  'a record of something else': { damage: (db) => db.put('zoo!x', 'x'), finding: { kind: 'record' } },
}

test.each(Object.keys(plants))('%s', async (name) => {
  const { damage, finding } = plants[name] as (typeof plants)[string]
  const copy = await copyOf(whole)
  const db: Level = new ClassicLevel(join(copy, 'db'))
  await damage(db)
  await db.close()
  const found = await all(verifyDamaged(copy))
  expect(found).toMatchObject(Array.isArray(finding) ? finding : [finding])
  expect(found).toHaveLength(Array.isArray(finding) ? finding.length : 1)
  for (const { jobId, message } of found) if (jobId !== undefined) expect(message).toContain(jobId)
})
