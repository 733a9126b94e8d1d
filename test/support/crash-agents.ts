import { fromPromise, setup } from 'xstate'
import { z } from 'zod'
import type { AnyAgent } from '../../src/agent/agent.ts'
import type { Json } from '../../src/base/json.ts'
import type { EffectClass } from '../../src/event/event.ts'
import { agent, fromMachine, RetryableError, signal, tool } from '../../src/index.ts'
import type { Points } from './crash-points.ts'
import type { World } from './crash-world.ts'

/** Agents of every kind, whose tools and promise actors note in the world what they really do. */

/** Wrong on purpose: what the checker has to find. */
export type Defect = 'acknowledges starts early' | 'repeats once calls'

/**
 * What each job results in, whatever happened on the way. A job has the name of its agent; the one with a `/` in its id
 * is started by another.
 */
export const outputs: Readonly<Record<string, Json>> = {
  chain: { a: 'chain/a', b: 'chain/b', c: 'chain/c' },
  map: { each: [0, 1, 2, 3, 4].map((index) => `map/each/${index}`), all: 'map/all' },
  early: { review: 'yes', after: 'early/after' },
  late: { review: 'yes', after: 'late/after' },
  timers: { slept: 'timers/slept', flaky: 'timers/flaky' },
  planned: { first: 'planned/first', second: 'planned/second' },
  machine: { charged: 'machine/charge', told: 'machine/tell' },
  approved: { paid: 'approved/pay' },
  parent: { child: { deed: 'parent/child/deed' }, after: 'parent/after' },
  'parent/child': { deed: 'parent/child/deed' },
}

/** What `early` and `late` wait for. */
export const review = signal('review', z.object({ answer: z.string() }))

export function agentsOf(world: World, points: Points, defect?: Defect): Record<string, AnyAgent> {
  const tools = toolsOf(world, points, defect)
  const started = kid(tools)
  return {
    chain: chain(tools),
    map: map(tools),
    early: waiting('early', tools),
    late: waiting('late', tools),
    timers: timers(tools),
    planned: planned(tools, points),
    machine: byHand(world, points, defect),
    approved: approved(tools),
    kid: started,
    parent: parent(started, tools),
  }
}

/** The effect class that a call is declared with. */
function declared(effectClass: EffectClass, defect: Defect | undefined): EffectClass {
  return effectClass === 'once' && defect === 'repeats once calls' ? 'idempotent' : effectClass
}

type Tools = ReturnType<typeof toolsOf>

function toolsOf(world: World, points: Points, defect?: Defect) {
  const doing = (name: string, effectClass: EffectClass, failures = 0, approval?: 'always') =>
    tool({
      name,
      ...(approval === undefined ? {} : { approval }),
      input: z.any(),
      output: z.string(),
      effect: declared(effectClass, defect),
      retry: { maxAttempts: 20, initialDelayMs: 5, maxDelayMs: 10 },
      async run(_, { jobId: job, effect, idempotencyKey: key, attempt }) {
        const deed = { job, effect, key, attempt, class: effectClass }
        const before = world.deeds.filter((each) => each.what === 'begin' && each.key === key).length
        world.note({ what: 'begin', ...deed })
        points.reach(`tool ${name}: begun`)
        await turn()
        if (before < failures) throw new RetryableError('not yet')
        world.note({ what: 'end', ...deed })
        points.reach(`tool ${name}: done`)
        return `${job}/${effect}`
      },
    })
  return {
    read: doing('read', 'read'),
    idempotent: doing('idempotent', 'idempotent'),
    once: doing('once', 'once'),
    flaky: doing('flaky', 'idempotent', 1),
    guarded: doing('guarded', 'once', 0, 'always'),
  }
}

const anything = { input: z.any(), output: z.any() }

function chain({ read, once, idempotent }: Tools): AnyAgent {
  return agent({
    ...anything,
    name: 'chain',
    tools: [read, once, idempotent],
    plan(graph) {
      const a = graph.call('a', read, null)
      const b = graph.call('b', once, { a })
      return { a, b, c: graph.call('c', idempotent, { b }) }
    },
  })
}

function map({ idempotent, once }: Tools): AnyAgent {
  return agent({
    ...anything,
    name: 'map',
    tools: [idempotent, once],
    plan(graph) {
      const each = graph.map('each', idempotent, [0, 1, 2, 3, 4], (item) => ({ item }), { concurrency: 2 })
      return { each, all: graph.call('all', once, { each }) }
    },
  })
}

