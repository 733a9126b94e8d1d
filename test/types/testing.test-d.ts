import { z } from 'zod'
import { agent, signal, tool } from '../../src/index.ts'
import { crashEverywhere, failEverywhere, faulty, SimulatedClock, type Stage } from '../../src/testing/testing.ts'

/** Wrong tests must not compile. Each wrong use is on one line below its expectation. Checked by tsc, never run. */

const say = tool({ name: 'say', input: z.string(), output: z.int(), run: () => 1 })
const talker = agent({
  name: 'talker',
  input: z.object({ topic: z.string() }),
  output: z.int(),
  tools: [say],
  plan: (graph, { topic }) => graph.call('say', say, topic),
})
const other = agent({ name: 'other', input: z.null(), output: z.string(), plan: () => 'no' })
const agreed = signal('agreed', z.object({ by: z.string() }))

export async function scenario(stage: Stage): Promise<number> {
  const job = await stage.spawn(talker, { topic: 'tea' })
  await job.signal(agreed, { by: 'ana' })
  // @ts-expect-error a stage checks the input of a job as a runtime does
  await stage.spawn(talker, { topic: 1 })
  // @ts-expect-error and the payload of a signal
  await job.signal(agreed, { by: 1 })
  // @ts-expect-error and knows what a job results in
  const text: string = await job.result()
  return text.length
}

export async function tests(): Promise<void> {
  await crashEverywhere([talker, other], scenario, { points: { max: 10 }, resolve: () => ({ completed: 1 }) })
  // @ts-expect-error a call is answered by one of three answers
  await crashEverywhere(talker, scenario, { resolve: () => 'done' })
  // @ts-expect-error a scenario is asynchronous
  await crashEverywhere(talker, () => 1)
  await failEverywhere(talker, scenario, { faults: ['times out'] })
  // @ts-expect-error a way to fail that there is not
  await failEverywhere(talker, scenario, { faults: ['explodes'] })

  const clock = new SimulatedClock()
  const [badTalker, badOther] = faulty([talker, other], { clock, rates: { fails: 0.1 } })
  await scenario({} as Stage)
  const both: [typeof talker, typeof other] = [badTalker, badOther]
  // @ts-expect-error each agent keeps its type
  const swapped: [typeof other] = [badTalker]
  // @ts-expect-error a fault that there is not
  faulty([talker], { clock, rates: { explodes: 0.1 } })
  void [both, swapped]
}
