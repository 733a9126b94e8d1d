import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import type { AnyTool } from '../../src/agent/tool.ts'
import type { EffectClass } from '../../src/event/event.ts'
import { httpAgent } from '../../src/http/http.ts'
import { RetryableError, tool } from '../../src/index.ts'
import { SimulatedClock } from '../../src/testing/simulated-clock.ts'
import { agentThat, endAll, startedWith } from '../support/away.ts'
import { type Answer, answers, complaints, drain, replyOf } from '../support/away-check.ts'
import { check } from '../support/property.ts'

/**
 * Whatever an agent answers, over real HTTP: the call has the output that was sent, or a typed failure, or nobody knows
 * its outcome. A `once` call is sent again only where nothing was done.
 */

afterEach(endAll)

type Maker = (url: string, effect: EffectClass, clock: SimulatedClock) => AnyTool

const last: Answer = {
  status: 200,
  headers: { 'Content-Type': 'application/json' },
  body: '{"output":0}',
  end: 'whole',
}
const effects = fc.constantFrom<EffectClass>('once', 'idempotent', 'read')
const common = { name: 'away', input: z.any(), output: z.any(), retry: { maxAttempts: 3 } }

async function trial(make: Maker, effect: EffectClass, sent: readonly Answer[]): Promise<string[]> {
  const clock = new SimulatedClock()
  const at = (index: number) => sent[index] ?? last
  const other = await agentThat((_, nth) => replyOf(at(nth - 1)))
  const { job } = await startedWith(make(other.url, effect, clock), clock)
  await drain(job, clock)
  const found = await complaints(job, other, at)
  await endAll()
  return found
}

const real: Maker = (url, effect, clock) => httpAgent({ ...common, url, effect, clock })

test('whatever an agent answers', async () => {
  const property = fc.asyncProperty(effects, fc.array(answers, { maxLength: 5 }), async (effect, sent) => {
    expect(await trial(real, effect, sent)).toEqual([])
  })
  await check(property, 300)
})

/** Adapters as one would write them at first. */
const planted: [string, Maker, Answer, RegExp][] = [
  [
    'throws what comes',
    (url, effect) => tool({ ...common, effect, run: async () => (await post(url).then((got) => got.json())).output }),
    { ...last, body: '{' },
    /^untyped: SyntaxError/,
  ],
  [
    'tries again after any failure',
    (url, effect) =>
      tool({
        ...common,
        effect,
        async run() {
          const got = await post(url)
          if (!got.ok) throw new RetryableError(`status ${got.status}`)
          return (await got.json()).output
        },
      }),
    { ...last, status: 502 },
    /^repeated: after status 502/,
  ],
  [
    'believes any status',
    (url, effect) => tool({ ...common, effect, run: async () => (await post(url).then((got) => got.json())).output }),
    { ...last, status: 500, body: '{"output":1}' },
    /^invented: 1/,
  ],
]

const post = (url: string) => fetch(url, { method: 'POST' })

test.each(planted)('an adapter that %s is found out', async (_, make, answer, complaint) => {
  expect((await trial(make, 'once', [answer])).join('\n')).toMatch(complaint)
})
