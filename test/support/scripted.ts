import { setImmediate } from 'node:timers/promises'
import { fromPromise } from 'xstate'
import { z } from 'zod'
import type { EffectClass, EventData, EventType, JobEvent } from '../../src/event/event.ts'
import { type ToolContext, type ToolOptions, tool } from '../../src/index.ts'

/** Tools whose every call is answered by the test, and short ways to look at what a job has become. */

interface Call {
  name: string
  input: unknown
  context: ToolContext
  resolve(output: unknown): void
  reject(error: unknown): void
}

/** The outside world of a test: what was called, and the answers that are still owed. */
export class Script {
  /** Every call that ever began, as `name effect`. */
  readonly begun: string[] = []
  private readonly open: Call[] = []

  /** A tool that returns what {@link Script.answer} says. */
  tool(name: string, effect: EffectClass = 'once', options: Partial<ToolOptions<z.ZodAny, z.ZodAny>> = {}) {
    return tool({
      name,
      input: z.any(),
      output: z.any(),
      effect,
      run: (input, context) => {
        this.begun.push(`${name} ${context.effect}`)
        return new Promise((resolve, reject) => this.open.push({ name, input, context, resolve, reject }))
      },
      ...options,
    })
  }

  /** The logic of a promise actor of that id, which gives what {@link Script.answer} says. */
  promise(id: string) {
    return fromPromise(({ input, signal: abortSignal }) => {
      this.begun.push(`promise ${id}`)
      const context = { effect: id, abortSignal } as ToolContext
      return new Promise((resolve, reject) => this.open.push({ name: 'promise', input, context, resolve, reject }))
    })
  }

  /** The oldest call of an effect that is still open. */
  call(effect: string): Call {
    const found = this.open.find(({ context }) => context.effect === effect)
    if (found === undefined)
      throw new Error(`no open call for ${effect}; open: ${this.open.map(({ context }) => context.effect)}`)
    return found
  }

  isOpen(effect: string): boolean {
    return this.open.some(({ context }) => context.effect === effect)
  }

  answer(effect: string, output: unknown = null): void {
    this.take(effect).resolve(output)
  }

  fail(effect: string, error: unknown = new Error('broken')): void {
    this.take(effect).reject(error)
  }

  /** Answers a call as a tool does that heeds its AbortSignal. */
  obey(effect: string): void {
    const call = this.take(effect)
    call.reject(call.context.abortSignal.reason)
  }

  private take(effect: string): Call {
    const call = this.call(effect)
    this.open.splice(this.open.indexOf(call), 1)
    return call
  }
}

interface Eventful {
  events(): AsyncIterable<JobEvent>
}

export async function eventsOf(job: Eventful): Promise<JobEvent[]> {
  const events: JobEvent[] = []
  for await (const event of job.events()) events.push(event)
  return events
}

export async function typesOf(job: Eventful): Promise<string[]> {
  return (await eventsOf(job)).map(({ type }) => type)
}

/** The data of the events of one type. */
export async function dataOf<T extends EventType>(job: Eventful, type: T): Promise<EventData<T>[]> {
  const found = (await eventsOf(job)).filter((event) => event.type === type)
  return found.map(({ data }) => data as EventData<T>)
}

/** Lets everything go on that needs no time. */
export async function turns(count = 30): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await setImmediate()
}
