import type { AnyAgent } from '../../src/agent/agent.ts'
import type { JobHandle } from '../../src/runtime/job-handle.ts'
import type { TestRuntime } from '../../src/testing/test-runtime.ts'
import * as agents from './golden-agents.ts'
import { broken, chart } from './golden-machines.ts'

/** The jobs whose histories are kept in test/golden, each with what happens to it. */

export interface GoldenCase {
  agent: AnyAgent
  /** Others that have to be there. */
  others?: readonly AnyAgent[]
  /** What happens after the job `golden` was started; gives the runtime that has it in the end. */
  happen?(runtime: TestRuntime, job: JobHandle): Promise<TestRuntime>
}

/** Sends signals and lets time pass, in turn. */
async function tell(runtime: TestRuntime, ...steps: (string | number)[]): Promise<TestRuntime> {
  const job = await runtime.job('golden')
  for (const step of steps) {
    if (typeof step === 'number') await runtime.advance(step)
    else await job.signal(step, {})
    await runtime.settle()
  }
  return runtime
}

const crash = (runtime: TestRuntime) => runtime.reopen({ afterMs: 5_000 })
const ana = { by: 'ana', reason: 'she said so' }

export const goldenCases: Readonly<Record<string, GoldenCase>> = {
  chain: { agent: agents.chain },
  map: { agent: agents.map },
  skip: { agent: agents.skipping },
  choice: { agent: agents.choosing },
  progress: { agent: agents.telling },
  child: { agent: agents.parent, others: [agents.chain] },
  'wait-answered': {
    agent: agents.waiting,
    async happen(runtime, job) {
      await job.signal(agents.review, { approved: true })
      return tell(runtime, 2_000)
    },
  },
  'wait-timeout': { agent: agents.waiting, happen: (runtime) => tell(runtime, 86_400_000) },
  retry: { agent: agents.retrying, happen: (runtime) => tell(runtime, 60_000) },
  failure: { agent: agents.failing },
  compensation: { agent: agents.undoing, happen: (runtime) => tell(runtime, 60_000) },
  'pause-resume': {
    agent: agents.waiting,
    async happen(runtime, job) {
      await job.pause(ana)
      await tell(runtime, 10_000)
      await job.signal(agents.review, { approved: true })
      await runtime.settle()
      await job.resume(ana)
      return tell(runtime, 10_000)
    },
  },
  cancel: {
    agent: agents.stopping,
    async happen(runtime, job) {
      await job.cancel(ana)
      return tell(runtime, 60_000)
    },
  },
  terminate: {
    agent: agents.losing,
    async happen(runtime, job) {
      await job.terminate(ana)
      return runtime
    },
  },
  restart: {
    agent: agents.failing,
    async happen(runtime, job) {
      await job.restart('call', ana)
      return runtime
    },
  },
  approval: {
    agent: agents.asking,
    async happen(runtime, job) {
      await tell(runtime, 2_000)
      await job.approve('call', { by: 'bob' })
      await job.deny('call', { by: 'ana' }) // too late, and refused
      return runtime
    },
  },
  'approval-timeout': { agent: agents.asking, happen: (runtime) => tell(runtime, 86_400_000) },
  budget: {
    agent: agents.spending,
    async happen(runtime, job) {
      await job.resume({ ...ana, budget: { toolCalls: 10 } })
      return runtime
    },
  },
  recovery: { agent: agents.recovering, happen: crash },
  'unknown-outcome': { agent: agents.losing, happen: crash },
  resolved: {
    agent: agents.losing,
    async happen(runtime) {
      const after = await crash(runtime)
      await after.settle()
      await (await after.job('golden')).resolve('call', { completed: 'it was done' }, ana)
      return after
    },
  },
  reconciled: { agent: agents.finding, happen: crash },
  'late-result': { agent: agents.late, happen: (runtime) => tell(runtime, 1_000) },
  planner: { agent: agents.planned },
  revision: {
    agent: agents.planned,
    async happen(runtime, job) {
      await job.revise(ana)
      return runtime
    },
  },
  chart: {
    agent: chart,
    happen: (runtime) => tell(runtime, 'switch', 500, 'leave', 1_000, 'return', 2_000, 60_000, 'finish'),
  },
  broken: { agent: broken, happen: (runtime) => tell(runtime, 'go') },
}
