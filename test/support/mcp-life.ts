import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { type AnyAgent, agent } from '../../src/agent/agent.ts'
import { openRuntime } from '../../src/index.ts'
import { type McpServer, mcpServer } from '../../src/mcp/mcp.ts'
import type { JobHandle } from '../../src/runtime/job-handle.ts'
import { levelStore } from '../../src/store/level-store.ts'
import { Points, pointedStore } from './crash-points.ts'
import { ReferenceServer } from './mcp-servers.ts'

/**
 * The life of a process with one job, which calls tools of every class of two real servers. What they did is told by
 * their files: each time that `edit` is done another `|` stands in `text`, and `remember` leaves an entity in memory.
 */

export class World {
  readonly files: ReferenceServer
  readonly memory: ReferenceServer
  readonly directory: string

  constructor(directory: string) {
    this.directory = directory
    this.files = new ReferenceServer('filesystem', directory)
    this.memory = new ReferenceServer('memory', directory)
  }

  async prepare(): Promise<void> {
    await writeFile(this.text, '|')
  }

  get text(): string {
    return join(this.directory, 'text')
  }

  get copy(): string {
    return join(this.directory, 'copy')
  }

  get edits(): number {
    return readFileSync(this.text, 'utf8').length - 1
  }

  get entities(): number {
    const path = join(this.directory, 'memory.jsonl')
    return existsSync(path) ? readFileSync(path, 'utf8').split('"name":"tea"').length - 1 : 0
  }
}

function agentOf(world: World, files: McpServer, memory: McpServer): AnyAgent {
  return agent({
    name: 'scribe',
    input: z.null(),
    output: z.any(),
    tools: [...files.tools, ...memory.tools],
    plan(graph) {
      const { text: path, copy } = world
      const before = graph.call('read', files.tool('read_text_file'), { path })
      const edits = [{ oldText: '|', newText: '||' }]
      const edit = graph.call('edit', files.tool('edit_file'), { path, edits }, { after: [before] })
      const write = graph.call('write', files.tool('write_file'), { path: copy, content: 'x' }, { after: [edit] })
      const entities = [{ name: 'tea', entityType: 'drink', observations: ['hot'] }]
      const remember = graph.call('remember', memory.tool('create_entities'), { entities }, { after: [write] })
      const recall = graph.call('recall', memory.tool('read_graph'), {}, { after: [remember] })
      return { before: before.structuredContent['content'], graph: recall.structuredContent }
    },
  })
}

export interface Conditions {
  points?: Points
  /** For the answer to a call. */
  timeoutMs?: number
}

/** Lives until the job has ended, or waits for somebody to say what became of a call; then does `body`. */
export async function live(
  directory: string,
  { points = new Points(), timeoutMs = 30_000 }: Conditions,
  body?: (job: JobHandle) => Promise<void>,
): Promise<void> {
  const world = new World(directory)
  const options = { retry: { initialDelayMs: 1 }, approval: 'never', timeoutMs, connectTimeoutMs: 10_000 } as const
  await using files = await mcpServer({ ...world.files.options, ...options })
  await using memory = await mcpServer({ ...world.memory.options, ...options })
  const it = agentOf(world, files, memory)
  const store = pointedStore(levelStore(join(directory, 'data')), points)
  await using runtime = await openRuntime({ store, agents: [it] })
  const job = await runtime.spawn(it, null, { id: 'job' })
  await job.waitFor(({ status, pending }) => status !== 'active' || pending.some((each) => each.status === 'unknown'))
  await body?.(job)
}
