import { describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import type { AnyTool } from '../../src/agent/tool.ts'
import type { Json } from '../../src/base/json.ts'
import type { Graph } from '../../src/graph/builder.ts'
import { agent, openRuntime } from '../../src/index.ts'
import { type McpServerOptions, mcpServer } from '../../src/mcp/mcp.ts'
import { memoryStore } from '../../src/testing/testing.ts'
import { inDirectory } from '../support/crash-run.ts'
import { ReferenceServer } from '../support/mcp-servers.ts'
import { dataOf } from '../support/scripted.ts'

/** A reference server over streamable HTTP, which is killed and started again on its port. */

async function withHttp(body: (server: ReferenceServer, url: string) => Promise<void>): Promise<void> {
  await inDirectory(async (directory) => {
    const server = new ReferenceServer('everything', directory)
    try {
      await body(server, await server.startHttp())
    } finally {
      await server.killHttp()
    }
  })
}

const options = (url: string): McpServerOptions => ({
  name: 'web',
  url,
  retry: { initialDelayMs: 20, maxDelayMs: 20, maxAttempts: 500 },
})

async function jobOf(tool: AnyTool, input: Json) {
  const plan = (graph: Graph) => graph.call('it', tool, input)
  const it = agent({ name: 'caller', input: z.any(), output: z.any(), tools: [tool], plan })
  const runtime = await openRuntime({ store: memoryStore(), agents: [it] })
  return { runtime, job: await runtime.spawn(it, null, { id: 'job' }) }
}

async function reached(url: string): Promise<unknown> {
  return await fetch(url).then(
    ({ status }) => status,
    ({ cause }: { cause: { code: string } }) => cause.code,
  )
}

describe.concurrent('a server over HTTP', () => {
  test('answers calls', () =>
    withHttp(async (_, url) => {
      await using server = await mcpServer(options(url))
      const { runtime, job } = await jobOf(server.tool('echo'), { message: 'hello' })
      expect(await job.result()).toEqual({ content: [{ type: 'text', text: 'Echo: hello' }] })
      await runtime.close()
    }))

  test('that was started again is called in a new session', () =>
    withHttp(async (reference, url) => {
      await using server = await mcpServer(options(url))
      await reference.killHttp()
      await reference.startHttp()
      const { runtime, job } = await jobOf(server.tool('toggle-simulated-logging'), {})
      expect(await job.result()).toMatchObject({ content: [{ text: expect.stringContaining('logging') }] })
      expect(await dataOf(job, 'node.retried')).toEqual([])
      await runtime.close()
    }))

  test('that is gone is called once it is there, as nothing was sent', () =>
    withHttp(async (reference, url) => {
      await using server = await mcpServer(options(url))
      await reference.killHttp()
      // Until then a request might go over a connection whose end is not noticed, and nobody knows what becomes of it.
      await vi.waitFor(async () => expect(await reached(url)).toBe('ECONNREFUSED'))
      const { runtime, job } = await jobOf(server.tool('toggle-simulated-logging'), {})
      await job.waitFor(({ pending }) => pending[0]?.status === 'backoff')
      await reference.startHttp()
      await job.result()
      expect(await dataOf(job, 'node.outcome_unknown')).toEqual([])
      await runtime.close()
    }))

  test.each([
    { tool: 'echo', input: { message: 'x' } as Json, isOnce: false },
    { tool: 'toggle-simulated-logging', input: {}, isOnce: true },
  ])('that is killed by a call of $tool leaves it open what became of it', ({ tool, input, isOnce }) =>
    withHttp(async (reference, url) => {
      await using server = await mcpServer(options(url))
      reference.plan({ tool, at: 'request', who: 'server', signal: 'SIGKILL' })
      const { runtime, job } = await jobOf(server.tool(tool), input)
      await job.waitFor(({ pending }) => pending[0]?.status === (isOnce ? 'unknown' : 'backoff'))
      await reference.startHttp()
      if (isOnce) await job.resolve('it', 'again', { by: 'ana', reason: 'the server was gone before it began' })
      await job.result()
      // One more has come in, and was refused: the session that it was for was over.
      expect(reference.calls(tool)).toBe(3)
      await runtime.close()
    }),
  )

  test('with nobody there cannot be opened', () =>
    withHttp(async (reference, url) => {
      await reference.killHttp()
      await expect(mcpServer(options(url))).rejects.toMatchObject({
        code: 'TOOLS_UNAVAILABLE',
        message: expect.stringContaining('ECONNREFUSED'),
      })
    }))
})
