import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { limits } from '../../src/base/limits.ts'
import type { Graph } from '../../src/graph/builder.ts'
import { gt, gte } from '../../src/graph/question.ts'
import type { Ref } from '../../src/graph/ref.ts'
import { type Agent, agent, TerminalError, undo } from '../../src/index.ts'
import { replay } from '../../src/replay/replay.ts'
import { type TestRuntimeOptions, testRuntime } from '../../src/testing/test-runtime.ts'
import { dataOf, Script, typesOf } from '../support/scripted.ts'

/** Nodes that are more than a call: choices, loops, maps that may fail in part, jobs of other agents. */

type Plan = (graph: Graph, tools: ReturnType<typeof toolsOf>, input: unknown) => unknown

function toolsOf(script: Script) {
  return {
    work: script.tool('work', 'idempotent'),
    pay: script.tool('pay'),
    revert: script.tool('revert', 'idempotent'),
  }
}

async function started(plan: Plan, options: Partial<TestRuntimeOptions> & { input?: unknown; agents?: Agent[] } = {}) {
  const script = new Script()
  const tools = toolsOf(script)
  const { input = null, agents = [], ...rest } = options
  const it = agent({
    name: 'it',
    input: z.any(),
    output: z.any(),
    tools: Object.values(tools),
    agents,
    graceMs: 1_000,
    plan: (graph, given) => plan(graph, tools, given) as never,
  })
  const runtime = await testRuntime({ agents: [it, ...agents], ...rest })
  const job = await runtime.spawn(it, input, { id: 'job' })
  await runtime.settle()
  const check = async (same = job) => expect((await replay(it, same.events())).divergence).toBeUndefined()
  return { script, runtime, job, check, it }
}

describe('choose', () => {
  const plan: Plan = (graph, { work }, input) => {
    const total = graph.call('total', work, input) as never as Ref<{ sum: number }>
    const done = graph.choose('route', {
      big: { when: gt(total.sum, 100), plan: (way) => ({ by: way.call('review', work, total) }) },
      small: { plan: (way) => ({ by: way.call('auto', work, total) }) },
    })
    return { by: done.by }
  }

  test.each([
    [500, 'review', 'big'],
    [5, 'auto', 'small'],
  ])('%i goes by %s', async (sum, taken, name) => {
    const { script, runtime, job, check } = await started(plan)
    script.answer('total', { sum })
    await runtime.settle()
    script.answer(taken, `by ${taken}`)
    await runtime.settle()
    expect(job.getSnapshot().output).toEqual({ by: `by ${taken}` })
    expect(await dataOf(job, 'node.chosen')).toEqual([{ node: 'route', case: name }])
    expect(script.begun).toEqual(['work total', `work ${taken}`])
    await check()
  })

  test('without a way to go, its nodes are skipped', async () => {
    const { runtime, job, check } = await started((graph, { work }) =>
      graph.choose('route', {
        only: { when: gt(graph.sleep('s', 1) as never, 1), plan: (way) => way.call('x', work, 1) },
      }),
    )
    await runtime.advance(1)
    expect(job.getSnapshot().nodes).toEqual({ s: 'completed', route: 'skipped', x: 'skipped' })
    expect(job.getSnapshot().output).toBeNull()
    await check()
  })
})

