import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { JobEvent } from '../../src/event/event.ts'
import type { JobSnapshot } from '../../src/replay/job-snapshot.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'
import type { GoldenCase } from './golden-cases.ts'

/** Histories that are kept: a folder a version, in it `NAME.jsonl`, an event a line, and `NAME.json`, what it leads to. */

export interface Golden {
  events: JobEvent[]
  snapshot: unknown
}

export const goldenRoot = join(import.meta.dirname, '../golden')

/** Runs a case and gives what is kept of it: always the same, since time and randomness are simulated. */
export async function record({ agent, others = [], happen }: GoldenCase): Promise<Golden> {
  const first = await testRuntime({ agents: [agent, ...others] })
  const started = await first.spawn(agent, { topic: 'tea', wanted: false }, { id: 'golden' })
  await first.settle()
  await using last = happen === undefined ? first : await happen(first, started)
  await last.settle()
  const job = await last.job('golden')
  const events: JobEvent[] = []
  for await (const event of job.events()) events.push(event)
  return { events, snapshot: looks(job.getSnapshot()) }
}

/** A snapshot as JSON, with the parts of it that are computed. */
export function looks(snapshot: JobSnapshot): unknown {
  return JSON.parse(JSON.stringify({ ...snapshot, nodes: snapshot.nodes }))
}

export function goldenVersions(): string[] {
  return readdirSync(goldenRoot, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
}

export function goldenNames(version: string): string[] {
  return readdirSync(join(goldenRoot, version)).flatMap((file) => (file.endsWith('.jsonl') ? [file.slice(0, -6)] : []))
}

/** The files of a case. */
export function goldenFiles(version: string, name: string): { history: string; looks: string } {
  return { history: join(goldenRoot, version, `${name}.jsonl`), looks: join(goldenRoot, version, `${name}.json`) }
}

export function hasGolden(version: string, name: string): boolean {
  const files = goldenFiles(version, name)
  return existsSync(files.history) || existsSync(files.looks)
}

export function readGolden(version: string, name: string): Golden {
  const files = goldenFiles(version, name)
  const lines = readFileSync(files.history, 'utf8').split('\n')
  return {
    events: lines.flatMap((line) => (line === '' ? [] : [JSON.parse(line)])),
    snapshot: JSON.parse(readFileSync(files.looks, 'utf8')),
  }
}
