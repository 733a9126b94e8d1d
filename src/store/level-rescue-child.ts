import { ClassicLevel } from 'classic-level'

/**
 * A process of its own, since LevelDB aborts on some damage: copies every entry that LevelDB can still read into a new
 * database. Arguments: `open`, or `repair` for LevelDB's own repair first; the damaged database, which is a copy and
 * may be changed; the new one. What could not be read goes to stdout, a JSON array of sentences.
 */

const [mode, from, to] = process.argv.slice(2) as [string, string, string]
if (mode === 'repair') await ClassicLevel.repair(from)
const damaged = new ClassicLevel<string, string>(from, { createIfMissing: false })
await damaged.open()
const rescued = new ClassicLevel<string, string>(to, { errorIfExists: true })
const problems: string[] = []

/** Copies from `gte` on. Gives the last key that was read, where something after it cannot be. */
async function copyFrom(gte: string): Promise<{ stuckAfter: string } | undefined> {
  let last = gte
  const iterator = damaged.iterator({ gte })
  try {
    for (let chunk = await iterator.nextv(1000); chunk.length > 0; chunk = await iterator.nextv(1000)) {
      await rescued.batch(chunk.map(([key, value]) => ({ type: 'put', key, value })))
      last = chunk.at(-1)?.[0] ?? last
    }
    return undefined
  } catch (error) {
    problems.push(`LevelDB cannot read what follows "${last}": ${error instanceof Error ? error.message : error}.`)
    return { stuckAfter: last }
  } finally {
    await iterator.close()
  }
}

/** Where to go on behind a place that cannot be read: the next job in the same range, then the next range. */
function* behind(key: string): Generator<string> {
  const [range = '', jobId = ''] = key.split('!')
  if (jobId !== '') yield `${range}!${jobId}"`
  for (const next of ['T', 'b', 'c', 'd', 'e', 'i', 'j', 'm', 's', 't', 'u', 'x']) if (next > range) yield `${next}!`
}

let stuck = await copyFrom('')
while (stuck !== undefined) {
  const { stuckAfter } = stuck
  for (const place of behind(stuckAfter)) {
    stuck = await copyFrom(place)
    // It has read something, so a way on is looked for from there.
    if (stuck === undefined || stuck.stuckAfter > place) break
  }
  if (stuck !== undefined && stuck.stuckAfter <= stuckAfter) break
}
await rescued.close()
process.stdout.write(JSON.stringify([...new Set(problems)]))