describe('loop', () => {
  const plan: Plan = (graph, { work }) =>
    graph.loop<{ n: number }>(
      'grow',
      { n: 0 },
      (inner, state, iteration) => {
        const next = inner.call('add', work, { n: state.n, iteration }) as never as Ref<{ n: number }>
        return { n: next.n }
      },
      { until: (state) => gte(state.n, 3), max: 5 },
    )

  test('runs its plan again and again, on what it gave, until it is over', async () => {
    const { script, runtime, job, check } = await started(plan)
    for (let n = 1; n <= 3; n += 1) {
      expect(script.call(`grow/${n - 1}/add`).input).toEqual({ n: n - 1, iteration: n - 1 })
      script.answer(`grow/${n - 1}/add`, { n })
      await runtime.settle()
    }
    expect(job.getSnapshot().output).toEqual({ n: 3 })
    await check()
  })

  test('fails where max iterations were not enough', async () => {
    const { script, runtime, job, check } = await started(plan)
    for (let n = 0; n < 5; n += 1) {
      script.answer(`grow/${n}/add`, { n: 0 })
      await runtime.settle()
    }
    expect(job.getSnapshot().error).toMatchObject({ code: 'LIMIT_EXCEEDED' })
    await check()
  })

  test('goes on in the middle after a crash, and a failure inside fails it', async () => {
    const { script, runtime, check } = await started(plan, { snapshotEvery: 1 })
    script.answer('grow/0/add', { n: 1 })
    await runtime.settle()
    await using after = await runtime.reopen()
    await after.settle()
    script.answer('grow/1/add', { n: 2 })
    await after.settle()
    const job = await after.job('job')
    expect(job.getSnapshot().pending).toMatchObject([{ effect: 'grow/1/add' }])
    script.answer('grow/1/add', { n: 2 })
    await after.settle()
    script.fail('grow/2/add', new TerminalError('no'))
    await after.settle()
    expect(job.getSnapshot().value).toBe('failed')
    expect(job.getSnapshot().error?.message).toBe('no')
    await check(job as never)
  })

  test('what its iterations have done is undone, latest first', async () => {
    const { script, runtime, job, check } = await started((graph, { work, revert, pay }) => {
      const grown = graph.loop<number>(
        'grow',
        0,
        (inner, state) => inner.call('add', work, state, { compensate: (output) => undo(revert, output) }),
        { until: (state) => gte(state, 2), max: 5 },
      )
      return graph.call('pay', pay, grown)
    })
    script.answer('grow/0/add', 1)
    await runtime.settle()
    script.answer('grow/1/add', 2)
    await runtime.settle()
    script.fail('pay', new TerminalError('no money'))
    await runtime.settle()
    expect(script.call('job.undo/grow/1/add').input).toBe(2)
    script.answer('job.undo/grow/1/add')
    await runtime.settle()
    script.answer('job.undo/grow/0/add')
    await runtime.settle()
    expect(job.getSnapshot().value).toBe('failed')
    await check()
  })
})

