import { assign, setup } from 'xstate'
import { AetherisError, type ErrorData } from '../src/base/error.ts'
import type { Json } from '../src/base/json.ts'
import { inert } from './inert.ts'
import { type MapInput, type MapOutcome, mapMachine } from './map.ts'

/**
 * A model that reasons and acts: it thinks, asks for tools, sees what they gave, and thinks again, until it answers.
 * (The loop is that of ReAct: Yao et al., 2022, arXiv:2210.03629.)
 *
 * What was said is kept as turns, and only the last of them: what a step costs does not grow with the conversation,
 * and the older turns are in the history.
 */

/** A message of a conversation, in the form that the model is given. */
export type ReactMessage = { role: string; content: Json }

export interface ReactSettings {
  /** The tool that asks the model. */
  model: string
  system?: string
  /** What the model may ask for. */
  tools: readonly { name: string; description?: string; inputSchema: Json }[]
  /** Times that the model is asked; the last time it may not ask for tools. */
  stepsMax: number
  /** Calls that one reply may ask for; further ones are refused. */
  callsMax: number
  /** Calls under way at a time. */
  concurrency: number
  /** Turns that the model is shown. */
  turnsKept: number
  /** Characters of one result that the model is shown. */
  resultCharactersMax: number
  /** Asks for an answer of this JSON Schema. */
  format?: Json
}

/** How the conversation begins, and when it ends. Pure. */
export interface ReactRules {
  open(input: Json): ReactMessage[]
  /** What an answer comes to, or what is wrong with it. */
  read(text: string): { output: Json } | { problem: string }
}

interface ToolCall {
  id: string
  name: string
  input?: Json
  invalid?: string
}

interface Reply {
  text: string
  toolCalls: ToolCall[]
  content: Json
  finishReason: string
}

export interface ReactContext {
  opening: readonly ReactMessage[]
  turns: readonly (readonly ReactMessage[])[]
  /** Turns that are no longer kept. */
  dropped: number
  steps: number
  /** What the last reply asks for. */
  calls: readonly ToolCall[]
  output: Json
}

export function reactMachine(settings: ReactSettings, { open, read }: ReactRules) {
  const known = new Set(settings.tools.map(({ name }) => name))
  const isCallable = ({ name, input }: ToolCall, index: number) =>
    known.has(name) && input !== undefined && index < settings.callsMax
  return setup({
    types: { context: {} as ReactContext, input: {} as Json },
    actors: { think: inert('call'), act: mapMachine },
    guards: {
      asksForTools: ({ context, event }) => replyIn(event).toolCalls.length > 0 && context.steps < settings.stepsMax,
      answers: ({ event }) => problemOf(replyIn(event), read) === undefined,
      mayTryAgain: ({ context }) => context.steps < settings.stepsMax,
    },
    actions: {
      count: assign({ steps: ({ context }) => context.steps + 1 }),
      keepCalls: assign(({ context, event }) => {
        const { toolCalls, content } = replyIn(event)
        return { calls: toolCalls, ...withTurn(context, [{ role: 'assistant', content }], settings.turnsKept) }
      }),
      keepResults: assign(({ context, event }) => {
        const { output } = (event as unknown as { output: MapOutcome }).output
        const results = [...output]
        const content = context.calls.map((call, index) => {
          const given = isCallable(call, index)
            ? resultOf(results.shift() as MapResult)
            : refusalOf(call, known, settings)
          return { type: 'tool-result', toolCallId: call.id, toolName: call.name, output: cut(given, settings) }
        })
        return { calls: [], ...withMessage(context, { role: 'tool', content: content as unknown as Json }) }
      }),
      keepAnswer: assign(({ event }) => {
        const answer = read(replyIn(event).text)
        return 'output' in answer ? { output: answer.output } : {}
      }),
      askAgain: assign(({ context, event }) => {
        const reply = replyIn(event)
        const problem = problemOf(reply, read) as string
        const turn = [
          { role: 'assistant', content: reply.content },
          { role: 'user', content: problem },
        ]
        return withTurn(context, turn, settings.turnsKept)
      }),
      giveUp: assign(({ event }) => {
        const why = problemOf(replyIn(event), read) ?? 'It asked for tools once more.'
        throw new AetherisError('LIMIT_EXCEEDED', `The model gave no answer in ${settings.stepsMax} steps. ${why}`)
      }),
    },
  }).createMachine({
    id: 'react',
    meta: { settings },
    context: ({ input }) => ({ opening: open(input), turns: [], dropped: 0, steps: 0, calls: [], output: null }),
    initial: 'thinking',
    states: {
      thinking: {
        entry: 'count',
        invoke: {
          id: 'think',
          src: 'think',
          input: ({ context }) => ({ tool: settings.model, input: requestOf(context, settings) }),
          onDone: [
            { guard: 'asksForTools', target: 'acting', actions: 'keepCalls' },
            { guard: 'answers', target: 'answered', actions: 'keepAnswer' },
            { guard: 'mayTryAgain', target: 'thinking', reenter: true, actions: 'askAgain' },
            { target: 'exhausted', actions: 'giveUp' },
          ],
        },
      },
      acting: {
        invoke: {
          id: 'act',
          src: 'act',
          input: ({ context }): MapInput => ({
            items: context.calls.filter(isCallable).map(({ name, input }) => ({ tool: name, input })),
            concurrency: settings.concurrency,
            collect: true,
            undoable: false,
          }),
          onDone: { target: 'thinking', actions: 'keepResults' },
        },
      },
      answered: { type: 'final' },
      exhausted: {},
    },
    output: ({ context }) => context.output,
  })
}

