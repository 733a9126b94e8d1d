import { describe, expect, test } from 'vitest'
import type { JobEvent } from '../../src/event/event.ts'
import { parseEvent } from '../../src/event/event.ts'
import { replay } from '../../src/replay/replay.ts'
import { verifyChain } from '../../src/store/chain.ts'
import { goldenNames, goldenVersions, looks, readGolden, record } from '../support/golden.ts'
import { goldenCases } from '../support/golden-cases.ts'

/**
 * Histories that earlier versions have written lead to the same jobs today.
 * A failure here is a break of the promise to read every event for ever: mend the code, not the files.
 */

const kept = goldenVersions().flatMap((version) => goldenNames(version).map((name) => ({ version, name })))

describe.each(kept)('$version $name', ({ version, name }) => {
  const { events, snapshot } = readGolden(version, name)

  test('is whole, and every event is one that we know', () => {
    expect(verifyChain(events)).toBeUndefined()
    for (const event of events) expect(parseEvent(event)).toEqual(event)
  })

  test('replays, and leads to what it led to', async () => {
    const { agent } = goldenCases[name] ?? {}
    if (agent === undefined)
      throw new Error(`The case "${name}" was taken out; its history has to be replayed for ever.`)
    const past = await replay(agent, events)
    expect(past.divergence).toBeUndefined()
    // What snapshots have gained since is no part of the promise.
    expect(looks(past.snapshot)).toMatchObject(snapshot as object)
  })
})

test('there are histories of every case', () => {
  const names = new Set(kept.map(({ name }) => name))
  expect([...names].sort()).toEqual(Object.keys(goldenCases).sort())
})

test('a case gives the same history each time, so that keeping it again would change nothing', async () => {
  for (const each of Object.values(goldenCases)) expect(await record(each)).toEqual(await record(each))
})

describe('a history that was changed', () => {
  const { agent } = goldenCases['chain'] as (typeof goldenCases)[string]
  const { events } = readGolden('0.1.0', 'chain')
  const changed = (seq: number, fields: object) =>
    events.map((event) => (event.seq === seq ? { ...event, ...fields } : event)) as JobEvent[]

  test('is not whole', () => {
    expect(verifyChain(changed(3, { at: 1 }))).toMatchObject({ kind: 'hash', seq: 3 })
    expect(verifyChain(events.toSpliced(3, 1))).toMatchObject({ kind: 'gap', seq: 3 })
  })

  test('does not replay', async () => {
    const at = events.findIndex(({ type }) => type === 'node.completed')
    const output = { effect: 'first', attempt: 1, output: { seen: 'something else' } }
    expect((await replay(agent, changed(at, { state: 'completed' }))).divergence).toMatchObject({
      seq: at,
      path: 'state',
    })
    expect((await replay(agent, changed(at, { data: output }))).divergence).toMatchObject({
      path: 'data.input.about.seen',
    })
  })
})
