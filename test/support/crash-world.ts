import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { EffectClass } from '../../src/event/event.ts'

/**
 * What is known outside of the data directory: what was acknowledged to somebody, and what tools really did. Written
 * with writeSync, a line at a time, so that it is there whatever happens to the process a moment later.
 */

/** Somebody was told that this is durable. */
export type Ack =
  | { what: 'event'; job: string; id: string; type: string }
  | { what: 'job'; job: string }
  | { what: 'signal'; job: string; message: string }
  | { what: 'approval'; job: string }

/** A tool, or a promise actor, has begun or ended. `attempt` is absent where the code is not told it. */
export interface Deed {
  what: 'begin' | 'end'
  job: string
  effect: string
  class: EffectClass
  key?: string
  attempt?: number
}

export class World {
  private readonly file: string

  /** @param directory beside the data directory, and the same for all processes that follow each other. */
  constructor(directory: string) {
    this.file = join(directory, 'WORLD')
  }

  note(line: Ack | Deed): void {
    const file = openSync(this.file, 'a')
    writeSync(file, `${JSON.stringify(line)}\n`)
    closeSync(file)
  }

  get acks(): Ack[] {
    return this.lines.filter((line): line is Ack => line.what !== 'begin' && line.what !== 'end')
  }

  get deeds(): Deed[] {
    return this.lines.filter((line): line is Deed => line.what === 'begin' || line.what === 'end')
  }

  private get lines(): (Ack | Deed)[] {
    const text = readFileSync(this.file, { encoding: 'utf8', flag: 'a+' })
    return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))
  }
}
