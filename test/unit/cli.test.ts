import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createMachine } from 'xstate'
import { z } from 'zod'
import { fromMachine } from '../../src/agent/machine-agent.ts'
import { signalsTaken } from '../../src/agent/signals-taken.ts'
import { AetherisError, errorCodes } from '../../src/base/error.ts'
import { outline } from '../../src/cli/about.ts'
import { commandOf } from '../../src/cli/command-line.ts'
import { exit, exitCodeOf, UsageError } from '../../src/cli/exit-codes.ts'
import { answerOf, exampleJson, type Field, fieldsOf, questionOf } from '../../src/cli/form.ts'
import { Recoveries } from '../../src/cli/recoveries.ts'
import { isAsleep, type Rest, restOf, together } from '../../src/cli/rest.ts'
import { cut, durationText, jsonText, printable, quoted, table, timeText } from '../../src/cli/text.ts'
import type { JobSnapshot, Pending } from '../../src/replay/job-snapshot.ts'
import { runs } from '../support/property.ts'

describe('text for terminals', () => {
  test('nothing in it moves a cursor or turns the direction of writing, and JSON stays the same value', () => {
    expect(printable('a\u001b[31mb\u0007\r\n\u202ec\u009b')).toBe('a\\u001b[31mb\\u0007\\u000d\\u000a\\u202ec\\u009b')
    const value = { '\u001b]0;x\u0007': ['\u202e', '\u0085'] }
    expect(jsonText(value)).toBe('{"\\u001b]0;x\\u0007":["\\u202e","\\u0085"]}')
    expect(JSON.parse(jsonText(value, 2))).toEqual(value)
  })

  test('an argument is what a shell makes of it', () => {
    const argument = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'))
    fc.assert(
      fc.property(argument, (text) => {
        expect(execFileSync('sh', ['-c', `printf %s ${quoted(text)}`]).toString()).toBe(text)
      }),
      { ...runs<[string]>(50), examples: [["it's"], ['$HOME `x` "y" \\'], ['-rf'], [''], ['a\nb'], ['~']] },
    )
  })

  test.each([
    [0, '0 ms'],
    [999, '999 ms'],
    [1_234, '1.2 s'],
    [60_000, '1 min'],
    [5_400_000, '1.5 h'],
    [259_200_000, '3 d'],
  ])('%d milliseconds are %s', (ms, text) => expect(durationText(ms)).toBe(text))

  test('tables, cut lines and times', () => {
    expect(
      table([
        ['a', 'bb'],
        ['ccc', 'd'],
        ['e', ''],
      ]),
    ).toEqual(['a    bb', 'ccc  d', 'e'])
    expect([cut('abcdef', 6), cut('abcdefg', 6), cut('abc', 1)]).toEqual(['abcdef', 'abcde…', '…'])
    expect(timeText(Date.UTC(2026, 0, 2, 3, 4, 5, 678))).toBe('2026-01-02T03:04:05Z')
  })
})

test.each([
  ['/home/ana/proj/node_modules/.bin/aetheris', {}, 'npx aetheris'],
  ['/usr/local/bin/aetheris', {}, 'aetheris'],
  ['/home/ana/aetheris/dist/src/cli/main.js', {}, 'node ../aetheris/dist/src/cli/main.js'],
  ['/home/ana/aetheris/dist/src/cli/main.js', { AETHERIS_COMMAND: 'npm start --' }, 'npm start --'],
])('started as %s, the command to type is %s %s', (script, env, command) => {
  expect(commandOf(script, '/home/ana/proj', env)).toBe(command)
})

test('every error has an exit code that says whose turn it is', () => {
  const codes = Object.keys(errorCodes) as (keyof typeof errorCodes)[]
  for (const code of codes) expect(Object.values(exit)).toContain(exitCodeOf(new AetherisError(code, 'x')))
  expect(exitCodeOf(new AetherisError('STORE_CORRUPT', 'x'))).toBe(6)
  expect(exitCodeOf(new AetherisError('STORE_LOCKED', 'x'))).toBe(7)
  expect(exitCodeOf(new UsageError('x'))).toBe(2)
  expect(exitCodeOf('thrown')).toBe(1)
})

