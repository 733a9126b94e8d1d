import { openRuntime } from '../../src/index.ts'
import { levelStore } from '../../src/store/level-store.ts'
import { type Asking, modelAgents, question } from './model-agents.ts'
import { modelAt } from './model-server.ts'

/** Child process: runs a job that asks a model, and tells of each part of its stream, until it is killed or done. */
export interface ModelChildOptions {
  directory: string
  url: string
  asking: Asking
}

process.once('message', async ({ directory, url, asking }: ModelChildOptions) => {
  const it = modelAgents({ model: modelAt(url) })[asking]
  const runtime = await openRuntime({ store: levelStore(directory), agents: [it] })
  const job = await runtime.spawn(it, question, { id: 'job' })
  for await (const part of job.stream()) process.send?.(part)
  await runtime.close()
  process.disconnect()
})