function replyIn(event: unknown): Reply {
  return (event as { output: Reply }).output
}

/** What the model is to be told about a reply that is no answer; undefined where it is one. */
function problemOf({ text, toolCalls, finishReason }: Reply, read: ReactRules['read']): string | undefined {
  if (toolCalls.length > 0) return 'You may ask for no more tools. Answer with what you know.'
  if (finishReason === 'length') return 'Your answer was cut off. Give a shorter one.'
  const answer = read(text)
  return 'problem' in answer ? answer.problem : undefined
}

function requestOf({ opening, turns, dropped, steps }: ReactContext, settings: ReactSettings): Json {
  const { system, tools, stepsMax, format } = settings
  const gap = dropped === 0 ? [] : [{ role: 'user', content: `(${dropped} earlier turns are left out here.)` }]
  const request = {
    ...(system === undefined ? {} : { system }),
    messages: [...opening, ...gap, ...turns.flat()],
    ...(tools.length === 0 ? {} : { tools, toolChoice: steps < stepsMax ? 'auto' : 'none' }),
    ...(format === undefined ? {} : { responseFormat: { name: 'answer', schema: format } }),
  }
  return request as unknown as Json
}

function withTurn(context: ReactContext, turn: readonly ReactMessage[], kept: number): Partial<ReactContext> {
  const turns = [...context.turns, turn]
  const gone = Math.max(0, turns.length - kept)
  return { turns: turns.slice(gone), dropped: context.dropped + gone }
}

/** With one more message in the last turn. */
function withMessage({ turns }: ReactContext, message: ReactMessage): Partial<ReactContext> {
  return { turns: [...turns.slice(0, -1), [...(turns.at(-1) ?? []), message]] }
}

type MapResult = { status: 'completed'; output: Json } | { status: 'failed'; error: ErrorData }
type ToolResult = { type: 'json'; value: Json } | { type: 'error-text'; value: string }

function resultOf(result: MapResult): ToolResult {
  if (result.status === 'completed') return { type: 'json', value: result.output }
  return { type: 'error-text', value: `${result.error.name}: ${result.error.message}` }
}

function refusalOf({ name, invalid }: ToolCall, known: ReadonlySet<string>, { callsMax }: ReactSettings): ToolResult {
  if (!known.has(name)) return refusal(`There is no tool "${name}". There are: ${[...known].join(', ') || 'none'}.`)
  if (invalid !== undefined) return refusal('The input of this call is no JSON.')
  return refusal(`Not called: a reply may ask for ${callsMax} calls.`)
}

function refusal(value: string): ToolResult {
  return { type: 'error-text', value }
}

/** A result that is longer than the model is shown, as the begin of its text. */
function cut(result: ToolResult, { resultCharactersMax: max }: ReactSettings): ToolResult {
  const text = typeof result.value === 'string' ? result.value : JSON.stringify(result.value)
  if (text.length <= max) return result
  const begin = `${text.slice(0, max).toWellFormed()}… (${text.length - max} characters more)`
  return { ...result, value: begin }
}