describe('a signal as a form', () => {
  const payload = z.object({
    ok: z.boolean(),
    by: z.string().describe('your name'),
    level: z.enum(['low', 'high']),
    count: z.int().optional(),
  })
  const [ok, by, level, count] = fieldsOf(payload) as [Field, Field, Field, Field]

  test('asks for each field', () => {
    expect([ok, by, level, count].map(questionOf)).toEqual([
      'ok (yes or no): ',
      'by (text, your name): ',
      'level (low / high): ',
      'count (number, may be left empty): ',
    ])
  })

  test('takes what people type, and says why not', () => {
    expect(['y', 'Yes', ' true '].map((typed) => answerOf(ok, typed))).toEqual(Array(3).fill({ value: true }))
    expect(answerOf(ok, 'N')).toEqual({ value: false })
    expect(answerOf(ok, 'sure')).toEqual({ problem: 'Answer yes or no.' })
    expect(answerOf(by, ' Ana ')).toEqual({ value: 'Ana' })
    expect(answerOf(by, ' ')).toEqual({ problem: 'An answer is needed.' })
    expect(answerOf(level, 'high')).toEqual({ value: 'high' })
    expect(answerOf(level, 'middle')).toEqual({ problem: 'Answer one of: low, high.' })
    expect(answerOf(count, '1e2')).toEqual({ value: 100 })
    expect(answerOf(count, '')).toEqual({})
    expect(answerOf(count, 'Infinity')).toEqual({ problem: 'That is not a number.' })
  })

  test('has an example to start from', () => {
    expect(exampleJson(payload)).toBe('{"ok":true,"by":"TEXT","level":"low"}')
  })

  test.each([
    ['nested', z.object({ who: z.object({ name: z.string() }) })],
    ['a list', z.object({ names: z.array(z.string()) })],
    ['no object', z.string()],
    ['a union', z.union([z.object({ a: z.string() }), z.object({ b: z.string() })])],
    ['not sayable as JSON Schema', z.custom<string>(() => true)],
  ])('a schema that is %s is asked for as JSON', (_, schema) => {
    expect(fieldsOf(schema)).toBeUndefined()
    expect(exampleJson(schema)).toBe('JSON')
  })
})

