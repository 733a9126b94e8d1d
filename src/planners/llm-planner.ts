import { z } from 'zod'
import type { Described } from '../agent/catalogue.ts'
import { NoPlan, type Planner, type PlanRequest } from '../agent/planner.ts'
import { AetherisError } from '../base/error.ts'
import type { Json } from '../base/json.ts'
import { taskGraphSchema } from '../graph/graph.ts'
import { callModel, checkModel, type ModelOptions, modelName } from '../models/call-model.ts'
import { jsonIn, type ModelReply } from '../models/reply.ts'
import type { Message, ModelRequest } from '../models/request.ts'
import { guide } from './guide.ts'

export interface LlmPlannerOptions extends ModelOptions {
  /** What it is to keep in mind when it plans, beside how a plan is written. */
  instructions?: string
  /** How often it may answer until its answer is a valid plan. Default 3. */
  maxRounds?: number
  /** Time for one answer, in milliseconds. Default 10 minutes. */
  timeoutMs?: number
  maxOutputTokens?: number
  temperature?: number
}

const settingsSchema = z.object({
  maxRounds: z.int().min(1).max(100).default(3),
  timeoutMs: z.int().min(1).default(600_000),
})

/**
 * A planner that asks a model for the TaskGraph. It is shown the tools, signals and agents that a plan may name, the
 * JSON Schema of a plan, and the results so far. What it answers is checked like any plan; where it is none, the
 * problems go back to it, and each answer is an event (`plan.rejected`).
 *
 * @throws AetherisError AGENT_INVALID
 */
export function llmPlanner({ instructions, ...options }: LlmPlannerOptions): Planner {
  checkModel('llmPlanner', options)
  const parsed = settingsSchema.safeParse(options)
  if (!parsed.success)
    throw new AetherisError('AGENT_INVALID', `llmPlanner is not valid: ${z.prettifyError(parsed.error)}`)
  const { maxRounds, timeoutMs } = parsed.data
  const { maxOutputTokens, temperature } = options
  return {
    name: modelName(options.model),
    timeoutMs,
    answersMax: maxRounds,
    async plan(request) {
      const reply = await callModel(
        options,
        {
          system: instructions === undefined ? guide : `${guide}\n\n${instructions}`,
          messages: conversation(request),
          responseFormat: { name: 'TaskGraph', schema: planSchema() },
          ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
          ...(temperature === undefined ? {} : { temperature }),
        },
        request,
      )
      return planIn(reply)
    },
  }
}

let schema: Json | undefined

function planSchema(): Json {
  schema ??= z.toJSONSchema(taskGraphSchema, {
    target: 'draft-7',
    io: 'input',
    unrepresentable: 'any',
  }) as unknown as Json
  return schema
}

/** What the model is told: the task, and each answer that was no plan, with what is wrong with it. */
function conversation(request: PlanRequest): NonNullable<ModelRequest['messages']> {
  const said: Message[] = [{ role: 'user', content: task(request) }]
  for (const { answer, issues } of request.rejected) {
    const list = issues.map(
      ({ path, message }) => `- at ${path.length === 0 ? 'the plan itself' : path.join('.')}: ${message}`,
    )
    said.push({ role: 'assistant', content: answer === '' ? '(nothing)' : answer })
    said.push({ role: 'user', content: ['This is no valid plan:', ...list, 'Give the whole plan again.'].join('\n') })
  }
  return said
}

function task({ input, tools, signals, agents, round, previous }: PlanRequest): string {
  const sections = [
    section('The input of the job', JSON.stringify(input)),
    section('Tools', catalogue(tools)),
    section('Signals', signals.map((name) => `- ${name}`).join('\n')),
    section('Agents', catalogue(agents)),
  ]
  if (previous !== undefined) {
    const results = Object.entries(previous.results).map(([node, result]) => `- ${node}: ${JSON.stringify(result)}`)
    sections.push(
      section(`Plan ${round - 1}`, JSON.stringify(previous.graph)),
      section('What came of it', results.join('\n')),
    )
    sections.push(
      `This is to be plan ${round}. Name only nodes that are new or not done yet; it may refer to all that is done.`,
    )
  }
  return sections.filter((part) => part !== '').join('\n\n')
}

function section(title: string, body: string): string {
  return body === '' ? '' : `# ${title}\n${body}`
}

function catalogue(list: readonly Described[]): string {
  return list
    .map(({ name, description, input, output }) => {
      const about = description === undefined ? '' : `: ${description}`
      return `- ${name}${about}\n  input: ${JSON.stringify(input)}\n  output: ${JSON.stringify(output)}`
    })
    .join('\n')
}

function planIn({ text, finishReason }: ModelReply): never | ReturnType<Planner['plan']> {
  const refuse = (code: string, message: string) => new NoPlan(text, [{ path: [], code, message }])
  if (finishReason === 'content-filter') return refuse('refused', 'The provider of the model has withheld the answer.')
  const json = jsonIn(text)
  if (json !== undefined) return json as never
  if (finishReason === 'length') return refuse('cut_off', 'The answer was cut off. Give a shorter plan.')
  return refuse('not_json', 'The answer is no JSON. Give the JSON of the plan alone, without anything around it.')
}
