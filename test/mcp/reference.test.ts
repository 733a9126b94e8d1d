import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { agent } from '../../src/index.ts'
import { mcpServer } from '../../src/mcp/mcp.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'
import { inDirectory } from '../support/crash-run.ts'
import { called, outcome } from '../support/mcp-call.ts'
import { ReferenceServer } from '../support/mcp-servers.ts'
import { dataOf } from '../support/scripted.ts'

/** The three servers that the protocol is shown by, as tools of agents. */

describe('the reference servers', () => {
  test('give 36 tools with the classes that they hint at', () =>
    inDirectory(async (directory) => {
      const classes: Record<string, string[]> = { read: [], idempotent: [], once: [], asking: [] }
      for (const name of ['everything', 'filesystem', 'memory'] as const) {
        await using server = await mcpServer(new ReferenceServer(name, directory).options)
        for (const { name: own, effect, approval } of server.tools) {
          classes[effect]?.push(own)
          if (approval === 'always') classes['asking']?.push(own)
        }
      }
      expect([classes['read']?.length, classes['idempotent']?.length, classes['once']?.length]).toEqual([22, 6, 8])
      expect(classes['asking']).toEqual(['filesystem_edit_file', 'filesystem_move_file'])
    }))

  test('answer calls, as the server puts it', () =>
    inDirectory(async (directory) => {
      await using server = await mcpServer(new ReferenceServer('everything', directory).options)
      expect(await outcome(server.tool('echo'), { message: 'hello' })).toEqual({
        content: [{ type: 'text', text: 'Echo: hello' }],
      })
      expect(await outcome(server.tool('get-structured-content'), { location: 'Chicago' })).toMatchObject({
        structuredContent: { conditions: expect.any(String) },
      })
      expect(await outcome(server.tool('get-tiny-image'))).toMatchObject({
        content: [{}, { type: 'image', mimeType: 'image/png' }, {}],
      })
    }))

  test('refuse calls, which is a known outcome: a failure with their words, also of a once call', () =>
    inDirectory(async (directory) => {
      const files = new ReferenceServer('filesystem', directory)
      await using server = await mcpServer({ ...files.options, approval: 'never' })
      expect(await outcome(server.tool('edit_file'), { path: '/etc/passwd', edits: [] })).toMatchObject({
        message: expect.stringContaining('Access denied'),
      })
      expect(files.calls('edit_file')).toBe(1)
    }))

  test('are not called with what does not fit their schemas', () =>
    inDirectory(async (directory) => {
      const files = new ReferenceServer('filesystem', directory)
      await using server = await mcpServer(files.options)
      expect(await outcome(server.tool('write_file'), { path: 1 })).toMatchObject({
        code: 'INPUT_INVALID',
        message: expect.stringContaining('path'),
      })
      expect(files.calls('write_file')).toBe(0)
    }))

  test('are asked to change nothing before somebody has agreed', () =>
    inDirectory(async (directory) => {
      const path = join(directory, 'a')
      writeFileSync(path, 'x')
      const files = new ReferenceServer('filesystem', directory)
      await using server = await mcpServer(files.options)
      const { runtime, job } = await called(server.tool('edit_file'), { path, edits: [{ oldText: 'x', newText: 'y' }] })
      await job.waitFor(({ pending }) => pending[0]?.status === 'approving')
      expect(files.calls('edit_file')).toBe(0)
      await job.approve('it', { by: 'ana' })
      await job.result()
      expect(files.calls('edit_file')).toBe(1)
      await runtime.close()
    }))

  test('are in the history, with their hints and what they are called', () =>
    inDirectory(async (directory) => {
      await using server = await mcpServer(new ReferenceServer('everything', directory).options)
      const { runtime, job } = await called(server.tool('echo'), { message: 'x' })
      await job.result()
      const hints = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false }
      const origin = { server: 'mcp-servers/everything', version: '2.0.0', digest: expect.any(String), hints }
      expect(await dataOf(job, 'tools.listed')).toEqual([{ tools: { everything_echo: origin } }])
      await runtime.close()
    }))

  test('run calls that only read side by side', () =>
    inDirectory(async (directory) => {
      await using server = await mcpServer(new ReferenceServer('everything', directory).options)
      const [slow, echo] = [server.tool('trigger-long-running-operation'), server.tool('echo')]
      const it = agent({
        name: 'caller',
        input: z.any(),
        output: z.any(),
        tools: [slow, echo],
        plan(graph) {
          graph.call('slow', slow, { duration: 2, steps: 2 })
          graph.call('quick', echo, { message: 'x' })
          return null
        },
      })
      await using runtime = await testRuntime({ agents: [it] })
      const job = await runtime.spawn(it, null, { id: 'job' })
      await job.result()
      expect((await dataOf(job, 'node.completed')).map(({ effect }) => effect)).toEqual(['quick', 'slow'])
      expect((await dataOf(job, 'node.progressed'))[0]).toMatchObject({ progress: { progress: 1, total: 2 } })
    }))
})
