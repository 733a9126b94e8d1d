import { z } from 'zod'
import { agent } from '../../src/agent/agent.ts'
import type { AnyTool } from '../../src/agent/tool.ts'
import type { Json } from '../../src/base/json.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'

/** The job of one call. */
export async function called(tool: AnyTool, input: Json) {
  const plan = (graph: Parameters<Parameters<typeof agent>[0]['plan'] & {}>[0]) => graph.call('it', tool, input)
  const it = agent({ name: 'caller', input: z.any(), output: z.any(), tools: [tool], plan })
  const runtime = await testRuntime({ agents: [it] })
  return { runtime, job: await runtime.spawn(it, null, { id: 'job' }) }
}

/** What a call gives, or the error that the job ends with. */
export async function outcome(tool: AnyTool, input: Json = {}): Promise<unknown> {
  const { runtime, job } = await called(tool, input)
  try {
    return await job.result().catch((error: Error) => error.cause)
  } finally {
    await runtime.close()
  }
}