describe('map', () => {
  test('collects how each item ended', async () => {
    const { script, runtime, job, check } = await started((graph, { pay }) =>
      graph.map('pay', pay, [1, 2, 3], (item) => item, { onItemFailure: 'collect', concurrency: 2 }),
    )
    script.answer('pay/0', 'a')
    script.fail('pay/1', new TerminalError('no'))
    await runtime.settle()
    script.answer('pay/2', 'c')
    await runtime.settle()
    expect(job.getSnapshot().output).toEqual([
      { status: 'completed', output: 'a' },
      { status: 'failed', error: { name: 'TerminalError', message: 'no' } },
      { status: 'completed', output: 'c' },
    ])
    await check()
  })

  test('that fails calls off the others, and undoes those that were done, latest first', async () => {
    const { script, runtime, job, check } = await started((graph, { pay, revert }) =>
      graph.map('pay', pay, ['a', 'b', 'c', 'd', 'e'], (item) => item, {
        concurrency: 4,
        compensate: (output, item, index) => undo(revert, { output, item, index }),
      }),
    )
    script.answer('pay/1', 'B')
    await runtime.settle()
    script.answer('pay/0', 'A')
    await runtime.settle()
    script.fail('pay/2', new TerminalError('no'))
    await runtime.settle()
    expect(script.call('pay/3').context.abortSignal.aborted).toBe(true)
    script.obey('pay/3')
    await runtime.settle()
    // The last item was under way by then, and is asked to stop as well.
    script.obey('pay/4')
    await runtime.settle()
    expect(script.call('job.undo/pay/0').input).toEqual({ output: 'A', item: 'a', index: 0 })
    script.answer('job.undo/pay/0')
    await runtime.settle()
    expect(script.call('job.undo/pay/1').input).toEqual({ output: 'B', item: 'b', index: 1 })
    script.answer('job.undo/pay/1')
    await runtime.settle()
    expect(job.getSnapshot().error?.message).toBe('no')
    await check()
  })

  test('that is given no list fails: what is under way may end, and what was done is undone', async () => {
    const { script, runtime, job, check } = await started((graph, { work, pay, revert }) => {
      const list = graph.call('list', work, 1, { compensate: (output) => undo(revert, output) })
      graph.call('busy', pay, 1)
      return graph.map('each', pay, list as never, (item) => item)
    })
    script.answer('list', 'no list')
    await runtime.settle()
    expect(job.getSnapshot().nodes).toEqual({ list: 'completed', busy: 'running', each: 'failed' })
    script.obey('busy')
    await runtime.settle()
    expect(script.call('job.undo/list').input).toBe('no list')
    script.answer('job.undo/list')
    await runtime.settle()
    expect(job.getSnapshot().error).toMatchObject({
      code: 'INPUT_INVALID',
      message: expect.stringMatching(/this string/),
    })
    await check()
  })

  test.each([
    ['nothing', undefined],
    ['null', null],
    ['this object', {}],
  ])('that is given %s fails without its plan, where that goes on', async (what, output) => {
    const { script, runtime, job, check } = await started((graph, { work, pay }) => {
      const list = graph.call('list', work, 1) as never as Ref<{ items: number[] }>
      const each = graph.map('each', pay, list.items, (item) => item, { onFailure: 'continue' })
      return { each, next: graph.call('next', work, 1, { after: [each] }) }
    })
    script.answer('list', { items: output })
    await runtime.settle()
    expect(job.getSnapshot().nodes).toMatchObject({ each: 'failed', next: 'running' })
    expect(JSON.stringify(job.getSnapshot().results['each'])).toContain(`gave ${what}`)
    script.answer('next', 1)
    await runtime.settle()
    expect(job.getSnapshot().output).toEqual({ next: 1 })
    await check()
  })

  test.each(['fail', 'collect'] as const)(
    'that is cancelled undoes also the item that nobody knows the outcome of (%s)',
    async (onItemFailure) => {
      const { script, runtime, job, check } = await started((graph, { pay, revert }) =>
        graph.map('pay', pay, ['a', 'b', 'c'], (item) => item, {
          onItemFailure,
          compensate: (output, item) => undo(revert, { id: (output as never as Ref<{ id: string }>).id, item }),
        }),
      )
      script.answer('pay/1', { id: 'B' })
      await runtime.settle()
      await job.cancel()
      await runtime.settle()
      script.obey('pay/2')
      await runtime.advance(1_000)
      expect(await dataOf(job, 'node.outcome_unknown')).toMatchObject([{ effect: 'pay/0', reason: 'cancelled' }])
      expect(script.call('job.undo/pay/0').input).toEqual({ item: 'a' })
      script.answer('job.undo/pay/0')
      await runtime.settle()
      expect(script.call('job.undo/pay/1').input).toEqual({ id: 'B', item: 'b' })
      script.answer('job.undo/pay/1')
      await runtime.settle()
      expect(job.getSnapshot().value).toBe('cancelled')
      await check()
    },
  )

  test('that fails while its plan goes on without it', async () => {
    const { script, runtime, job, check } = await started((graph, { pay, work }) => {
      const paid = graph.map('pay', pay, [1, 2], (item) => item, { onFailure: 'continue' })
      return graph.call('next', work, { paid })
    })
    script.fail('pay/0', new TerminalError('no'))
    await runtime.settle()
    script.obey('pay/1')
    await runtime.settle()
    expect(job.getSnapshot().nodes).toEqual({ pay: 'failed', next: 'running' })
    script.answer('next', 'end')
    await runtime.settle()
    expect(job.getSnapshot().output).toBe('end')
    await check()
  })
})

