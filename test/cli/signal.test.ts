import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { openRuntime } from '../../src/index.ts'
import { levelStore } from '../../src/store/level-store.ts'
import { agents, inProcess, wordsOf } from '../support/cli.ts'
import { newDirectory, removeDirectories } from '../support/store-data.ts'
import { careful } from './fixtures/agents.ts'

afterAll(removeDirectories)

const yes = '{"approved":true,"by":"Ana"}'

/** The command line on data of its own, in which the job `c` waits for an approval. */
async function waiting() {
  const cwd = await newDirectory()
  const store = levelStore(join(cwd, '.aetheris'))
  await using runtime = await openRuntime({ store, agents: [careful] })
  const job = await runtime.spawn(careful, {}, { id: 'c', source: agents })
  await job.waitFor((snapshot) => snapshot.matches('review.waiting'))
  return (...words: string[]) => inProcess(words, { cwd })
}

/** The words of the line to type that an output ends with. */
function lineToType(stdout: string): string[] {
  return wordsOf(stdout.trimEnd().split('\n').at(-1) as string).slice(1)
}

describe.concurrent('a job that waits for somebody', () => {
  test('is exit 4 and says the line to type, which goes on to the end', async () => {
    const cli = await waiting()
    const waits = await cli('run', agents, '--agent', 'careful', '--id', 'a', '--data', 'some data')
    expect(waits.stdout).toContain('a waits for somebody.\nreview waits for the signal "approval".\n')
    expect(waits.code).toBe(4)
    const answer = lineToType(waits.stdout)
    expect(answer).toEqual(['signal', 'a', 'approval', '{"approved":true,"by":"TEXT"}', '--data', 'some data'])
    const answered = await cli(...answer)
    expect(answered.stdout).toContain('"by": "TEXT"')
    expect(answered.stdout).toMatch(/a completed: 9 events, replay: identical\n$/)
    expect(answered.code).toBe(0)
  })

  test('says so as one JSON value', async () => {
    const cli = await waiting()
    const { code, stdout } = await cli('run', agents, '--agent', 'commented', '--id', 'b', '--json')
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ id: 'b', status: 'waiting', state: { running: { wording: 'waiting' } } },
      waitsFor: [{ effect: 'wording', signal: 'comment', type: ['aetheris signal b comment JSON'] }],
      resume: expect.stringContaining('agents.ts --id b'),
    })
    expect(code).toBe(4)
    const answered = await cli('signal', 'b', 'comment', '{"lines":["shorter"]}', '--json')
    expect(JSON.parse(answered.stdout)).toMatchObject({ id: 'b', status: 'completed', output: ['shorter'] })
  })

  test('gets a signal that is only left for it when somebody goes on with it', async () => {
    const cli = await waiting()
    const left = await cli('signal', 'c', 'approval', yes, '--no-wait')
    expect(left).toMatchObject({ code: 0, stdout: expect.stringContaining('Left "approval" for c. Go on with:') })
    expect(JSON.parse((await cli('show', 'c', '--json')).stdout)).toMatchObject({ status: 'waiting', events: 6 })
    const { code, stdout } = await cli(...lineToType(left.stdout))
    expect(stdout).toContain('c completed')
    expect(code).toBe(0)
  })

  test('events --follow goes on with it, prints what comes, and leaves it as it is', async () => {
    const cli = await waiting()
    const alone = await cli('events', 'c', '--follow')
    expect(alone.stdout).toMatch(/node\.waiting +review: for the signal "approval"\n$/)
    expect(alone).toMatchObject({ code: 4, stderr: expect.stringContaining('show c') })

    await cli('signal', 'c', 'approval', yes, '--no-wait')
    const followed = await cli('events', 'c', '--follow', '--json')
    const lines = followed.stdout.trimEnd().split('\n')
    const types = lines.map((line) => JSON.parse(line).type)
    expect(types.slice(-4)).toEqual(['node.waiting', 'signal.received', 'node.completed', 'job.completed'])
    expect(followed.code).toBe(0)
  })

  test('and the job that started it waits with it', async () => {
    const cli = await waiting()
    const waits = await cli('run', agents, '--agent', 'delegating', '--id', 'd')
    expect(waits.stdout).toContain('In job d/part, review waits for the signal "approval".\n')
    expect(waits.code).toBe(4)
    expect((await cli('show', 'd')).stdout).toMatch(/\npart waits for job d\/part\.\n {2}aetheris why d\/part\n$/)
    const answered = await cli(...lineToType(waits.stdout))
    expect(answered.stdout).toMatch(/d\/part completed: \d+ events, replay: identical\n$/)
    expect(answered.stderr).toMatch(/It was started by a job that goes on with:\n {2}aetheris .* --id d\n$/)
    const { code, stdout } = await cli(...lineToType(answered.stderr))
    expect(stdout).toMatch(/"by": "TEXT",\n.*\n\}\nd completed: \d+ events, replay: identical\n$/)
    expect(code).toBe(0)
  })

  test('and the job that started it stays as it is meanwhile', async () => {
    const cli = await waiting()
    await cli('run', agents, '--agent', 'delegating', '--id', 'd')
    const before = await cli('events', 'd')
    await cli('signal', 'd/part', 'approval', yes)
    expect(await cli('events', 'd')).toEqual(before)
    expect((await cli('why', 'd')).stdout).toMatch(/^Nobody runs the job.*\n.*\n {2}aetheris run .* --id d\n/)
  })

  test('takes no wrong signal', async () => {
    const cli = await waiting()
    const cases: [string[], string][] = [
      [
        ['c', 'approval', '{"approved":"yes"}'],
        `approved: Invalid input: expected boolean, received string; by: Invalid input: expected string, received undefined. Its form is '{"approved":true,"by":"TEXT"}'\n`,
      ],
      [['c', 'approval', '{approved}'], 'The payload is not JSON'],
      [['c', 'applause', '{}'], 'knows no signal "applause"; it knows: approval'],
      [['c', 'xstate.done.actor.review', '{}'], 'reserved for the runtime'],
      [['nobody', 'approval', yes], 'There is no job "nobody"'],
      [['c', 'approval'], "missing required argument 'JSON'\nType:\n  aetheris signal c approval JSON\n"],
    ]
    for (const [words, message] of cases) {
      const { code, stdout, stderr } = await cli('signal', ...words)
      expect(stderr).toContain(message)
      expect(stdout).toBe('')
      expect(code).toBe(2)
    }
    expect(JSON.parse((await cli('show', 'c', '--json')).stdout)).toMatchObject({ events: 6 })
    await cli('signal', 'c', 'approval', yes)
    const late = await cli('signal', 'c', 'approval', yes)
    expect(late).toMatchObject({ code: 2, stderr: expect.stringContaining('is completed and takes no more signals') })
  })
})
