import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { EffectClass } from '../../src/event/event.ts'
import { replay } from '../../src/replay/replay.ts'
import { agentThat, endAll } from '../support/away.ts'
import { type AwayLife, type Living, live } from '../support/away-life.ts'
import { inDirectory } from '../support/crash-run.ts'
import { World } from '../support/crash-world.ts'
import type { OtherAgent, Received, Reply } from '../support/other-agent.ts'

/**
 * A real process on LevelDB asks an external agent, and is killed with SIGKILL in the middle of it. The agent and what
 * the tools did are the truth outside. Then the next process takes over.
 */

afterEach(endAll)

const script = join(import.meta.dirname, '../support/away-child.ts')

/** A process that lives until it is killed. */
class Life {
  readonly deeds: string[] = []
  private readonly child: ChildProcess

  constructor(life: AwayLife) {
    this.child = fork(script, { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    this.child.send(life)
  }

  /** The port of its endpoint, once the process is up. */
  async port(): Promise<number> {
    return (await this.message('port')) as number
  }

  /** Resolves when a tool has begun. */
  async began(): Promise<void> {
    await this.message('deed')
  }

  async kill(): Promise<void> {
    const exit = once(this.child, 'exit')
    this.child.kill('SIGKILL')
    expect((await exit)[1]).toBe('SIGKILL')
  }

  private message(key: string): Promise<unknown> {
    return new Promise((resolve) => {
      const look = (message: Record<string, unknown>) => {
        if (!(key in message)) return
        this.child.off('message', look)
        resolve(message[key])
      }
      this.child.on('message', look)
    })
  }
}

interface Trial {
  effect: EffectClass
  answer: (request: Received, nth: number) => Reply | Promise<Reply>
  stalls?: boolean
  /** When the process is killed. */
  until: (life: Life, other: OtherAgent) => Promise<unknown>
  /** With what comes after. */
  after: (next: Living, other: OtherAgent, world: World) => Promise<void>
}

async function killed({ effect, answer, stalls = false, until, after }: Trial): Promise<void> {
  await inDirectory(async (directory) => {
    const other = await agentThat(answer)
    const life = { directory, url: other.url, effect, port: 0 }
    const first = new Life({ ...life, stalls })
    const [port] = await Promise.all([first.port(), until(first, other)])
    await first.kill()
    const next = await live({ ...life, port })
    try {
      await after(next, other, new World(directory))
      expect((await replay(next.job.agent, next.job.events())).divergence).toBeUndefined()
    } finally {
      await next.close()
    }
  })
}

const posts = (other: OtherAgent) => other.received.filter(({ method }) => method === 'POST')
const never = () => {}

describe('a process that is killed', () => {
  test('while the agent is at work never asks it again by itself', () =>
    killed({
      effect: 'once',
      answer: () => never,
      until: (_, other) => other.until(1),
      async after({ job }, other) {
        await job.waitFor(({ pending }) => pending[0]?.status === 'unknown')
        await job.resolve('trip', { completed: 'home' }, { by: 'ana', reason: 'saw it' })
        expect(await job.result()).toBe('home')
        expect(other.received).toHaveLength(1)
      },
    }))

  test('while an idempotent agent is at work asks it again, under the same key', () =>
    killed({
      effect: 'idempotent',
      answer: (_, nth) => (nth === 1 ? never : { json: { output: 'home' } }),
      until: (_, other) => other.until(1),
      async after({ job }, other) {
        expect(await job.result()).toBe('home')
        const sent = other.received.map(({ headers }) => [headers['idempotency-key'], headers['aetheris-attempt']])
        expect(sent).toEqual([
          ['job/trip', '1'],
          ['job/trip', '2'],
        ])
      },
    }))

  test('while it asks about a task goes on asking', () =>
    killed({
      effect: 'once',
      answer: (_, nth) => [{ status: 202, json: { task: '7' } }, never][nth - 1] ?? { json: { output: 'home' } },
      until: (_, other) => other.until(2),
      async after({ job }, other) {
        expect(await job.result()).toBe('home')
        expect(other.received.map(({ method, path }) => `${method} ${path}`)).toEqual([
          'POST /agent',
          'GET /agent/7',
          'GET /agent/7',
        ])
      },
    }))

  test('as the task was given has kept it, or knows that it does not know', () => {
    let sent = () => {}
    const isSent = new Promise<void>((resolve) => {
      sent = resolve
    })
    const task = JSON.stringify({ task: '7' })
    return killed({
      effect: 'once',
      answer: ({ method }) =>
        method === 'GET'
          ? { json: { output: 'home' } }
          : (response) => response.writeHead(202, { 'Content-Type': 'application/json' }).end(task, sent),
      until: () => isSent,
      async after({ job }, other) {
        const { status, pending } = await job.waitFor(
          (now) => now.status !== 'active' || now.pending[0]?.status === 'unknown',
        )
        expect([status, pending[0]?.status]).toEqual(status === 'done' ? ['done', undefined] : ['active', 'unknown'])
        expect(posts(other)).toHaveLength(1)
      },
    })
  })
})

describe('an agent that calls tools of a process that is killed', () => {
  const call = ({ body: { calls } }: Received, tool: string, wait = 20): Promise<Response> =>
    fetch(`${calls.url}?wait=${wait}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${calls.token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ key: tool, tool, input: null }),
    })

  test('finds what it has called, and nothing is done twice', () => {
    let answered = () => {}
    const isAnswered = new Promise<void>((resolve) => {
      answered = resolve
    })
    return killed({
      effect: 'idempotent',
      async answer(request, nth) {
        const { output } = await (await call(request, 'book')).json()
        answered()
        return nth === 1 ? never : { json: { output } }
      },
      until: () => isAnswered,
      async after({ job }, other, world) {
        expect(await job.result()).toEqual({ by: 'book' })
        expect(posts(other)).toHaveLength(2)
        expect(world.deeds).toHaveLength(1)
      },
    })
  })

  /** Calls while the tools of the process never end, so that it is killed in the middle of one. */
  async function inTheMiddleOf(tool: string, after: (next: Living, request: Received, world: World) => Promise<void>) {
    const lost: unknown[] = []
    await killed({
      effect: 'once',
      stalls: true,
      answer(request) {
        void call(request, tool).catch((error) => lost.push(error))
        return never
      },
      until: (life) => life.began(),
      async after(next, other, world) {
        expect(lost).toHaveLength(1)
        expect(posts(other)).toHaveLength(1)
        await after(next, other.received[0] as Received, world)
      },
    })
  }

  test('in the middle of a call that is once is told that nobody knows', () =>
    inTheMiddleOf('book', async ({ runtime }, request, world) => {
      const job = await runtime.job('job/trip/book')
      await job.waitFor(({ pending }) => pending[0]?.status === 'unknown')
      const standing = await (await call(request, 'book', 0)).json()
      expect(standing).toMatchObject({ status: 'pending', reasons: [{ kind: 'outcome' }] })
      expect(world.deeds).toHaveLength(1)
    }))

  test('in the middle of a call that only reads is answered, as it is made again', () =>
    inTheMiddleOf('look', async (_, request, world) => {
      const standing = await (await call(request, 'look')).json()
      expect(standing).toMatchObject({ status: 'completed', output: { by: 'look' } })
      expect(world.deeds).toHaveLength(2)
    }))
})
