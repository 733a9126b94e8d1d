import { expect, test } from 'vitest'
import { z } from 'zod'
import { agent, undo } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import type { Commit, JobStore } from '../../src/store/store.ts'
import { type TestRuntime, testRuntime } from '../../src/testing/test-runtime.ts'
import { Script } from '../support/scripted.ts'

/** A job that was started by another one which ends at the very moment: it is never left alone. */

/** Holds the answers to some commits, before or after they are made, until they are released. */
function holding(store: JobStore, isHeld: (commit: Commit) => boolean, when: 'before' | 'after') {
  const held: (() => void)[] = []
  const wait = () => new Promise<void>((resolve) => held.push(resolve))
  const commit = async (each: Commit) => {
    if (!isHeld(each)) return store.commit(each)
    if (when === 'before') await wait()
    const committed = await store.commit(each)
    if (when === 'after') await wait()
    return committed
  }
  const proxy = new Proxy(store, {
    get(target, key) {
      const value: unknown = key === 'commit' ? commit : Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const release = () => {
    for (const go of held.splice(0)) go()
  }
  return { store: proxy, release }
}

/** A parent that is making its child, and is held there. */
async function making(when: 'before' | 'after', options: { detach?: true } = {}) {
  const script = new Script()
  const [inside, other] = [script.tool('inside', 'idempotent'), script.tool('other', 'idempotent')]
  const any = { input: z.any(), output: z.any() }
  const child = agent({ name: 'child', ...any, tools: [inside], plan: (graph) => graph.call('inside', inside, 1) })
  const parent = agent({
    name: 'parent',
    ...any,
    tools: [other],
    agents: [child],
    plan: (graph) => ({
      kid: graph.spawn('kid', child, 1, options as { detach: true }),
      other: graph.call('other', other, 1),
    }),
  })
  const kept = memoryStore()
  const { store, release } = holding(kept, ({ create, lease }) => create !== undefined && lease.jobId !== 'job', when)
  const runtime = await testRuntime({ agents: [parent, child], store })
  const job = await runtime.spawn(parent, null, { id: 'job' })
  await runtime.settle()
  const check = async (last: TestRuntime) => {
    for await (const { id, agent: name } of kept.list()) {
      const events = (await last.job(id)).events()
      expect((await replay(name === 'parent' ? parent : child, events)).divergence).toBeUndefined()
    }
  }
  return { script, kept, runtime, job, release, check }
}

test('a child that was not there yet when its parent was cancelled is told as soon as it is', async () => {
  const { script, runtime, job, release, check } = await making('before')
  await job.cancel()
  await runtime.settle()
  script.obey('other')
  await runtime.settle()
  expect(job.getSnapshot().phase).toBe('cancelling')
  release()
  await runtime.settle()
  const kid = await runtime.job('job/kid')
  expect(kid.getSnapshot().phase).toBe('cancelling')
  script.obey('inside')
  await runtime.settle()
  expect([job.getSnapshot().phase, kid.getSnapshot().phase]).toEqual(['cancelled', 'cancelled'])
  await check(runtime)
})

/** The child comes to be, and is told that nobody wants it. */
async function isLetGo({ script, runtime, release, check }: Awaited<ReturnType<typeof making>>): Promise<void> {
  release()
  await runtime.settle()
  const kid = await runtime.job('job/kid')
  script.obey('inside')
  await runtime.settle()
  expect(kid.getSnapshot().phase).toBe('cancelled')
  await check(runtime)
}

test('and so is one that was not there yet when its parent had ended already', async () => {
  const it = await making('before')
  const { runtime, job } = it
  await job.terminate()
  await runtime.settle()
  expect(job.getSnapshot().phase).toBe('terminated')
  await isLetGo(it)
})

test('or when its parent had waited for it as long as it may', async () => {
  const it = await making('before')
  const { script, runtime, job } = it
  await job.cancel({ graceMs: 1_000 })
  await runtime.settle()
  script.obey('other')
  await runtime.advance(1_000)
  expect(job.getSnapshot().phase).toBe('cancelled')
  await isLetGo(it)
})

test('and so is one whose parent was cancelled, and died before it knew of it', async () => {
  const { runtime, kept, job, check } = await making('after')
  await job.cancel()
  await runtime.settle()
  await using after = await runtime.reopen({ store: kept })
  await after.settle()
  expect((await after.job('job')).getSnapshot().phase).toBe('cancelled')
  expect((await after.job('job/kid')).getSnapshot().phase).toBe('cancelled')
  await check(after)
})

test('and one whose parent died, and is cancelled before it has looked', async () => {
  const { runtime, kept, check } = await making('after')
  const looking = await runtime.reopen({ store: kept, effects: 'hold' })
  await looking.settle()
  await (await looking.job('job')).cancel()
  await looking.settle()
  await using after = await looking.reopen({ effects: 'run' })
  await after.settle()
  expect((await after.job('job')).getSnapshot().phase).toBe('cancelled')
  expect((await after.job('job/kid')).getSnapshot().phase).toBe('cancelled')
  await check(after)
})

test('a child is told once, however often its parent dies afterwards', async () => {
  const { script, runtime, job, kept, release } = await making('before')
  release()
  await runtime.settle()
  await job.cancel()
  await runtime.settle()
  const sent: string[] = []
  const { store } = holding(kept, ({ send = [] }) => sent.push(...send.map(({ kind }) => kind)) < 0, 'before')
  await using after = await runtime.reopen({ store })
  await after.settle()
  script.obey('inside')
  await after.settle()
  expect((await after.job('job')).getSnapshot().phase).toBe('cancelled')
  // Its end alone, told to the parent.
  expect(sent).toEqual(['child'])
})

test('one that is only started gives its parent nothing, also where it ends before the parent knows that it is there', async () => {
  const { script, runtime, kept, check } = await making('after', { detach: true })
  const looking = await runtime.reopen({ store: kept, effects: 'hold' })
  const body = { effect: 'kid', jobId: 'job/kid', end: { type: 'completed', output: 'grown' } }
  await kept.send({ jobId: 'job', id: 'child:kid', at: 0, kind: 'child', body })
  const again = await looking.reopen()
  await again.settle()
  await using after = await again.reopen({ effects: 'run' })
  await after.settle()
  script.answer('other')
  script.answer('other', 'O')
  await after.settle()
  const job = await after.job('job')
  expect(job.getSnapshot().output).toEqual({ kid: { jobId: 'job/kid' }, other: 'O' })
  await check(after)
})

test('a child that has ended as soon as it is there tells its parent, also where that has died meanwhile', async () => {
  const any = { input: z.any(), output: z.any() }
  const child = agent({ name: 'child', ...any, plan: () => 'done' })
  const parent = agent({ name: 'parent', ...any, agents: [child], plan: (graph) => graph.spawn('kid', child, null) })
  const kept = memoryStore()
  const { store } = holding(kept, ({ create, lease }) => create !== undefined && lease.jobId !== 'job', 'after')
  for (const each of [kept, store]) {
    const runtime = await testRuntime({ agents: [parent, child], store: each })
    const id = each === kept ? 'other' : 'job'
    await runtime.spawn(parent, null, { id })
    await runtime.settle()
    await using after = await runtime.reopen({ store: kept })
    await after.settle()
    const job = await after.job(id)
    expect(job.getSnapshot().output).toBe('done')
    expect((await replay(parent, job.events())).divergence).toBeUndefined()
  }
})

test('a child that gives something else than its agent promises fails the node that waits for it', async () => {
  const text = { input: z.any(), output: z.object({ text: z.string() }) }
  const child = agent({ name: 'child', ...text, plan: () => ({ text: 1 }) as never })
  const script = new Script()
  const revert = script.tool('revert', 'idempotent')
  const parent = agent({
    name: 'parent',
    input: z.any(),
    output: z.any(),
    tools: [revert],
    agents: [child],
    plan: (graph) => graph.spawn('kid', child, null, { compensate: () => undo(revert, 1) }),
  })
  const runtime = await testRuntime({ agents: [parent, child] })
  const job = await runtime.spawn(parent, null, { id: 'job' })
  await runtime.settle()
  // It has done what it was to do.
  expect(script.begun).toEqual(['revert job.undo/kid'])
  script.answer('job.undo/kid')
  await runtime.settle()
  expect(job.getSnapshot().error).toMatchObject({ code: 'OUTPUT_INVALID', message: expect.stringContaining('job/kid') })
  expect(job.getSnapshot().nodes).toEqual({ kid: 'failed' })
  expect((await replay(parent, job.events())).divergence).toBeUndefined()
})