describe('onFailure', () => {
  test('fail: nothing is undone', async () => {
    const { script, runtime, job, check } = await started((graph, { work, revert, pay }) => {
      const a = graph.call('a', work, 1, { compensate: () => undo(revert, 1) })
      return graph.call('b', pay, a, { onFailure: 'fail' })
    })
    script.answer('a')
    await runtime.settle()
    script.fail('b', new TerminalError('no'))
    await runtime.settle()
    expect(job.getSnapshot().value).toBe('failed')
    expect(script.begun).toEqual(['work a', 'pay b'])
    await check()
  })

  test('continue: the node has no output, and the others go on', async () => {
    const { script, runtime, job, check } = await started((graph, { work, pay }) => {
      const a = graph.call('a', pay, 1, { onFailure: 'continue' })
      return graph.call('b', work, { a })
    })
    script.fail('a', new TerminalError('no'))
    await runtime.settle()
    expect(script.call('b').input).toEqual({})
    script.answer('b', 'fine')
    await runtime.settle()
    expect(job.getSnapshot().output).toBe('fine')
    expect(job.getSnapshot().nodes).toEqual({ a: 'failed', b: 'completed' })
    await check()
  })
})

describe('spawn', () => {
  function family(onParentEnd?: 'cancel' | 'terminate' | 'abandon', detach = false) {
    const script = new Script()
    const work = script.tool('child-work', 'idempotent')
    const child = agent({
      name: 'child',
      input: z.object({ n: z.int() }),
      output: z.any(),
      tools: [work],
      graceMs: 500,
      plan: (graph, { n }) => graph.call('inside', work, n),
    })
    const plan: Plan = (graph, { work: own }) => {
      const options = {
        ...(onParentEnd === undefined ? {} : { onParentEnd }),
        ...(detach ? { detach: true as const } : {}),
      }
      const made = graph.spawn('kid', child, { n: 1 }, options as never)
      const other = graph.call('other', own, 1)
      return { made, other }
    }
    return { child, plan, inside: script }
  }

  test('waits for the output of the child, through crashes of both', async () => {
    const { child, plan, inside } = family()
    const { script, runtime, check } = await started(plan, { agents: [child as never] })
    expect(inside.isOpen('inside')).toBe(true)
    await using after = await runtime.reopen()
    await after.settle()
    const job = await after.job('job')
    expect(job.getSnapshot().pending).toMatchObject([
      { effect: 'kid', status: 'awaiting', childId: 'job/kid' },
      { effect: 'other' },
    ])
    inside.answer('inside', 'first answer is of the dead process')
    inside.answer('inside', 'grown')
    script.answer('other')
    script.answer('other', 'other')
    await after.settle()
    expect(job.getSnapshot().output).toEqual({ made: 'grown', other: 'other' })
    const kid = await after.job('job/kid')
    expect((await dataOf(kid, 'job.created'))[0]?.parent).toEqual({ jobId: 'job', effect: 'kid' })
    expect((await replay(child, kid.events())).divergence).toBeUndefined()
    await check(job as never)
  })

  test('fails when the child fails', async () => {
    const { child, plan, inside } = family()
    const { script, runtime, job, check } = await started(plan, { agents: [child as never] })
    inside.fail('inside', new TerminalError('ill'))
    await runtime.settle()
    script.obey('other')
    await runtime.settle()
    expect(job.getSnapshot().error?.message).toBe('ill')
    await check()
  })

  test.each([
    ['cancel', 'cancelled'],
    ['terminate', 'terminated'],
  ] as const)('a child is told to %s when its parent is cancelled', async (onParentEnd, end) => {
    const { child, plan, inside } = family(onParentEnd)
    const { script, runtime, job, check } = await started(plan, { agents: [child as never] })
    await job.cancel()
    await runtime.settle()
    if (onParentEnd === 'cancel') inside.obey('inside')
    script.obey('other')
    await runtime.settle()
    const kid = await runtime.job('job/kid')
    expect(kid.getSnapshot().value).toBe(end)
    expect(job.getSnapshot().value).toBe('cancelled')
    await check()
  })

  test('a child that is abandoned outlives its parent', async () => {
    const { child, plan, inside } = family('abandon')
    const { script, runtime, job, check } = await started(plan, { agents: [child as never] })
    await job.cancel()
    await runtime.settle()
    script.obey('other')
    await runtime.settle()
    expect(job.getSnapshot().value).toBe('cancelled')
    inside.answer('inside', 'alone')
    await runtime.settle()
    expect(await (await runtime.job('job/kid')).result()).toBe('alone')
    await check()
  })

  test('a child comes from the module of its parent', async () => {
    const { child } = family()
    const parent = agent({
      name: 'parent',
      input: z.any(),
      output: z.any(),
      agents: [child],
      plan: (graph) => graph.spawn('kid', child, { n: 1 }, { detach: true }),
    })
    await using runtime = await testRuntime({ agents: [parent, child] })
    await runtime.spawn(parent, null, { id: 'job', source: 'parent.ts' })
    await runtime.settle()
    expect((await dataOf(await runtime.job('job/kid'), 'job.created'))[0]?.source).toBe('parent.ts')
  })

  test('a detached child is only started', async () => {
    const { child, plan, inside } = family(undefined, true)
    const { script, runtime, job, check } = await started(plan, { agents: [child as never] })
    script.answer('other', 1)
    await runtime.settle()
    expect(job.getSnapshot().output).toEqual({ made: { jobId: 'job/kid' }, other: 1 })
    inside.answer('inside', 'on its own')
    await runtime.settle()
    expect(await (await runtime.job('job/kid')).result()).toBe('on its own')
    await check()
  })
})

