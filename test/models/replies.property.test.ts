import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { reactMachine } from '../../machines/react.ts'
import type { AnyAgent } from '../../src/agent/agent.ts'
import { errorCodes } from '../../src/base/error.ts'
import { agent, fromMachine, type JobHandle, openRuntime, signal, tool } from '../../src/index.ts'
import { modelTool, reactAgent } from '../../src/models/models.ts'
import { llmPlanner, type Planner } from '../../src/planners/planners.ts'
import { replay } from '../../src/replay/replay.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { EagerClock } from '../support/eager-clock.ts'
import { height } from '../support/model-agents.ts'
import { ModelServer, modelAt } from '../support/model-server.ts'
import { check, runs } from '../support/property.ts'
import { type AnyReply, actReply, planReply } from '../support/replies.ts'
import { dataOf, typesOf } from '../support/scripted.ts'

/** fast-check is the model, behind real HTTP and the provider's own parser: whatever it answers, a job knows what to do. */

let server: ModelServer
/** What it answers from now on; the last one for ever. */
let replies: readonly AnyReply[] = []
let given = 0
beforeAll(async () => {
  server = await ModelServer.start({ chunkSize: 20_000 })
  server.mock.on({}, () => replies[Math.min(given++, replies.length - 1)] as AnyReply)
})
afterAll(() => server.stop())

/** Runs a job until it has ended, or waits for somebody, and shows it to `look`. Its history replays. */
async function run<A extends AnyAgent>(
  it: A,
  answers: readonly AnyReply[],
  look: (job: JobHandle) => Promise<void>,
): Promise<void> {
  replies = answers
  given = 0
  server.mock.clearRequests()
  const runtime = await openRuntime({ store: memoryStore(), agents: [it], clock: new EagerClock() })
  try {
    const job = (await runtime.spawn(it as AnyAgent, 'x')) as JobHandle
    await job.waitFor(
      ({ status, pending }) =>
        status !== 'active' ||
        (pending.length > 0 && pending.every(({ kind, status }) => kind === 'wait' || status === 'approving')),
    )
    await look(job)
    expect((await replay(it, job.events())).divergence).toBeUndefined()
  } finally {
    await runtime.close()
  }
}

describe('a model that plans', () => {
  const anything = (name: string) =>
    tool({ name, input: z.any(), output: z.any(), effect: 'read', run: (input) => input ?? null })

  function planning(planner: Planner): AnyAgent {
    const tools = [anything('fetch'), anything('write')]
    return agent({
      name: 'plans',
      input: z.any(),
      output: z.any(),
      tools,
      signals: [signal('approval', z.any())],
      planner,
    })
  }

  const counts = { adopted: 0, refused: 0 }

  /** Its plan is taken, or refused for good with what is wrong; the server was asked as often as is told. */
  const holds = (planner: Planner) =>
    fc.asyncProperty(fc.array(planReply, { minLength: 1, maxLength: 2 }), async (answers) => {
      await run(planning(planner), answers, async (job) => {
        const { error } = job.getSnapshot()
        const types = await typesOf(job)
        const isAdopted = types.includes('plan.adopted')
        if (isAdopted) counts.adopted += 1
        else counts.refused += 1
        if (!isAdopted) expect(error?.code).toBe('PLAN_INVALID')
        if (error !== undefined) expect(errorCodes).toHaveProperty(error.code as string)
        const rounds = ['plan.adopted', 'plan.revised', 'plan.rejected']
        expect(types.filter((type) => rounds.includes(type))).toHaveLength(server.requests.length)
        for (const { issues } of await dataOf(job, 'plan.rejected')) expect(issues.length).toBeGreaterThan(0)
      })
    })

  // In parts, so that each has its time on a machine that is busy with others.
  test.each([1, 2, 3])('is adopted or refused, whatever it answers: part %i', async () => {
    await check(holds(llmPlanner({ model: modelAt(server.url), maxRounds: 2 })), 100)
  })

  test('is adopted and refused often enough', () => {
    expect(counts.adopted).toBeGreaterThan(30)
    expect(counts.refused).toBeGreaterThan(30)
  })

  test('the property finds a planner that takes an answer for JSON', async () => {
    const model = modelAt(server.url)
    const trusting: Planner = {
      name: 'trusting',
      async plan() {
        const { content } = await model.doGenerate({
          prompt: [{ role: 'user', content: [{ type: 'text', text: 'x' }] }],
        })
        return JSON.parse((content[0] as { text?: string } | undefined)?.text ?? '')
      },
    }
    expect((await fc.check(holds(trusting), runs(300))).failed).toBe(true)
  })
})

describe('a model that reasons and acts', () => {
  const weather = tool({ name: 'weather', input: z.any(), output: z.any(), run: () => ({ sun: true }) })
  const tools = [height, weather]
  const model = () => modelAt(server.url)

  const counts = { answered: 0, failed: 0 }

  /** It answers, or fails with a known error; each request is an attempt of which an event tells. */
  const holds = (it: AnyAgent) =>
    fc.asyncProperty(fc.array(actReply, { minLength: 1, maxLength: 4 }), async (answers) => {
      await run(it, answers, async (job) => {
        const { status, error, output } = job.getSnapshot()
        expect(status).not.toBe('active')
        if (error !== undefined)
          expect(['RetryableError', ...Object.keys(errorCodes)]).toContain(error.code ?? error.name)
        else expect(it.output.safeParse(output).success).toBe(true)
        counts[error === undefined ? 'answered' : 'failed'] += 1
        const begun = [...(await dataOf(job, 'node.started')), ...(await dataOf(job, 'node.attempted'))]
        expect(begun.filter(({ effect }) => effect.startsWith('think'))).toHaveLength(server.requests.length)
      })
    })

  test.each([true, false])('answers or fails as it should, whatever it says, streamed: %s', async (stream) => {
    const options = { model: model(), stream, tools, stepsMax: 5, callsMax: 10 }
    await check(holds(reactAgent({ name: 'text', ...options })), 80)
    await check(holds(reactAgent({ name: 'json', ...options, output: z.object({ metres: z.number() }) })), 80)
    expect(counts.answered).toBeGreaterThan(20)
    expect(counts.failed).toBeGreaterThan(20)
  })

  test('the property finds an agent that takes an answer for JSON', async () => {
    const settings = { model: 'model', tools: [], stepsMax: 5, callsMax: 5, concurrency: 5, turnsKept: 5 }
    const machine = reactMachine(
      { ...settings, resultCharactersMax: 1_000 },
      { open: () => [{ role: 'user', content: 'x' }], read: (text) => ({ output: JSON.parse(text) }) },
    )
    const trusting = fromMachine('trusting', machine, { tools: [modelTool({ name: 'model', model: model() })] })
    expect((await fc.check(holds(trusting), runs(300))).failed).toBe(true)
  })
})
