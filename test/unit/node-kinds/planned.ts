import { z } from 'zod'
import type { AnyAgent } from '../../../src/agent/agent.ts'
import type { Graph } from '../../../src/graph/builder.ts'
import type { Ref } from '../../../src/graph/ref.ts'
import { agent, signal, type ToolOptions } from '../../../src/index.ts'
import type { Script } from '../../support/scripted.ts'
import { limitMs } from './stage.ts'

export const go = signal('go', z.any())

type Work = ReturnType<Script['tool']>

interface Options {
  /** Of the tool `work`. Default: idempotent, one attempt within the limit. */
  work?: Partial<ToolOptions<z.ZodAny, z.ZodAny>>
  agents?: readonly AnyAgent[]
}

/** An agent with a plan: `it`, and then a call of `next`. */
export function planned(script: Script, plan: (graph: Graph, work: Work) => Ref<unknown>, options: Options = {}) {
  const work = script.tool('work', 'idempotent', { timeoutMs: limitMs, retry: { maxAttempts: 1 }, ...options.work })
  const next = script.tool('next', 'idempotent')
  return agent({
    name: 'subject',
    input: z.any(),
    output: z.any(),
    tools: [work, next],
    signals: [go],
    agents: options.agents ?? [],
    plan: (graph) => graph.call('next', next, 1, { after: [plan(graph, work)] }),
  })
}