describe('what a job rests on', () => {
  const pending = (status: Pending['status'], more: Partial<Pending> = {}): Pending => ({
    ...{ effect: 'a', kind: 'call', attempt: 1, status, since: 0 },
    ...more,
  })
  const at = (all: Pending[], isHeld = false) => {
    const held = isHeld ? { type: 'paused', by: 'ana', since: 0 } : undefined
    const snapshot = { jobId: 'j', status: 'active', value: { running: {} }, pending: all, isHeld, held }
    return restOf({ agent: undefined, snapshot: snapshot as unknown as JobSnapshot }, 1_000)
  }
  /** Why, and until when. */
  const seen = (rest: Rest | undefined) =>
    rest && { ...rest, owed: rest.owed.map(({ reason: { kind, effect, moves } }) => [kind, effect, ...moves]) }
  const nothing = { owed: [] as unknown[], dueAt: undefined, children: [] }

  test.each(['requested', 'started', 'ready', 'interrupted', 'answered'] as const)('%s is busy', (status) => {
    expect(at([pending(status), pending('waiting', { signal: 'x' })])).toBeUndefined()
  })

  test('a wait is for somebody, also beside a timer; a timer that is due is busy', () => {
    const wait = pending('waiting', { effect: 'review', signal: 'approval', dueAt: 2_000 })
    const rest = at([wait, pending('sleeping', { dueAt: 5_000 })])
    expect(seen(rest)).toEqual({ ...nothing, owed: [['signal', 'review', 'signal approval JSON']], dueAt: 2_000 })
    expect(isAsleep(rest as Rest)).toBe(false)
    expect(at([wait, pending('sleeping', { dueAt: 1_000 })])).toBeUndefined()
    expect(seen(at([pending('unknown')]))?.owed).toEqual([['outcome', 'a', ...resolutions]])
    expect(seen(at([pending('approving')]))?.owed).toEqual([['approval', 'a', 'approve a', 'deny a']])
  })
  const resolutions = ['resolve a --completed JSON', 'resolve a --failed MESSAGE', 'resolve a --again']

  test('only timers: until the first one', () => {
    const rest = at([pending('sleeping', { dueAt: 5_000 }), pending('backoff', { dueAt: 3_000 })]) as Rest
    expect(rest).toEqual({ ...nothing, dueAt: 3_000 })
    expect(isAsleep(rest)).toBe(true)
  })

  test('paused: what is under way still ends, nothing else starts', () => {
    expect(seen(at([pending('requested')], true))).toEqual({ ...nothing, owed: [['paused', undefined, 'resume']] })
    expect(at([pending('started')], true)).toBeUndefined()
  })

  test('jobs that wait for each other rest on what any of them rests on', () => {
    const parent = at([pending('awaiting', { childId: 'j/a' }), pending('sleeping', { dueAt: 9_000 })]) as Rest
    expect(parent).toEqual({ ...nothing, dueAt: 9_000, children: ['j/a'] })
    const child = at([pending('waiting', { signal: 'x', dueAt: 4_000 })]) as Rest
    expect(together([parent, child])).toEqual({ ...parent, owed: child.owed, dueAt: 4_000 })
  })

  test('a hand-written machine takes the signals of the states it is in', () => {
    const machine = createMachine({
      type: 'parallel',
      on: { stop: '.b.y' },
      states: {
        a: {
          initial: 'one',
          states: { one: { on: { go: 'two', 'signal.hurry': 'two' } }, two: { on: { back: 'one' } } },
        },
        b: { initial: 'x', states: { x: { on: { jump: 'y', '*': 'y' } }, y: {} } },
      },
    })
    const agent = fromMachine('m', machine)
    expect(signalsTaken(agent, { running: { a: 'one', b: 'x' } })).toEqual(['stop', 'go', 'hurry', 'jump'])
    expect(signalsTaken(agent, { paused: { a: 'two', b: 'y' } })).toEqual(['stop', 'back'])
    expect(signalsTaken(agent, 'completed')).toEqual([])
  })

  test('a hand-written machine that only may take a signal is asleep while a timer moves it', () => {
    const agent = fromMachine('m', createMachine({ initial: 'a', states: { a: { on: { go: 'b' } }, b: {} } }))
    const resting = (state: string, all: Pending[]) => {
      const snapshot = { jobId: 'j', status: 'active', value: { running: state }, pending: all }
      return restOf({ agent, snapshot: snapshot as unknown as JobSnapshot }, 0) as Rest
    }
    expect(isAsleep(resting('a', []))).toBe(false)
    expect(seen(resting('a', []))?.owed).toEqual([['signal', undefined, 'signal go JSON']])
    expect(isAsleep(resting('a', [pending('sleeping', { dueAt: 1 })]))).toBe(true)
    expect(seen(resting('b', []))?.owed).toEqual([['machine', undefined, 'cancel', 'terminate']])
  })
})

test('what crashes have cost is read off the history', () => {
  const recoveries = new Recoveries()
  const add = (type: string, data: object) => recoveries.add({ type, data } as never)
  add('node.started', { effect: 'a' })
  add('node.completed', { effect: 'a' })
  add('node.started', { effect: 'b' })
  add('job.recovered', { epoch: 2 })
  add('node.attempted', { effect: 'b', cause: 'recovery' })
  add('node.attempted', { effect: 'b', cause: 'retry' })
  expect({ ...recoveries }).toEqual({ count: 1, kept: 1, again: 1, repeated: 0 })
  expect(String(recoveries)).toBe(
    'Taken up again 1 time: 1 completed step kept, 0 of them done again; 1 step under way started again',
  )
  add('node.attempted', { effect: 'a', cause: 'recovery' })
  expect(recoveries.repeated).toBe(1)
})

test('an outline shows keys, items of lists, and cuts the rest', () => {
  expect(outline({ n: 1, list: [{ a: 1 }, 'b'], empty: [], deep: { x: [1] } })).toEqual([
    ...['n: 1', 'list: 2 items', '  {"a":1}', '  "b"', 'empty: []', 'deep: {"x":[1]}'],
  ])
  expect(outline(Array.from({ length: 12 }, (_, n) => n))).toEqual([...'0123456789', 'and 2 more'])
  expect(outline('x'.repeat(200))[0]).toHaveLength(110)
  expect(outline(null)).toEqual(['null'])
})
