import { z } from 'zod'
import type { PlanRequest } from '../../src/agent/planner.ts'
import type { EffectClass } from '../../src/event/event.ts'
import type { TaskGraph } from '../../src/graph/graph.ts'
import { agent, RetryableError, signal, TerminalError, type ToolContext, tool } from '../../src/index.ts'
import { outputOf } from './plans-model.ts'

/** The world in which sampled plans are run: what really happened there, and the agent that acts in it. */

/** What happened outside. Survives crashes, as the outside does. */
export class World {
  /** In order: each call as it begins and as it returns its value. */
  readonly log: {
    what: 'begin' | 'end'
    job: string
    effect: string
    key: string
    attempt: number
    class: EffectClass
  }[] = []
  /** From now on every call succeeds. */
  isHealed = false
  private readonly failures = new Map<string, number>()
  /** Calls under way now, and the most there ever were. */
  underWay = 0
  underWayMax = 0

  begin(context: ToolContext, effectClass: EffectClass): void {
    this.underWay += 1
    this.underWayMax = Math.max(this.underWayMax, this.underWay)
    this.note('begin', context, effectClass)
  }

  note(what: 'begin' | 'end', { jobId, effect, idempotencyKey, attempt }: ToolContext, effectClass: EffectClass): void {
    this.log.push({ what, job: jobId, effect, key: idempotencyKey, attempt, class: effectClass })
  }

  /** Whether this attempt of `key` is one of its first `count`. */
  failsYet(key: string, count: number): boolean {
    const failed = this.failures.get(key) ?? 0
    if (failed >= count) return false
    this.failures.set(key, failed + 1)
    return true
  }
}

const script = z.object({ failures: z.number(), end: z.enum(['ok', 'terminal', 'always']) })
const callInput = z.object({
  script,
  from: z.array(z.any()),
  /** Of a map. */
  item: z.any().optional(),
  index: z.any().optional(),
  /** Of a loop. */
  iteration: z.number().optional(),
  failAt: z.number().optional(),
})

const retry = { maxAttempts: 4, initialDelayMs: 100 }

/** What calls go through in the world, before and after they take effect; may take its time, throw, or never end. */
export interface Ways {
  before?(context: ToolContext): Promise<void>
  after?(context: ToolContext): Promise<void>
  /** Makes every plan after the first. Default: the first one again. */
  replan?(request: PlanRequest): TaskGraph
}

/** The agent whose input is the plan that it runs. */
export function planRunner(world: World, { before, after, replan }: Ways = {}) {
  const doing = (effect: EffectClass) =>
    tool({
      name: `do-${effect}`,
      input: callInput,
      output: z.any(),
      effect,
      async run({ script: { end, failures }, from, item, index, iteration, failAt }, context) {
        world.begin(context, effect)
        try {
          await before?.(context)
          const isLast = failAt !== undefined && failAt === iteration
          if (!world.isHealed && (end === 'terminal' || isLast)) throw new TerminalError('never')
          if ((!world.isHealed && end === 'always') || world.failsYet(context.idempotencyKey, failures))
            throw new RetryableError('not yet')
          world.note('end', context, effect)
          await after?.(context)
          return outputOf(context.effect, item === undefined ? from : [...from, item, index])
        } finally {
          world.underWay -= 1
        }
      },
    })
  const undo = tool({
    name: 'undo',
    input: z.any(),
    output: z.null(),
    effect: 'idempotent',
    async run(_, context) {
      world.begin(context, 'idempotent')
      await before?.(context)
      world.note('end', context, 'idempotent')
      world.underWay -= 1
      return null
    },
  })
  const tools = { read: doing('read'), idempotent: doing('idempotent'), once: doing('once') }
  const child = agent({
    name: 'plan-child',
    input: z.object({
      script: script.extend({ class: z.enum(['read', 'idempotent', 'once']) }),
      from: z.array(z.any()),
    }),
    output: z.any(),
    tools: Object.values(tools),
    plan: (graph, input) => graph.call('inside', tools[input.script.class], input, { retry }),
  })
  return agent({
    name: 'plan-runner',
    input: z.any(),
    output: z.any(),
    tools: [...Object.values(tools), undo],
    agents: [child],
    signals: Array.from({ length: 20 }, (_, index) => signal(`go-n${index}`, z.any())),
    planner: {
      name: 'given',
      plan: (request) =>
        request.round > 1 && replan !== undefined ? replan(request) : (request.input as unknown as TaskGraph),
    },
  })
}