describe('revised plans', () => {
  function replanning(script: Script) {
    const work = script.tool('work', 'idempotent')
    const revert = script.tool('revert', 'idempotent')
    const asked: unknown[] = []
    const it = agent({
      name: 'replanner',
      input: z.any(),
      output: z.any(),
      tools: [work, revert],
      planner: {
        name: 'rules',
        plan({ round, previous }) {
          asked.push({ round, results: previous?.results })
          const call = (id: string, input: unknown) => ({
            id,
            kind: 'call' as const,
            tool: 'work',
            input: input as never,
          })
          const compensate = { tool: 'revert', input: { $output: [] } }
          if (round === 1)
            return {
              nodes: [{ ...call('a', 1), compensate }],
              output: null,
              revise: { onSettled: true, onFailure: true },
            }
          if (round === 2)
            return { nodes: [{ ...call('b', { $ref: ['a'] }), compensate }], output: null, revise: { onFailure: true } }
          return { nodes: [call('c', { $ref: ['a'] })], output: { $ref: ['c'] } }
        },
      },
    })
    return { it, asked }
  }

  test('the planner is asked again with the results so far, and history replays across all plans', async () => {
    const script = new Script()
    const { it, asked } = replanning(script)
    const runtime = await testRuntime({ agents: [it], snapshotEvery: 1 })
    const job = await runtime.spawn(it, null, { id: 'job' })
    await runtime.settle()
    script.answer('a', 'A')
    await runtime.settle()
    expect(script.call('b').input).toBe('A')
    script.fail('b', new TerminalError('no'))
    await runtime.settle()
    expect(asked).toEqual([
      { round: 1, results: undefined },
      { round: 2, results: { a: { status: 'completed', output: 'A' } } },
      {
        round: 3,
        results: {
          a: { status: 'completed', output: 'A' },
          b: { status: 'failed', error: { name: 'TerminalError', message: 'no' } },
        },
      },
    ])
    await using after = await runtime.reopen()
    await after.settle()
    script.answer('c')
    await after.settle()
    script.answer('c', 'C')
    await after.settle()
    const same = await after.job('job')
    expect(same.getSnapshot().output).toBe('C')
    expect((await typesOf(same)).filter((type) => type.startsWith('plan.'))).toEqual([
      'plan.requested',
      'plan.adopted',
      'plan.requested',
      'plan.revised',
      'plan.requested',
      'plan.revised',
    ])
    expect((await replay(it, same.events())).divergence).toBeUndefined()
    expect(job.id).toBe('job')
  })

  test('what earlier plans have done is undone as well', async () => {
    const script = new Script()
    const { it } = replanning(script)
    await using runtime = await testRuntime({ agents: [it] })
    const job = await runtime.spawn(it, null, { id: 'job' })
    await runtime.settle()
    script.answer('a', 'A')
    await runtime.settle()
    script.answer('b', 'B')
    await runtime.settle()
    expect(job.getSnapshot().status).toBe('done')
    const other = await runtime.spawn(it, null, { id: 'other' })
    await runtime.settle()
    script.answer('a', 'A')
    await runtime.settle()
    await other.cancel()
    await runtime.settle()
    script.answer('b', 'B')
    await runtime.settle()
    script.answer('job.undo/b')
    await runtime.settle()
    expect(script.call('job.undo/a').input).toBe('A')
    script.answer('job.undo/a')
    await runtime.settle()
    expect(other.getSnapshot().value).toBe('cancelled')
    expect((await replay(it, other.events())).divergence).toBeUndefined()
  })

  test('a planner that is never content is asked a thousand times at most', async () => {
    let asked = 0
    const it = agent({
      name: 'restless',
      input: z.any(),
      output: z.any(),
      planner: {
        name: 'rules',
        plan() {
          asked += 1
          return { nodes: [], output: null, revise: { onSettled: true } }
        },
      },
    })
    await using runtime = await testRuntime({ agents: [it] })
    const job = await runtime.spawn(it, null)
    await job.waitFor(({ status }) => status !== 'active')
    expect(job.getSnapshot().error).toMatchObject({ code: 'LIMIT_EXCEEDED' })
    expect(asked).toBe(limits.planRoundsMax)
  })

  test('a plan that is made in code cannot be asked for again', async () => {
    const { script, runtime, job } = await started((graph, { work }) => graph.call('a', work, 1))
    await expect(job.revise({ by: 'ana' })).rejects.toMatchObject({ code: 'COMMAND_REFUSED' })
    script.answer('a')
    await runtime.settle()
    expect((await typesOf(job)).filter((type) => type.startsWith('plan.'))).toEqual(['plan.requested', 'plan.adopted'])
  })

  test('somebody may ask for another plan while a job runs: what is under way goes on where the new plan has it', async () => {
    const script = new Script()
    const work = script.tool('work')
    const it = agent({
      name: 'live',
      input: z.any(),
      output: z.any(),
      tools: [work],
      planner: {
        name: 'rules',
        plan({ round }) {
          const call = (id: string, input: unknown = 1) => ({
            id,
            kind: 'call' as const,
            tool: 'work',
            input: input as never,
          })
          return round === 1
            ? { nodes: [call('keep'), call('drop'), call('done')], output: null }
            : { nodes: [call('keep'), call('more', { $ref: ['done'] })], output: { $ref: ['more'] } }
        },
      },
    })
    const runtime = await testRuntime({ agents: [it] })
    const job = await runtime.spawn(it, null, { id: 'job' })
    await runtime.settle()
    script.answer('done', 'D')
    await runtime.settle()
    await job.revise({ by: 'ana', reason: 'drop is not needed' })
    await runtime.settle()
    expect(script.call('drop').context.abortSignal.aborted).toBe(true)
    expect(script.call('keep').context.abortSignal.aborted).toBe(false)
    expect(script.begun).toEqual(['work keep', 'work drop', 'work done', 'work more'])
    expect(script.call('more').input).toBe('D')
    script.answer('keep', 'K')
    script.answer('more', 'M')
    await runtime.settle()
    expect(job.getSnapshot().output).toBe('M')
    expect((await replay(it, job.events())).divergence).toBeUndefined()
  })
})
