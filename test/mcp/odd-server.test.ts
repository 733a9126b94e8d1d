import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { AnyTool } from '../../src/agent/tool.ts'
import { agent } from '../../src/index.ts'
import { type McpServerOptions, mcpServer } from '../../src/mcp/mcp.ts'
import { testRuntime } from '../../src/testing/test-runtime.ts'
import { inDirectory } from '../support/crash-run.ts'
import { called, outcome } from '../support/mcp-call.ts'
import { dataOf } from '../support/scripted.ts'

/** What becomes of what a server says that it should not have said: of its tools, and in its answers. */

interface Said {
  tools: object[]
  answer?: object
  error?: object
  task?: Record<string, object>
  notes?: string[]
  dies?: boolean
  isChanged?: boolean
}

const plain = { name: 'do', inputSchema: { type: 'object' } }

/** A server that says what it is told to, and may be told something else later. */
async function withOdd(
  said: Said,
  body: (options: McpServerOptions, say: (said: Said) => void) => Promise<void>,
): Promise<void> {
  await inDirectory(async (directory) => {
    const file = join(directory, 'said.json')
    const say = (next: Said) => writeFileSync(file, JSON.stringify(next))
    say(said)
    const script = join(import.meta.dirname, '../support/mcp-odd-server.mjs')
    await body({ name: 'odd', command: process.execPath, args: [script, file] }, say)
  })
}

describe('a server that cannot be used', () => {
  test('says why, in its own words', () =>
    withOdd({ tools: [], notes: ['no such licence'], dies: true }, async (options) => {
      const lines: string[] = []
      const opened = mcpServer({ ...options, onLog: (line: string) => lines.push(line) } as McpServerOptions)
      await expect(opened).rejects.toMatchObject({
        code: 'TOOLS_UNAVAILABLE',
        message: expect.stringContaining('no such licence'),
      })
      expect(lines).toContain('no such licence')
    }))

  test('as it is not there', async () => {
    const opened = mcpServer({ name: 'none', command: '/nowhere/at/all' })
    await expect(opened).rejects.toMatchObject({
      code: 'TOOLS_UNAVAILABLE',
      message: expect.stringContaining('ENOENT'),
    })
  })

  test.each<[string, Partial<McpServerOptions>, string]>([
    ['a name that models may not call', { name: 'a b' }, 'expected letters'],
    ['a tool that is not there', { only: ['undo'] }, 'it has no tool "undo"; it has: do'],
    ['a class for one that is not there', { effects: { undo: 'once' } }, 'it has no tool "undo"'],
    ['a class that is looser than the hints', { effects: { do: 'read' } }, 'say so in `loosen`'],
    ['an option that does not exist', { retries: 3 } as never, 'retries'],
  ])('by %s', (_, wrong, message) =>
    withOdd({ tools: [plain] }, async (options) => {
      await expect(mcpServer({ ...options, ...wrong } as McpServerOptions)).rejects.toMatchObject({
        code: 'AGENT_INVALID',
        message: expect.stringContaining(message),
      })
    }),
  )

  const nested = (depth: number): object =>
    depth === 0 ? {} : { type: 'object', properties: { a: nested(depth - 1) } }
  test.each<[string, object[], string, string]>([
    ['that has two tools of one name', [plain, plain], 'AGENT_INVALID', 'two tools'],
    [
      'whose names become one',
      [
        { ...plain, name: 'a.b' },
        { ...plain, name: 'a b' },
      ],
      'AGENT_INVALID',
      'odd_a_b',
    ],
    ['with a huge description', [{ ...plain, description: 'x'.repeat(300_000) }], 'LIMIT_EXCEEDED', '"do"'],
    ['with a deep schema', [{ ...plain, inputSchema: nested(100) }], 'LIMIT_EXCEEDED', '"do"'],
    [
      'with too many tools',
      Array.from({ length: 1_001 }, (_, n) => ({ ...plain, name: `t${n}` })),
      'LIMIT_EXCEEDED',
      '1001',
    ],
    ['with a schema beyond any depth', [{ ...plain, inputSchema: nested(2_000) }], 'TOOLS_UNAVAILABLE', 'odd'],
    ['with a schema of another type', [{ ...plain, inputSchema: 'any' }], 'TOOLS_UNAVAILABLE', 'inputSchema'],
    ['with no list', 'none' as never, 'TOOLS_UNAVAILABLE', 'tools'],
  ])('%s', (_, tools, code, message) =>
    withOdd({ tools }, async (options) => {
      await expect(mcpServer(options)).rejects.toMatchObject({ code, message: expect.stringContaining(message) })
    }),
  )

  test('as a whole is used without the tool that cannot', () =>
    withOdd(
      {
        tools: [
          { ...plain, description: 'x'.repeat(300_000) },
          { ...plain, name: 'fine' },
        ],
      },
      async (options) => {
        await using server = await mcpServer({ ...options, only: ['fine'] })
        expect(server.tools.map(({ name }) => name)).toEqual(['odd_fine'])
      },
    ))
})

/** `unknown` where somebody has to say what became of it, or the message of the failure. */
async function fate(said: Said): Promise<string> {
  let found = ''
  await withOdd(said, async (options) => {
    await using server = await mcpServer({ ...options, retry: { maxAttempts: 1 } })
    const { runtime, job } = await called(server.tool('do'), {})
    const end = await job.waitFor(({ status, pending }) => status !== 'active' || pending[0]?.status === 'unknown')
    found = end.status === 'active' ? 'unknown' : (end.error?.message ?? 'done')
    await runtime.close()
  })
  return found
}

