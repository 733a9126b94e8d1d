import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { openRuntime } from '../../src/index.ts'
import { levelStore } from '../../src/store/level-store.ts'
import { aetheris, agents, type CliOptions, inProcess } from '../support/cli.ts'
import { newDirectory, removeDirectories } from '../support/store-data.ts'
import { wiring } from './fixtures/agents.ts'

afterAll(removeDirectories)

/** Runs an agent of the tests, in a directory of its own where none is given. */
const run = async (agent: string, words: readonly string[] = [], options: Partial<CliOptions> = {}) =>
  inProcess(['run', agents, '--agent', agent, ...words], { cwd: options.cwd ?? (await newDirectory()), ...options })

/** The same as a process of its own. */
const runAlone = async (...words: string[]) =>
  aetheris(['run', agents, '--agent', ...words], { cwd: await newDirectory() })

describe.concurrent('run', () => {
  test('runs an agent: the result on stdout, progress on stderr', async () => {
    const { code, stdout, stderr } = await runAlone('echo')
    expect(stdout).toMatch(/^\{\n {2}"said": "hello"\n\}\n\w{26} completed: 6 events, replay: identical\n$/)
    expect(stderr).toMatch(/^Job \w{26}, new, of agent echo\na tool prints to stdout\n {2}say completed\n$/)
    expect(code).toBe(0)
  })

  test('with --json gives one JSON value, whatever tools print', async () => {
    const { code, stdout } = await runAlone('echo', '--id', 'one', '--json', '--input', '{"text":"tea"}')
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ id: 'one', agent: 'echo', status: 'completed', events: 6, state: 'completed' },
      ...{ output: { said: 'tea' }, replay: 'identical' },
    })
    expect(stdout.trimEnd()).not.toContain('\n')
    expect(code).toBe(0)
  })

  test('says that an output is not what the agent promises', async () => {
    const { code, stdout } = await run('other')
    expect(stdout).toContain('for agent "other", is not valid: said: ')
    expect(code).toBe(1)
    const told = JSON.parse((await run('other', ['--json'])).stdout)
    expect(told).toMatchObject({ output: { said: 1 }, error: { code: 'OUTPUT_INVALID' } })
  })

  test('says where in the code a tool has thrown, once, and not where that is meant', async () => {
    const { stderr } = await run('slipping')
    expect(stderr.match(/ {2}slip threw at \S*fixtures\/agents\.ts:\d+\n {4}run: \(\) => .*\.page,\n/g)).toHaveLength(1)
    expect(stderr).toContain('slip failed: ')
    expect((await run('failing')).stderr).not.toContain(' threw at ')
  })

  test('takes its input from a file and from stdin', async () => {
    const cwd = await newDirectory()
    writeFileSync(join(cwd, 'input.json'), '{"text":"from a file"}')
    expect((await run('echo', ['--input', '@input.json'], { cwd })).stdout).toContain('from a file')
    expect((await run('echo', ['--input', '-'], { input: '{"text":"from stdin"}' })).stdout).toContain('from stdin')
  })

  test('shows the job of an id again, and refuses another input for it', async () => {
    const cwd = await newDirectory()
    await run('echo', ['--id', 'kept', '--input', '{"text":"first"}'], { cwd })
    for (const words of [[], ['--input', '{"text":"first"}']]) {
      const again = await run('echo', ['--id', 'kept', ...words], { cwd })
      expect(again.stdout).toContain('"said": "first"')
      expect(again.stderr).toContain('had ended before')
      expect(again.stderr).not.toContain('say completed')
      expect(again.code).toBe(0)
    }
    const other = await run('echo', ['--id', 'kept', '--input', '{"text":"second"}'], { cwd })
    expect(other.stderr).toContain('made from another input')
    expect(other.code).toBe(2)
    const wrong = await run('napping', ['--id', 'kept', '--json'], { cwd })
    expect(JSON.parse(wrong.stdout)).toMatchObject({ error: { code: 'JOB_EXISTS', jobId: 'kept' } })
    expect(wrong.code).toBe(2)
  })

  test('a job that fails is exit 1, with its error, harmless to a terminal', async () => {
    const cwd = await newDirectory()
    const text = await run('failing', ['--id', 'fails'], { cwd })
    expect(text.stdout).toContain('TerminalError: no such\\u001b[31m page\nfails failed: 6 events, replay: identical\n')
    expect(text.stderr).toContain('refuse failed: no such\\u001b[31m page')
    expect(text.code).toBe(1)
    const json = await run('failing', ['--id', 'fails', '--json'], { cwd })
    expect(JSON.parse(json.stdout)).toMatchObject({ status: 'failed', error: { message: 'no such\u001b[31m page' } })
    expect(json.stdout).not.toContain('\u001b')
    expect(json.code).toBe(1)
  })

  test('a job whose history does not replay is exit 5, with its result', async () => {
    const cwd = await newDirectory()
    // No clock and no chance, so nothing is caught before the replay at the end.
    const machine = `import { fromMachine } from 'aetheris'
      import { createMachine } from 'xstate'
      let asked = 0
      export const fickle = fromMachine('fickle', createMachine({
        initial: 'end', states: { end: { type: 'final' } }, output: () => { asked += 1; return asked },
      }))`
    writeFileSync(join(cwd, 'fickle.ts'), machine)
    const { code, stdout } = await inProcess(['run', 'fickle.ts', '--id', 'it'], { cwd })
    expect(stdout).toMatch(/^1\nit completed: 2 events, replay: diverged at seq \d, .*output: recorded \d, now \d\n$/)
    expect(code).toBe(5)
  })

  test('stays while a tool is asked how its call had ended', async () => {
    const cwd = await newDirectory()
    const before = await openRuntime({ store: levelStore(join(cwd, '.aetheris')), agents: [wiring] })
    const job = await before.spawn(wiring, {}, { id: 'wire' })
    await job.waitFor(({ pending }) => pending[0]?.status === 'started')
    await before.close()
    const { code, stdout, stderr } = await run('wiring', ['--id', 'wire'], { cwd })
    expect(stderr).toContain('wire: its tool says completed')
    expect(stdout).toContain('"found it"')
    expect(code).toBe(0)
  })

  test('stays while a job that it has started is in the middle of something, and names it', async () => {
    const cwd = await newDirectory()
    const { code, stdout, stderr } = await run('launching', ['--id', 'top'], { cwd })
    expect(stdout).toContain('"jobId": "top/part"')
    expect(stderr).toMatch(/Job top\/part, which it has started, has not ended\. Go on with:\n {2}.* --id top\/part\n$/)
    expect(code).toBe(0)
    expect((await inProcess(['why', 'top/part'], { cwd })).stdout).toMatch(/^review waits for/)
  })

  test('stays for timers, and with --no-wait does not', async () => {
    const { code, stdout } = await run('napping', ['--id', 'nap', '--no-wait'])
    expect(stdout).toMatch(/^nap sleeps until [-\dT:]+Z\. Go on with:\n {2}aetheris run \S+ --id nap\n$/)
    expect(code).toBe(4)
  })

  test('finds the agents of any kind of module, wherever it lies, with this package as aetheris', async () => {
    const folder = await newDirectory()
    const body = (imports: string, exported: string) => `${imports}
      ${exported} agent({ name: 'made', input: z.any(), output: z.any(), plan: () => 'done' })`
    const imports = "import { agent } from 'aetheris'\nimport { z } from 'zod'"
    writeFileSync(join(folder, 'typed.ts'), body(`${imports}\nenum Kind { A }\nawait Kind.A`, 'export const made ='))
    writeFileSync(join(folder, 'plain.js'), body(imports, 'export default'))
    writeFileSync(join(folder, 'module.mjs'), body(imports, 'export const made ='))
    for (const module of ['typed.ts', 'plain.js', 'module.mjs']) {
      const { code, stdout, stderr } = await aetheris(['run', module], { cwd: folder })
      expect(`${stdout}${stderr}`).toContain('completed: 4 events, replay: identical')
      expect(code).toBe(0)
    }
  })

  test('shows the line of the module that an error comes from', async () => {
    const cwd = await newDirectory()
    const module = (name: string, plan: string) => {
      const text = `import { agent, tool } from 'aetheris'
import { z } from 'zod'
const text = z.object({ text: z.string() })
const say = tool({ name: 'say', input: text, output: text, run: (given) => given })
const ideas: string[] = []
export const made = agent({
  name: 'made', input: z.any(), output: z.any(), tools: [say],
  plan(graph) {
    ${plan}
  },
})`
      writeFileSync(join(cwd, name), text)
    }
    module('mixed.ts', "return 'More of '.concat(graph.call('a', say, { text: 'tea' }).text)")
    const mixed = await aetheris(['run', 'mixed.ts'], { cwd })
    expect(mixed.stderr).toMatch(
      /^aetheris: The plan is not valid\. The reference a\.text cannot be put into a text .*\n {2}at mixed\.ts:9\n {4}return 'More of '\.concat\(.*\n$/,
    )
    expect(mixed.code).toBe(2)
    const json = JSON.parse((await aetheris(['run', 'mixed.ts', '--json'], { cwd })).stdout)
    expect(json).toMatchObject({ error: { code: 'PLAN_INVALID', at: expect.stringMatching(/\/mixed\.ts:9$/) } })
    module('broken.ts', 'return ideas[0].length')
    const broken = await aetheris(['run', 'broken.ts'], { cwd })
    expect(broken.stderr).toMatch(/^aetheris: Cannot read .*\n {2}at broken\.ts:9\n {4}return ideas\[0\]\.length\n$/)
    expect(broken.code).toBe(1)
    writeFileSync(join(cwd, 'loading.ts'), "import { agent } from 'aetheris'\nagent({ name: '-' })")
    const loading = await aetheris(['run', 'loading.ts'], { cwd })
    expect(loading.stderr).toMatch(/could not be loaded: .*\n {2}at loading\.ts:2\n {4}agent\(\{ name: '-' \}\)\n$/)
    expect(loading.code).toBe(2)
  })

  test.each([
    ['no module', ['run'], "missing required argument 'MODULE'"],
    ['a module that is not there', ['run', 'nowhere.ts'], 'There is no module'],
    ['a directory as module', ['run', '.'], 'is a directory; name the file in it that exports the agent'],
    ['a module that is no code', ['run', 'data.json'], 'is no TypeScript or JavaScript'],
    ['a module that is broken', ['run', 'broken.ts'], 'could not be loaded'],
    ['a module without agents', ['run', 'empty.ts'], 'exports no agent (it exports: answer)'],
    ['no choice of agents', ['run', agents], 'exports several agents; choose one with --agent:\n'],
    ['an agent that it does not have', ['run', agents, '--agent', 'nobody'], 'exports no agent "nobody"'],
    ['an input that is no JSON', ['run', agents, '--agent', 'echo', '--input', '{text}'], 'The --input is not JSON'],
    ['an input that does not fit', ['run', agents, '--agent', 'echo', '--input', '{"text":1}'], 'text: Invalid input'],
    ['no input where one is needed', ['run', agents, '--agent', 'counting'], 'There is no --input; add --input JSON'],
    ['an input file that is not there', ['run', agents, '--agent', 'echo', '--input', '@gone'], 'ENOENT'],
    ['an input file that is a directory', ['run', agents, '--agent', 'echo', '--input', '@.'], 'EISDIR'],
    ['an empty stdin', ['run', agents, '--agent', 'echo', '--input', '-'], 'it is empty'],
    ['an illegal id', ['run', agents, '--agent', 'echo', '--id', 'no spaces'], 'The job id "no spaces" is not valid'],
    ['an unknown option', ['run', agents, '--agnet', 'echo'], "unknown option '--agnet'"],
    ['one argument too many', ['run', agents, 'echo'], 'too many arguments'],
    ['a file as data directory', ['run', agents, '--agent', 'echo', '--data', 'empty.ts'], 'is not a directory'],
    ['a foreign data directory', ['run', agents, '--agent', 'echo', '--data', '.'], 'is no data directory of Aetheris'],
    ['an empty data directory name', ['run', agents, '--agent', 'echo', '--data', ''], '--data is empty'],
  ])('%s is exit 2, says so, and with --json as JSON', async (_, words, message) => {
    const cwd = await newDirectory()
    writeFileSync(join(cwd, 'broken.ts'), 'export const = 1')
    writeFileSync(join(cwd, 'empty.ts'), 'export const answer = 42')
    writeFileSync(join(cwd, 'data.json'), '{}')
    const { code, stdout, stderr } = await inProcess([...words, '--json'], { cwd })
    expect(stderr).toContain(message)
    expect(stderr).not.toMatch(/ {4}at /)
    expect(JSON.parse(stdout)).toMatchObject({ error: { message: expect.stringContaining(message) } })
    expect(code).toBe(2)
    expect(existsSync(join(cwd, 'FORMAT'))).toBe(false)
  })
})

describe.concurrent('the program', () => {
  test('without a verb, or with an unknown one, is exit 2; help and version are exit 0', async () => {
    const cwd = await newDirectory()
    const none = await inProcess([], { cwd })
    expect(none).toMatchObject({ code: 2, stdout: '' })
    expect(none.stderr).toContain('Usage: aetheris')
    const wrong = await inProcess(['shwo'], { cwd })
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('Did you mean show?') })
    const help = await aetheris(['--help'], { cwd })
    expect(help).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('7 another process has the data'),
    })
    const ofVerb = await inProcess(['signal', '-h'], { cwd })
    expect(ofVerb).toMatchObject({ code: 0, stdout: expect.stringContaining('Usage: aetheris signal') })
    expect(await aetheris(['--version'], { cwd })).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    })
  })
})
