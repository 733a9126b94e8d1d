import { existsSync } from 'node:fs'
import { describe, expect, test, vi } from 'vitest'
import { replay } from '../../src/replay/replay.ts'
import type { JobHandle } from '../../src/runtime/job-handle.ts'
import type { Kill } from '../support/crash-points.ts'
import { inDirectory } from '../support/crash-run.ts'
import { killed } from '../support/mcp-killed.ts'
import { live, World } from '../support/mcp-life.ts'
import { typesOf } from '../support/scripted.ts'

/**
 * Real kills around calls of the reference servers. Their files say what was done: a `once` call is never made again by
 * itself, whoever died at whatever point, and the others are made again until the job has come to its end.
 */

const tools = { read: 'read_text_file', edit: 'edit_file', write: 'write_file', remember: 'create_entities' } as const
type Node = keyof typeof tools
const nodes = Object.keys(tools) as Node[]
/** What the tools give, as a person who looked at the files would put it. */
const outputs = { edit: { content: 'as seen' }, remember: { entities: [] } }
const isOnce = (node: Node): node is keyof typeof outputs => node in outputs

function serverOf(world: World, node: Node) {
  return node === 'remember' ? world.memory : world.files
}

/** How often something was done, by the files that it leaves. */
const done: Record<Node, (world: World) => number> = {
  read: (world) => world.files.calls(tools.read),
  edit: (world) => world.edits,
  write: (world) => Number(existsSync(world.copy)),
  remember: (world) => world.entities,
}

async function inWorld(body: (world: World) => Promise<void>): Promise<void> {
  await inDirectory(async (directory) => {
    const world = new World(directory)
    await world.prepare()
    await body(world)
  })
}

/** Somebody looks at the files, and says what became of a call whose outcome is unknown. */
async function decide(job: JobHandle, node: keyof typeof outputs, world: World): Promise<void> {
  expect(job.getSnapshot().pending.map(({ effect, status }) => `${effect} ${status}`)).toEqual([`${node} unknown`])
  expect(serverOf(world, node).calls(tools[node])).toBeLessThanOrEqual(1)
  const who = { by: 'ana', reason: 'looked at the files' }
  const completed = { content: [], structuredContent: outputs[node] }
  await job.resolve(node, done[node](world) === 0 ? 'again' : { completed }, who)
}

/** The job is done, each of its calls was done once, and its history replays. */
async function isDone(job: JobHandle, world: World): Promise<void> {
  expect(await job.result()).toMatchObject({ before: '|', graph: { entities: [{ name: 'tea' }] } })
  for (const node of ['edit', 'write', 'remember'] as const) expect(`${node} ${done[node](world)}`).toBe(`${node} 1`)
  expect((await replay(job.agent, job.events())).divergence).toBeUndefined()
}

/** What a process that takes over makes of it. */
async function comesToItsEnd(world: World, unknown: keyof typeof outputs | undefined): Promise<void> {
  await live(world.directory, {}, async (job) => {
    if (unknown !== undefined) await decide(job, unknown, world)
    await isDone(job, world)
  })
}

test('without a mishap each call is made once', () =>
  inWorld(async (world) => {
    await comesToItsEnd(world, undefined)
    for (const node of nodes) expect(serverOf(world, node).calls(tools[node])).toBe(1)
  }))

/** The second node is the first that is `once`. */
const starting: Kill = { point: 'commit of a start: after', nth: 2 }
const answered: Kill = { point: 'commit of an outcome: before', nth: 2 }

describe.concurrent('our process is killed', () => {
  test.each([
    { node: 'read', at: 'request' },
    { node: 'edit', at: 'request' },
    { node: 'edit', at: 'answer' },
    { node: 'write', at: 'answer' },
    { node: 'remember', at: 'answer' },
  ] as const)('while its server is at the $at of $node', ({ node, at }) =>
    inWorld(async (world) => {
      const server = serverOf(world, node)
      server.plan({ tool: tools[node], at, who: 'client', signal: 'SIGKILL' })
      await killed({ directory: world.directory })
      // It goes on with what it was asked for, after we are gone.
      await vi.waitFor(() => expect(server.ended).toEqual(server.begun), 10_000)
      await comesToItsEnd(world, isOnce(node) ? node : undefined)
      expect(server.calls(tools[node])).toBe(isOnce(node) ? 1 : 2)
    }),
  )

  test.each([
    ['has said that it will call', starting],
    ['has the answer, and has not said so', answered],
  ])('when it %s', (_, kill) =>
    inWorld(async (world) => {
      await killed({ directory: world.directory, kill })
      await comesToItsEnd(world, 'edit')
      expect(world.files.calls(tools.edit)).toBe(1)
    }),
  )
})

describe.concurrent('a server', () => {
  test.each([
    { node: 'read', at: 'request', signal: 'SIGKILL' },
    { node: 'read', at: 'request', signal: 'SIGSTOP' },
    { node: 'edit', at: 'request', signal: 'SIGKILL' },
    { node: 'edit', at: 'answer', signal: 'SIGKILL' },
    { node: 'edit', at: 'answer', signal: 'SIGSTOP' },
    { node: 'write', at: 'answer', signal: 'SIGKILL' },
    { node: 'remember', at: 'answer', signal: 'SIGKILL' },
  ] as const)('gets $signal at the $at of $node, and is replaced', ({ node, at, signal }) =>
    inWorld(async (world) => {
      const server = serverOf(world, node)
      server.plan({ tool: tools[node], at, who: 'server', signal })
      await live(world.directory, { timeoutMs: 3_000 }, async (job) => {
        expect(server.isPending).toBe(false)
        if (isOnce(node)) await decide(job, node, world)
        await isDone(job, world)
        expect((await typesOf(job)).includes('node.outcome_unknown')).toBe(isOnce(node))
      })
      expect(server.begun).toHaveLength(2)
      for (const pid of server.begun) await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'))
      expect(server.calls(tools[node])).toBe(isOnce(node) && at === 'answer' ? 1 : 2)
    }),
  )
})