describe('an answer', () => {
  const once: Said = { tools: [{ ...plain, annotations: { destructiveHint: false } }] }
  const read: Said = { tools: [{ ...plain, annotations: { readOnlyHint: true } }] }
  const bad = { content: [], structuredContent: { n: 'x' } }
  const typed = (said: Said) => ({ ...said, tools: [{ ...said.tools[0], outputSchema: schemaOf('number') }] })
  const schemaOf = (type: string) => ({ type: 'object', properties: { n: { type } } })

  test.each<[string, Said, string | RegExp]>([
    ['that the call failed', { ...once, answer: { content: [{ type: 'text', text: 'no' }], isError: true } }, 'no'],
    ['that it failed, and not why', { ...once, answer: { content: [], isError: true } }, /not why/],
    ['that does not match the schema of the tool, of a once call', { ...typed(once), answer: bad }, 'unknown'],
    ['that does not match it, of another', { ...typed(read), answer: bad }, /own schema/],
    ['that is none, of a once call', { ...once, answer: { content: 7 } }, 'unknown'],
    ['that there is no such method', { ...once, error: { code: -32601, message: 'no such method' } }, /no such method/],
    ['that is an internal error, of a once call', { ...once, error: { code: -32603, message: 'x' } }, 'unknown'],
    ['that is an internal error, of another', { ...read, error: { code: -32603, message: 'broken' } }, /broken/],
    [
      'with nested data beyond all bounds',
      { ...once, answer: { content: [], structuredContent: { a: deep(100) } } },
      'unknown',
    ],
  ])('%s', async (_, said, expected) => {
    expect(await fate(said)).toEqual(typeof expected === 'string' ? expected : expect.stringMatching(expected))
  })
})

describe('a task', () => {
  const tool = (readOnlyHint: boolean) => ({
    ...plain,
    annotations: { readOnlyHint, destructiveHint: false },
    execution: { taskSupport: 'required' },
  })
  const state = (status: string) => ({ taskId: 't1', status, statusMessage: 'as it is', pollInterval: 0 })
  const begun = { answer: { task: state('working') } }

  test.each<[string, boolean, Record<string, object>, string | RegExp]>([
    ['that asks for input, which is not offered', true, { 'tasks/get': state('input_required') }, /asks for input/],
    ['that asks for input, of a once call', false, { 'tasks/get': state('input_required') }, 'unknown'],
    ['that was cancelled there', false, { 'tasks/get': state('cancelled') }, /cancelled at its server/],
    [
      'that has failed',
      false,
      { 'tasks/get': state('failed'), 'tasks/result': { content: [{ type: 'text', text: 'no luck' }], isError: true } },
      'no luck',
    ],
    ['that has ended', false, { 'tasks/get': state('completed'), 'tasks/result': { content: [] } }, 'done'],
  ])('%s', async (_, isRead, task, expected) => {
    const found = await fate({ tools: [tool(isRead)], ...begun, task })
    expect(found).toEqual(typeof expected === 'string' ? expected : expect.stringMatching(expected))
  })

  test('may be answered at once, without becoming one', async () => {
    expect(await fate({ tools: [tool(false)], answer: { content: [] } })).toBe('done')
  })
})

function deep(depth: number): object {
  return depth === 0 ? {} : { a: deep(depth - 1) }
}

describe('a server that changes', () => {
  test('a tool is not called as what it has become, until it is opened anew', () =>
    withOdd({ tools: [plain], answer: { content: [] }, isChanged: true }, async (options, say) => {
      await using server = await mcpServer({ ...options, approval: 'never' })
      expect(await outcome(server.tool('do'))).toEqual({ content: [] })
      say({ tools: [{ ...plain, description: 'deletes all' }], answer: { content: [] }, isChanged: true })
      expect(await outcome(server.tool('do'))).toMatchObject({ code: 'TOOL_CHANGED' })
      say({ tools: [], answer: { content: [] } })
      await using again = await mcpServer(options)
      expect(again.tools).toEqual([])
    }))

  test('a tool between two processes is an event', () =>
    withOdd({ tools: [plain], answer: { content: [] } }, async (options, say) => {
      const agentOf = (tool: AnyTool) =>
        agent({
          name: 'x',
          input: z.any(),
          output: z.any(),
          tools: [tool],
          plan: (graph) => graph.call('it', tool, {}),
        })
      await using before = await mcpServer(options)
      const it = agentOf(before.tool('do'))
      const runtime = await testRuntime({ agents: [it] })
      const job = await runtime.spawn(it, null, { id: 'job' })
      await job.waitFor(({ pending }) => pending[0]?.status === 'approving')
      say({ tools: [{ ...plain, annotations: { idempotentHint: true } }], answer: { content: [] } })
      await using after = await mcpServer(options)
      const next = await runtime.reopen({ agents: [agentOf(after.tool('do'))] })
      const same = await next.job('job')
      await same.approve('it', { by: 'ana' })
      await same.result()
      const listed = (await dataOf(same, 'tools.listed')).map(({ tools }) => tools['odd_do'])
      expect(listed).toMatchObject([{ hints: {} }, { hints: { idempotentHint: true } }])
      expect(listed[0]?.digest).not.toBe(listed[1]?.digest)
      await next.close()
    }))
})
