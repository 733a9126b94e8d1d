import { join } from 'node:path'
import { z } from 'zod'
import { agent, openRuntime } from '../../src/index.ts'
import { type McpServerOptions, mcpServer } from '../../src/mcp/mcp.ts'
import type { JobHandle } from '../../src/runtime/job-handle.ts'
import { levelStore } from '../../src/store/level-store.ts'
import { Points, pointedStore } from './crash-points.ts'

/** A job with one call that a reference server runs as a task, which takes it about four seconds. */

export const research = 'simulate-research-query'

interface Research {
  directory: string
  server: McpServerOptions
  points?: Points
}

/** Begins the job, or goes on with it. */
export async function researching(
  { directory, server, points = new Points() }: Research,
  body: (job: JobHandle) => Promise<void>,
): Promise<void> {
  await using opened = await mcpServer(server)
  const tool = opened.tool(research)
  const it = agent({
    name: 'researcher',
    input: z.null(),
    output: z.any(),
    tools: [tool],
    plan: (graph) => graph.call('ask', tool, { topic: 'tea' }),
  })
  const store = pointedStore(levelStore(join(directory, 'data')), points)
  await using runtime = await openRuntime({ store, agents: [it] })
  await body(await runtime.spawn(it, null, { id: 'job' }))
}