function waiting(name: string, { once }: Tools): AnyAgent {
  return agent({
    ...anything,
    name,
    tools: [once],
    signals: [review],
    plan(graph) {
      const answer = graph.wait('review', review)
      return { review: answer.answer, after: graph.call('after', once, null, { after: [answer] }) }
    },
  })
}

/** A sleep, a wait that times out, and a call that has to be tried again. */
function timers({ once, flaky }: Tools): AnyAgent {
  return agent({
    ...anything,
    name: 'timers',
    tools: [once, flaky],
    signals: [review],
    plan(graph) {
      const nap = graph.sleep('nap', 15)
      const never = graph.wait('never', review, { timeoutMs: 20 })
      const slept = graph.call('slept', once, null, { after: [nap, never] })
      return { slept, flaky: graph.call('flaky', flaky, null) }
    },
  })
}

function planned({ read, once }: Tools, points: Points): AnyAgent {
  return agent({
    ...anything,
    name: 'planned',
    tools: [read, once],
    planner: {
      name: 'slow',
      async plan() {
        points.reach('planner: begun')
        await turn()
        points.reach('planner: done')
        return {
          nodes: [
            { id: 'first', kind: 'call', tool: 'read', input: null },
            { id: 'second', kind: 'call', tool: 'once', input: { $ref: ['first'] } },
          ],
          output: { first: { $ref: ['first'] }, second: { $ref: ['second'] } },
        }
      },
    },
  })
}

function approved({ guarded }: Tools): AnyAgent {
  return agent({
    ...anything,
    name: 'approved',
    tools: [guarded],
    plan: (graph) => ({ paid: graph.call('pay', guarded, null) }),
  })
}

/** It has no `once` call, so that whoever waits for it is never stuck. */
function kid({ idempotent }: Tools): AnyAgent {
  return agent({
    ...anything,
    name: 'kid',
    tools: [idempotent],
    plan(graph) {
      const nap = graph.sleep('nap', 10)
      return { deed: graph.call('deed', idempotent, null, { after: [nap] }) }
    },
  })
}

function parent(started: AnyAgent, { once }: Tools): AnyAgent {
  return agent({
    ...anything,
    name: 'parent',
    tools: [once],
    agents: [started],
    plan(graph) {
      const child = graph.spawn('child', started, null)
      return { child, after: graph.call('after', once, { child }) }
    },
  })
}

/** Calls, a delay, regions, and a child machine that calls. */
function byHand(world: World, points: Points, defect?: Defect): AnyAgent {
  const doing = (name: EffectClass, effect: string) =>
    fromPromise(async () => {
      const deed = { job: 'machine', effect, class: name }
      world.note({ what: 'begin', ...deed })
      points.reach(`promise ${name}: begun`)
      await turn()
      world.note({ what: 'end', ...deed })
      points.reach(`promise ${name}: done`)
      return `machine/${effect}`
    })
  const [charge, look, tell] = [doing('once', 'charge'), doing('read', 'look'), doing('idempotent', 'tell')]
  const child = setup({ actors: { tell } }).createMachine({
    initial: 'telling',
    states: { telling: { invoke: { id: 'tell', src: 'tell', onDone: 'told' } }, told: { type: 'final' } },
    output: { told: 'machine/tell' },
  })
  const machine = setup({ actors: { charge, look, child } }).createMachine({
    initial: 'charging',
    states: {
      charging: { invoke: { id: 'charge', src: 'charge', onDone: 'resting' } },
      resting: { after: { 10: 'both' } },
      both: {
        type: 'parallel',
        states: {
          left: {
            initial: 'looking',
            states: { looking: { invoke: { id: 'look', src: 'look', onDone: 'seen' } }, seen: { type: 'final' } },
          },
          right: {
            initial: 'in',
            states: { in: { invoke: { id: 'child', src: 'child', onDone: 'out' } }, out: { type: 'final' } },
          },
        },
        onDone: 'end',
      },
      end: { type: 'final' },
    },
    output: { charged: 'machine/charge', told: 'machine/tell' },
  })
  return fromMachine('machine', machine, {
    effects: { charge: declared('once', defect), look: 'read', tell: 'idempotent' },
  })
}

/** A turn of the event loop and the disk, so that other jobs get their share meanwhile. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
