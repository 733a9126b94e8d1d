import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import type { AnyTool } from '../../src/agent/tool.ts'
import { isAetherisError } from '../../src/base/error.ts'
import type { Json } from '../../src/base/json.ts'
import { parseCommand } from '../../src/event/command.ts'
import { type JobEvent, parseEvent } from '../../src/event/event.ts'
import type { Condition } from '../../src/graph/condition.ts'
import { conditionIssues, holds } from '../../src/graph/condition.ts'
import { checkGraph } from '../../src/graph/validate.ts'
import { callEndpoint, exposeTools, type Handler } from '../../src/http/http.ts'
import { agent, openRuntime, tool } from '../../src/index.ts'
import { modelTool } from '../../src/models/models.ts'
import type { GeneratedReply, ModelPort, StreamedPart } from '../../src/models/port.ts'
import { replay } from '../../src/replay/replay.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'
import { agents as agentsModule, inProcess } from './cli.ts'
import { made } from './hostile.ts'
import { fastFolder } from './store-data.ts'

/** One thing that comes in from outside. Without a code it is harmless: taken, and nothing comes of it. */
export interface Entry {
  name: string
  code?: string
  [part: string]: unknown
}

/** Where things come in. Each gives the code of the refusal, or undefined; what else is thrown is a mistake of ours. */
export const boundaries: Readonly<Record<string, (entry: Entry) => Promise<string | undefined>>> = {
  plans: async ({ plan }) => checkGraph(plan, knownNames).issues?.[0]?.code,
  conditions,
  events: async ({ event }) => refusal(() => parseEvent(made(event))),
  commands: async ({ kind, body }) => refusal(() => parseCommand(String(kind), made(body))),
  inputs: async ({ value }) => input(made(value)),
  results: async ({ value }) => result(made(value)),
  replies,
  requests,
  lines,
}

/** The file of entries of a boundary; inputs and results share theirs. */
export const filesOf: Readonly<Record<string, string>> = { inputs: 'values', results: 'values' }

const knownNames = { tools: new Set(['fetch']), signals: new Set(['approval']), agents: new Set(['child']) }

async function refusal(act: () => unknown): Promise<string | undefined> {
  try {
    await act()
    return undefined
  } catch (error) {
    if (isAetherisError(error)) return error.code
    throw error
  }
}

/** A condition is answered whatever it is, also where it is refused. */
async function conditions(entry: Entry): Promise<string | undefined> {
  const condition = made(entry['condition'])
  const scope = { input: { a: 1 }, output: () => undefined }
  if (typeof holds(condition as Condition, scope) !== 'boolean') throw new Error('It was not answered.')
  return conditionIssues(condition)[0]?.code
}

const anything = { input: z.any(), output: z.any() }

async function input(value: unknown): Promise<string | undefined> {
  const echo = agent({ ...anything, name: 'echo', plan: (_, given) => given })
  await using runtime = await testRuntime({ agents: [echo] })
  const code = await refusal(() => runtime.spawn(echo, value))
  const jobs = (await runtime.store.list()[Symbol.asyncIterator]().next()).done ? 0 : 1
  if ((code === undefined) !== (jobs === 1)) throw new Error(`It was ${code ?? 'taken'}, and there are ${jobs} jobs.`)
  return code
}

async function result(value: unknown): Promise<string | undefined> {
  return outcome(tool({ ...anything, name: 'give', effect: 'read', retry: { maxAttempts: 1 }, run: () => value }), null)
}

async function replies(entry: Entry): Promise<string | undefined> {
  const parts = made(entry['parts']) as StreamedPart[] | undefined
  const model: ModelPort = {
    ...{ specificationVersion: 'v3', provider: 'test', modelId: 'model' },
    doGenerate: async () => made(entry['reply']) as GeneratedReply,
    doStream: async () => ({ stream: streamOf(parts ?? []) }),
  }
  const ask = modelTool({ name: 'ask', model, stream: parts !== undefined, retry: { maxAttempts: 1 } })
  return outcome(ask, { prompt: 'x' })
}

/** What becomes of a call. Whatever that is, the history of the job replays. */
async function outcome(called: AnyTool, given: Json): Promise<string | undefined> {
  const calling = agent({
    ...anything,
    name: 'calling',
    tools: [called],
    plan: (graph) => graph.call('call', called, given),
  })
  await using runtime = await testRuntime({ agents: [calling] })
  const job = await runtime.spawn(calling, null)
  await runtime.settle()
  const events: JobEvent[] = []
  for await (const event of job.events()) events.push(parseEvent(event))
  const { divergence } = await replay(calling, events)
  if (divergence !== undefined) throw new Error(`It does not replay: ${JSON.stringify(divergence)}`)
  const failed = events.find(({ type }) => type === 'node.failed')
  if (failed?.type === 'node.failed') return failed.data.error.code ?? failed.data.error.name
  if (!events.some(({ type }) => type === 'node.completed')) throw new Error('The call has not ended.')
  return undefined
}

function streamOf(parts: readonly StreamedPart[]): ReadableStream<StreamedPart> {
  return new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(part)
      controller.close()
    },
  })
}

let endpoint: Promise<{ handler: Handler; token: string }> | undefined

async function openEndpoint(): Promise<{ handler: Handler; token: string }> {
  const look = tool({ ...anything, name: 'look', effect: 'read', run: (given) => given ?? null })
  const away = tool({ ...anything, name: 'away', effect: 'once', run: () => new Promise<never>(() => {}) })
  const tools = exposeTools({ tools: [look], url: 'http://127.0.0.1:1/calls', secret: 'a secret of the tests' })
  const it = agent({ ...anything, name: 'it', tools: [away], plan: (graph) => graph.call('away', away, null) })
  const runtime = await openRuntime({ store: memoryStore(), agents: [it, tools.agent] })
  const job = await runtime.spawn(it, null)
  await job.waitFor(({ pending }) => pending.some(({ status }) => status === 'started'))
  const { token } = tools.grant(job.id, 'away')
  const onProblem = (error: unknown) => {
    throw error
  }
  return { handler: await callEndpoint({ runtime, tools, onProblem }), token }
}

async function requests(entry: Entry): Promise<string | undefined> {
  endpoint ??= openEndpoint()
  const { handler, token } = await endpoint
  const { method, path = '', headers = {}, body } = made(entry) as Record<string, never>
  const request = new Request(`http://127.0.0.1:1/calls${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(headers as object) },
    ...(body === undefined ? {} : { body }),
  })
  const response = await handler(request)
  if (response.ok) return undefined
  return `${response.status} ${((await response.json()) as { code: string }).code}`
}

/** A line of the command line, in a directory of its own with some files in it. */
async function lines({ words, files = {}, stdin = '' }: Entry): Promise<string | undefined> {
  const cwd = mkdtempSync(join(fastFolder, 'aetheris-line-'))
  try {
    for (const [path, text] of Object.entries(files as Record<string, string>)) {
      mkdirSync(dirname(join(cwd, path)), { recursive: true })
      writeFileSync(join(cwd, path), text)
    }
    const line = (words as string[]).map((word) => (word === 'agents.mjs' ? agentsModule : word))
    const { code, stdout, stderr } = await inProcess([...line, '--json'], { cwd, input: String(stdin) })
    if (code === 0) return undefined
    if (/not expected|\n {4}at /.test(stderr)) throw new Error(stderr)
    return `${code} ${(JSON.parse(stdout) as { error: { code: string } }).error.code}`
  } finally {
    rmSync(cwd, { recursive: true })
  }
}
