import { spawn, spawnSync } from 'node:child_process'
import { afterAll, describe, expect, test } from 'vitest'
import { agents, main } from '../support/cli.ts'
import { newDirectory, removeDirectories } from '../support/store-data.ts'

afterAll(removeDirectories)

interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

/** What somebody types when a program has shown something; its stdin does not end. */
interface Typing {
  when: string
  typed: string
}

/** Runs a program in a directory of its own. */
async function start(program: string, words: string[], typing?: Typing): Promise<Ended> {
  const cwd = await newDirectory()
  const child = spawn(program, words, { cwd, env: { ...process.env, NO_COLOR: '1', TERM: 'xterm' } })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk) => {
    const isAsked = typing !== undefined && !stdout.includes(typing.when) && (stdout + chunk).includes(typing.when)
    stdout += chunk
    if (isAsked) child.stdin.write(typing.typed)
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  if (typing === undefined) child.stdin.end()
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })))
}

const shell = (line: string) => start('sh', ['-c', line])

const cli = `'${process.execPath}' '${main}'`
const run = (agent: string, ...words: string[]) => [cli, 'run', agents, '--agent', agent, ...words].join(' ')

describe.concurrent('streams', () => {
  test('a reader that leaves is no error', async () => {
    const { stdout, stderr } = await shell(
      `${run('echo', '--id a')} >&2; { ${cli} events a; echo "exit $?" >&2; } | head -1`,
    )
    expect(stdout).toMatch(/^ +0 .*job\.created.*\n$/)
    expect(stderr).toMatch(/replay: identical\nexit 0\n$/)
    expect((await shell(`{ ${run('echo')}; echo "exit $?" >&2; } | true`)).stderr).toMatch(/say completed\nexit 0\n$/)
  })

  test('a stdin, stdout or stderr that is closed is no error either', async () => {
    expect(await shell(`${run('echo', '--id', 'b')} <&-`)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('hello'),
    })
    expect(await shell(`${run('careful', '--id', 'c')} <&-`)).toMatchObject({ code: 4 })
    expect(await shell(`${run('echo', '--input', '-')} <&-`)).toMatchObject({ code: 2 })
    expect((await shell(`${run('echo')} >&- 2>&-`)).code).toBe(0)
  })
})

// What only a terminal gets is tried on a pseudo-terminal, where the usual program that makes one is installed.
const hasScript = spawnSync('script', ['--version']).stdout?.includes('util-linux') ?? false

/** What the terminal shows, with carriage returns taken off. */
async function terminal(line: string, typed = '', when = '): '): Promise<{ code: number | null; shown: string }> {
  const { code, stdout } = await start('script', ['-qec', line, '/dev/null'], { when, typed })
  return { code, shown: stdout.replaceAll('\r\n', '\n') }
}

describe.skipIf(!hasScript).concurrent('on a terminal', () => {
  test('it asks there and then, field by field, until the answers fit', async () => {
    const answers = ['maybe', 'yes', '', 'A', 'three', '3', 'no', 'Ana', '']
    const { code, shown } = await terminal(run('careful', '--id', 'd'), answers.map((line) => `${line}\n`).join(''))
    expect(shown).toContain('review waits for "approval".\nsay gave:\n  "hello"\n')
    expect(shown).toContain('Answer yes or no.')
    expect(shown).toContain('An answer is needed.')
    expect(shown).toContain('That is not a number.')
    expect(shown).toContain('by: Too small')
    expect(shown).toMatch(/"by": "Ana"\n\}\nd completed: 9 events, replay: identical\n$/)
    expect(code).toBe(0)
  })

  test('it asks for JSON where the payload has another form', async () => {
    const { code, shown } = await terminal(
      run('commented', '--id', 'e'),
      '{lines}\n{"lines":["shorter"]}\n',
      'as JSON: ',
    )
    expect(shown).toContain('That is not JSON')
    expect(shown).toMatch(/e completed: \d events, replay: identical\n$/)
    expect(code).toBe(0)
  })

  test('Ctrl-D leaves the question open, Ctrl-C stops, and both say how to go on', async () => {
    const left = await terminal(run('careful', '--id', 'f'), '\u0004')
    expect(left.shown).toMatch(/f waits for somebody\.\n[\s\S]* signal f approval '\{"approved":true,"by":"TEXT"\}'\n$/)
    expect(left.code).toBe(4)
    const stopped = await terminal(run('careful', '--id', 'f'), '\u0003')
    expect(stopped.shown).toMatch(/Stopped after 6 events, all of them kept\. Go on with:\n.* --id f\n$/)
    expect(stopped.code).toBe(130)
  })

  test('with --no-wait it asks nothing', async () => {
    const { code, shown } = await terminal(run('careful', '--id', 'f', '--no-wait'))
    expect(shown).toContain('f waits for somebody.')
    expect(shown).not.toContain('yes or no')
    expect(code).toBe(4)
  })

  test('a line shows how it gets on, and nothing is coloured', async () => {
    const { shown } = await terminal(run('echo', '--id', 'g'))
    const sequences = shown.split('\u001b').slice(1)
    expect(sequences.length).toBeGreaterThan(0)
    for (const sequence of sequences) expect(sequence).toMatch(/^\[2K/)
  })
})
