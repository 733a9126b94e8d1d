import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { agent, tool } from '../../src/index.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import type { JobStore } from '../../src/store/store.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'
import { researcher, reviewTimeoutMs } from '../support/agents.ts'

/** A store in memory of which single calls can be held up. */
class SlowStore {
  readonly inner = memoryStore()
  private readonly held = new Map<string, Promise<void>>()

  /** Holds up the next call of `method` until the function that this returns is called. */
  hold(method: keyof JobStore): () => void {
    let release = () => {}
    this.held.set(
      method,
      new Promise((resolve) => {
        release = resolve
      }),
    )
    return release
  }

  readonly store: JobStore = new Proxy(this.inner, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key, target)
      if (typeof value !== 'function') return value
      const held = this.held.get(String(key))
      if (held === undefined) return value.bind(target)
      return async (...args: unknown[]) => {
        this.held.delete(String(key))
        await held
        return value.apply(target, args)
      }
    },
  })
}

async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await setImmediate()
}

async function drain(events: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of events);
}

/** An agent whose one call is answered by the test. */
function heldAgent() {
  const held = { answer: (_: string) => {} }
  const slowly = tool({
    name: 'slowly',
    input: z.any(),
    output: z.string(),
    effect: 'read',
    run: () =>
      new Promise<string>((resolve) => {
        held.answer = resolve
      }),
  })
  const waiter = agent({
    name: 'waiter',
    input: z.any(),
    output: z.string(),
    tools: [slowly],
    plan: (graph) => graph.call('it', slowly, null),
  })
  return { held, waiter }
}

test('whoever looks a job up sees what is durable, not what its runner is about to commit', async () => {
  const { held, waiter } = heldAgent()
  const slow = new SlowStore()
  const before = await testRuntime({ agents: [waiter], store: slow.store })
  await before.spawn(waiter, null, { id: 'a' })
  await before.settle()
  await using after = await before.reopen()
  await after.settle()
  const release = slow.hold('commit')
  held.answer('done')
  await turns()
  const job = await after.job('a')
  expect(job.getSnapshot().status).toBe('active')
  expect(job.getSnapshot().seq).toBe((await slow.inner.get('a'))?.seq)
  release()
  expect(await job.result()).toBe('done')
})

test('what happens while a job is being looked up is not missed', async () => {
  const slow = new SlowStore()
  const before = await testRuntime({ agents: [researcher], store: slow.store })
  await before.spawn(researcher, { topic: 'tea' }, { id: 'a' })
  await before.settle()
  await using after = await before.reopen()
  await after.settle()
  const release = slow.hold('snapshot')
  const looking = after.job('a')
  await turns()
  await after.advance(reviewTimeoutMs)
  expect((await slow.inner.get('a'))?.status).toBe('completed')
  release()
  expect((await looking).getSnapshot().status).toBe('done')
})

test('whoever waits for a job hears that it cannot go on here', async () => {
  const { held, waiter } = heldAgent()
  const store = memoryStore()
  await using runtime = await testRuntime({ agents: [waiter], store })
  const job = await runtime.spawn(waiter, null, { id: 'a' })
  await runtime.settle()
  const waiting = Promise.allSettled([job.result(), drain(job.events({ follow: true }))])
  await store.claim('a') // as another process would
  held.answer('done')
  expect(await waiting).toMatchObject([{ reason: { code: 'LEASE_FENCED' } }, { reason: { code: 'LEASE_FENCED' } }])
  await expect(job.result()).rejects.toMatchObject({ code: 'LEASE_FENCED' })
})
