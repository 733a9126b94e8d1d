import { z } from 'zod'
import { agent, tool } from '../../src/index.ts'
import { type ModelOptions, modelTool, reactAgent } from '../../src/models/models.ts'
import { llmPlanner } from '../../src/planners/planners.ts'

/** The three ways in which a job asks a model: as a tool of a plan, for the plan, and to reason and act. */

export const height = tool({
  name: 'height',
  description: 'How high a mountain is, in metres.',
  input: z.object({ of: z.string() }),
  output: z.int(),
  effect: 'read',
  run: ({ of }) => of.length * 1_000,
})

export const question = 'How high is the Eiger?'

export type Asking = 'asks' | 'plans' | 'reacts'

/** Where in a job its model is asked first, and what it is to reply for the job to complete with 5000. */
export const asked: Record<Asking, { effect: string; content: string }> = {
  asks: { effect: 'ask', content: '5000' },
  plans: {
    effect: 'job.planner',
    content: JSON.stringify({
      nodes: [{ id: 'look', kind: 'call', tool: 'height', input: { of: 'Eiger' } }],
      output: { $ref: ['look'] },
    }),
  },
  reacts: { effect: 'think', content: '5000' },
}

export function modelAgents(options: ModelOptions) {
  const ask = modelTool({ name: 'ask', ...options })
  return {
    asks: agent({
      name: 'asks',
      input: z.string(),
      output: z.string(),
      tools: [ask],
      plan: (graph, prompt) => graph.call('ask', ask, { prompt }).text,
    }),
    plans: agent({
      name: 'plans',
      input: z.string(),
      output: z.int(),
      tools: [height],
      planner: llmPlanner(options),
    }),
    reacts: reactAgent({ name: 'reacts', tools: [height], ...options }),
  }
}
