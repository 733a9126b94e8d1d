import {
  type AnyActorRef,
  and,
  assign,
  cancel,
  createMachine,
  emit,
  enqueueActions,
  forwardTo,
  fromPromise,
  fromTransition,
  log,
  not,
  or,
  raise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stateIn,
  stopChild,
} from 'xstate'
import type { MachineCase } from './machine-runs.ts'

/** Hand-written machines, each with what it is told. Together they use what XState has to offer. */

const double = fromPromise(async ({ input }: { input: number }) => input * 2)
const fail = fromPromise(async ({ input }: { input: string }): Promise<string> => {
  throw new Error(`no ${input}`)
})

/** Calls may be repeated, so that a run that dies comes to the same end. */
const repeatable = (...names: string[]) => ({
  effects: Object.fromEntries(
    names.map((name) => [name, { effect: 'idempotent' as const, retry: { maxAttempts: 1 } }]),
  ),
})

interface Log {
  log: string[]
}
/** Fits wherever an action does. */
const note = (text: string): never =>
  assign({ log: ({ context }: { context: Log }) => [...context.log, text] }) as never

/** A named and an inline promise actor, one after the other, and what they gave as output. */
const promises: MachineCase = {
  input: { n: 3 },
  options: repeatable('double', 'again'),
  machine: setup({
    types: { context: {} as { n: number }, input: {} as { n: number }, output: {} as { n: number } },
    actors: { double },
  }).createMachine({
    id: 'promises',
    context: ({ input }) => ({ n: input.n }),
    initial: 'named',
    states: {
      named: {
        invoke: {
          src: 'double',
          input: ({ context }) => context.n,
          onDone: { target: 'inline', actions: assign({ n: ({ event }) => event.output }) },
        },
      },
      inline: {
        invoke: {
          id: 'again',
          src: fromPromise(async ({ input }: { input: number }) => ({ plusOne: input + 1 })),
          input: ({ context }: { context: { n: number } }) => context.n,
          onDone: {
            target: 'end',
            actions: assign({ n: ({ event }) => (event.output as { plusOne: number }).plusOne }),
          },
        } as never,
      },
      end: { type: 'final' },
    },
    output: ({ context }) => ({ n: context.n }),
  }),
}

/** Two calls at once; the state is left when both have ended. */
const both: MachineCase = {
  options: repeatable('left', 'right'),
  machine: setup({ types: { context: {} as Record<string, number> }, actors: { double } }).createMachine({
    context: {},
    initial: 'calling',
    states: {
      calling: {
        invoke: [
          { id: 'left', src: 'double', input: 1, onDone: { actions: assign({ left: ({ event }) => event.output }) } },
          { id: 'right', src: 'double', input: 2, onDone: { actions: assign({ right: ({ event }) => event.output }) } },
        ],
        always: { guard: ({ context }) => 'left' in context && 'right' in context, target: 'end' },
      },
      end: { type: 'final' },
    },
    output: ({ context }) => context,
  }),
}

/** An error that is handled, one that is not, and one that a child machine passes on. */
const errors: MachineCase = {
  options: repeatable('fail', 'broken'),
  machine: setup({ types: { context: {} as Log }, actors: { fail } }).createMachine({
    context: { log: [] },
    initial: 'handled',
    states: {
      handled: {
        invoke: {
          src: 'fail',
          input: 'bread',
          onDone: 'end',
          onError: {
            target: 'child',
            actions: assign({ log: ({ context, event }) => [...context.log, (event.error as Error).message] }),
          },
        },
      },
      child: {
        invoke: {
          src: createMachine({
            initial: 'on',
            states: { on: { invoke: { id: 'broken', src: fail, input: 'milk' } } },
          }),
          onError: {
            target: 'end',
            actions: assign({ log: ({ context, event }) => [...context.log, (event.error as Error).message] }),
          },
        },
      },
      end: { type: 'final' },
    },
    output: ({ context }) => context.log,
  }),
}

const unhandled: MachineCase = {
  options: repeatable('fail'),
  machine: setup({ actors: { fail } }).createMachine({
    initial: 'on',
    states: { on: { invoke: { src: 'fail', input: 'bread', onDone: 'end' } }, end: { type: 'final' } },
  }),
}

/** A guard that throws, as a bug in a machine does. */
const throwing: MachineCase = {
  steps: [{ type: 'go' }],
  machine: createMachine({
    initial: 'on',
    states: {
      on: {
        on: {
          go: {
            guard: () => {
              throw new Error('a bug')
            },
            target: 'off',
          },
        },
      },
      off: {},
    },
  }),
}

/** Delays by number, by name and by function, and one that an event takes back. */
const delays: MachineCase = {
  input: { patience: 700 },
  steps: [100, { type: 'tick' }, 500, 1_000, 700, { type: 'stop' }, 5_000],
  machine: setup({
    types: { context: {} as Log & { patience: number }, input: {} as { patience: number } },
    delays: { short: 500, byContext: ({ context }) => context.patience },
  }).createMachine({
    context: ({ input }) => ({ log: [], patience: input.patience }),
    initial: 'byNumber',
    states: {
      byNumber: { on: { tick: { actions: note('tick') } }, after: { 200: 'byName' } },
      byName: { entry: note('byName'), after: { short: { target: 'byFunction', actions: note('short') } } },
      byFunction: { after: { byContext: { target: 'guarded', actions: note('patience') } } },
      guarded: {
        after: {
          100: [
            { guard: () => false, target: 'wrong' },
            { guard: ({ context }) => context.log.length > 0, target: 'raced' },
          ],
        },
      },
      raced: { on: { stop: 'stopped' }, after: { 1000: 'wrong' } },
      stopped: { entry: note('stopped'), type: 'final' },
      wrong: { type: 'final', entry: note('wrong') },
    },
    output: ({ context }) => context.log,
  }),
}

/** A state that is entered again starts its delay and its call anew. */
const reentry: MachineCase = {
  steps: [600, { type: 'again' }, 600, { type: 'inner' }, 600],
  options: repeatable('double'),
  machine: setup({ types: { context: {} as Log & { calls: number } }, actors: { double } }).createMachine({
    context: { log: [], calls: 0 },
    initial: 'on',
    states: {
      on: {
        invoke: { src: 'double', input: 2, onDone: { actions: assign({ calls: ({ context }) => context.calls + 1 }) } },
        on: { again: { target: 'on', reenter: true, actions: note('again') }, inner: { actions: note('inner') } },
        after: { 1000: 'off' },
      },
      off: { type: 'final' },
    },
    output: ({ context }) => context,
  }),
}

/** Regions that hear the same events, end one by one, and see each other. */
const parallel: MachineCase = {
  steps: [{ type: 'a' }, { type: 'both' }, { type: 'b' }, { type: 'both' }, { type: 'a' }, { type: 'both' }],
  machine: setup({ types: { context: {} as Log } }).createMachine({
    id: 'regions',
    context: { log: [] },
    type: 'parallel',
    states: {
      zebra: {
        initial: 'one',
        states: {
          one: { on: { a: 'two', both: { actions: note('z1') } } },
          two: { on: { a: 'one', both: { actions: note('z2') } } },
        },
      },
      ant: {
        initial: 'one',
        states: {
          one: { on: { b: 'two', both: { actions: note('a1') } } },
          two: { on: { both: { actions: note('a2') } } },
        },
      },
      monkey: {
        initial: 'deep',
        states: {
          deep: {
            type: 'parallel',
            states: {
              y: {
                initial: 'one',
                states: { one: { on: { a: 'two' } }, two: { on: { both: { actions: note('my2') } } } },
              },
              x: {
                initial: 'one',
                states: {
                  one: { on: { b: 'two', both: { actions: note('mx1') } } },
                  two: { on: { both: { actions: note('mx2') } } },
                },
              },
            },
          },
        },
      },
    },
  }),
}

/** All regions final, then onDone, with what the final states put out. */
const joined: MachineCase = {
  options: repeatable('double'),
  steps: [{ type: 'go' }, 300],
  machine: setup({ types: { context: {} as Log & { sum: number } }, actors: { double } }).createMachine({
    context: { log: [], sum: 0 },
    initial: 'work',
    states: {
      work: {
        type: 'parallel',
        states: {
          call: {
            initial: 'calling',
            states: {
              calling: {
                invoke: {
                  src: 'double',
                  input: 21,
                  onDone: { target: 'done', actions: assign({ sum: ({ event }) => event.output }) },
                },
              },
              done: { type: 'final' },
            },
            onDone: { actions: note('call done') },
          },
          event: { initial: 'waiting', states: { waiting: { on: { go: 'done' } }, done: { type: 'final' } } },
          time: { initial: 'waiting', states: { waiting: { after: { 300: 'done' } }, done: { type: 'final' } } },
        },
        onDone: { target: 'end', actions: note('all done') },
      },
      end: { type: 'final', output: ({ context }) => context.sum },
    },
    output: ({ event }) => (event as { output?: unknown }).output as never,
  }),
}

/** Shallow and deep history, with and without a default. */
const history: MachineCase = {
  steps: [
    { type: 'off' },
    { type: 'shallow' },
    { type: 'next' },
    { type: 'next' },
    { type: 'off' },
    { type: 'deep' },
    { type: 'next' },
    { type: 'off' },
    { type: 'shallow' },
    { type: 'off' },
    { type: 'fallback' },
  ],
  machine: createMachine({
    id: 'player',
    context: { log: [] as string[] },
    initial: 'playing',
    states: {
      playing: {
        initial: 'intro',
        on: { off: 'off' },
        states: {
          intro: { on: { next: 'song' } },
          song: {
            initial: 'verse',
            states: { verse: { on: { next: 'chorus' } }, chorus: { entry: note('chorus'), on: { next: 'verse' } } },
          },
          shallow: { type: 'history' },
          deep: { type: 'history', history: 'deep' },
        },
      },
      other: { initial: 'x', states: { x: {}, y: {}, back: { type: 'history', target: 'y' } }, on: { off: 'off' } },
      off: { on: { shallow: 'playing.shallow', deep: 'playing.deep', fallback: 'other.back' } },
    },
  }),
}

const counter = setup({
  types: { context: {} as { n: number }, input: {} as { n: number }, output: {} as { n: number } },
  actors: { double },
}).createMachine({
  id: 'counter',
  context: ({ input }) => input,
  initial: 'idle',
  states: {
    idle: {
      on: { add: { actions: assign({ n: ({ context }) => context.n + 1 }) }, double: 'doubling', finish: 'end' },
    },
    doubling: {
      invoke: {
        src: 'double',
        input: ({ context }) => context.n,
        onDone: {
          target: 'idle',
          actions: [assign({ n: ({ event }) => event.output }), sendParent({ type: 'doubled' })],
        },
      },
    },
    end: { type: 'final' },
  },
  after: { 10000: '.end' },
  output: ({ context }) => ({ n: context.n }),
})

/** A child machine with calls and delays of its own, that parent and child talk to. */
const children: MachineCase = {
  steps: [{ type: 'add' }, { type: 'double' }, 300, { type: 'add' }, { type: 'finish' }],
  options: repeatable('double'),
  machine: setup({ types: { context: {} as Log & { n: number } }, actors: { counter } }).createMachine({
    context: { log: [], n: 0 },
    initial: 'counting',
    states: {
      counting: {
        invoke: {
          id: 'counter',
          src: 'counter',
          input: { n: 5 },
          onDone: { target: 'end', actions: assign({ n: ({ event }) => event.output.n }) },
        },
        on: {
          add: { actions: sendTo('counter', { type: 'add' }) },
          double: { actions: forwardTo('counter') },
          finish: { actions: sendTo('counter', ({ event }) => event) },
          doubled: { actions: note('doubled') },
        },
      },
      end: { type: 'final' },
    },
    output: ({ context }) => context,
  }),
}

/** Two inline child machines deep, and one that times out in there. */
const nested: MachineCase = {
  steps: [400],
  options: repeatable('inner'),
  machine: createMachine({
    id: 'outer',
    initial: 'on',
    states: {
      on: {
        invoke: {
          src: createMachine({
            id: 'middle',
            initial: 'on',
            states: {
              on: {
                invoke: {
                  id: 'deep',
                  src: createMachine({
                    id: 'deep',
                    initial: 'wait',
                    states: {
                      wait: { after: { 400: 'call' } },
                      call: { invoke: { id: 'inner', src: fromPromise(async () => 'from below'), onDone: 'end' } },
                      end: { type: 'final', output: ({ event }) => (event as unknown as { output: string }).output },
                    },
                    output: ({ event }) => (event as unknown as { output: string }).output,
                  }),
                  onDone: 'end',
                },
              },
              end: { type: 'final', output: ({ event }) => (event as unknown as { output: string }).output },
            },
            output: ({ event }) => (event as unknown as { output: string }).output,
          }),
          onDone: { target: 'end', actions: assign({ got: ({ event }) => event.output }) as never },
        },
      },
      end: { type: 'final' },
    },
    output: ({ context }) => (context as { got: string }).got,
  }),
}

/** Eventless transitions and raised events, several of them in one step. */
const eventless: MachineCase = {
  input: { n: 4 },
  steps: [{ type: 'count' }],
  machine: setup({ types: { context: {} as Log & { n: number }, input: {} as { n: number } } }).createMachine({
    context: ({ input }) => ({ log: [], n: input.n }),
    initial: 'idle',
    states: {
      idle: { on: { count: { target: 'counting', actions: raise({ type: 'first' }) } } },
      counting: {
        on: {
          first: { actions: [note('first'), raise(({ context }) => ({ type: 'second', left: context.n }))] },
          second: { actions: note('second') },
        },
        always: [
          {
            guard: ({ context }) => context.n > 0,
            actions: [assign({ n: ({ context }) => context.n - 1 }), note('down')],
            target: 'counting',
            reenter: true,
          },
          { guard: ({ context }) => context.log.includes('second'), target: 'end' },
        ],
      },
      end: { type: 'final' },
    },
    output: ({ context }) => context.log,
  }),
}

/** Decides at run time what to do: assigns, sends, raises, starts and stops children. */
const enqueued: MachineCase = {
  steps: [
    { type: 'start', count: 2 },
    { type: 'start', count: 1 },
    { type: 'start', count: 0 },
    { type: 'drop' },
    { type: 'end' },
  ],
  options: repeatable('double'),
  machine: setup({
    types: { context: {} as Log & { total: number; started: number } },
    actors: { double, counter },
    guards: { early: ({ context }) => context.started < 3 },
    actions: { mark: note('marked') },
  }).createMachine({
    context: { log: [], total: 0, started: 0 },
    initial: 'on',
    states: {
      on: {
        on: {
          start: {
            actions: enqueueActions(({ context, event, enqueue, check }) => {
              for (let index = 0; index < event['count']; index += 1) {
                enqueue.spawnChild('double', {
                  id: `double-${context.started + index}`,
                  input: context.started + index,
                })
              }
              enqueue.assign({ started: context.started + event['count'] })
              if (check('early')) enqueue('mark' as never)
              if (check(not('early'))) enqueue.spawnChild('counter', { id: 'count', input: { n: 1 } })
              enqueue.raise({ type: 'started' })
              enqueue.emit({ type: 'news' } as never)
            }),
          },
          started: { actions: note('started') },
          drop: {
            actions: enqueueActions(({ enqueue }) => {
              enqueue.sendTo('count', { type: 'add' })
              enqueue.stopChild('count')
            }),
          },
          end: 'end',
          'xstate.done.actor.*': {
            actions: assign({
              total: ({ context, event }) => context.total + (event as unknown as { output: number }).output,
            }),
          },
        },
      },
      end: { type: 'final' },
    },
    output: ({ context }) => context,
  }),
}

/** Children that are kept in the context, and spoken to by what is kept there. */
const spawned: MachineCase = {
  steps: [
    { type: 'open', name: 'a' },
    { type: 'open', name: 'b' },
    { type: 'add', name: 'a' },
    { type: 'close', name: 'b' },
    { type: 'add', name: 'a' },
    { type: 'finish', name: 'a' },
  ],
  machine: setup({
    types: { context: {} as { refs: Record<string, unknown>; outputs: unknown[] } },
    actors: { counter },
  }).createMachine({
    context: { refs: {}, outputs: [] },
    initial: 'on',
    states: {
      on: {
        on: {
          open: {
            actions: assign({
              refs: ({ context, event, spawn }) => ({
                ...context.refs,
                [event['name']]: spawn('counter', { id: `counter-${event['name']}`, input: { n: 10 } }),
              }),
            }),
          },
          add: { actions: sendTo(({ context, event }) => context.refs[event['name']] as AnyActorRef, { type: 'add' }) },
          finish: {
            actions: sendTo(({ context, event }) => context.refs[event['name']] as AnyActorRef, { type: 'finish' }),
          },
          close: {
            actions: [
              stopChild(({ context, event }) => context.refs[event['name']] as never),
              assign({
                refs: ({ context, event }) =>
                  Object.fromEntries(Object.entries(context.refs).filter(([name]) => name !== event['name'])),
              }),
            ],
          },
          'xstate.done.actor.counter-a': {
            target: 'end',
            actions: assign({
              refs: {},
              outputs: ({ context, event }) => [...context.outputs, (event as unknown as { output: unknown }).output],
            }),
          },
        },
      },
      end: { type: 'final' },
    },
    output: ({ context }) => context.outputs,
  }),
}

/** Guards on guards, on where the machine is, and with parameters. */
const guards: MachineCase = {
  steps: [{ type: 'go', by: 1 }, { type: 'go', by: 5 }, { type: 'arm' }, { type: 'go', by: 5 }],
  machine: setup({
    types: { context: {} as Log },
    guards: {
      atLeast: ({ event }, params: { min: number }) => event['by'] >= params.min,
      never: () => false,
      noted: ({ context }) => context.log.length > 0,
      either: or(['never' as never, 'noted' as never]) as never,
    },
  }).createMachine({
    id: 'guards',
    context: { log: [] },
    type: 'parallel',
    states: {
      safety: {
        initial: 'locked',
        states: { locked: { on: { arm: { target: 'armed', actions: note('armed') } } }, armed: { id: 'armed' } },
      },
      door: {
        initial: 'shut',
        states: {
          shut: {
            on: {
              go: [
                {
                  guard: and([stateIn('#armed'), { type: 'atLeast', params: { min: 5 } }, not('never'), 'either']),
                  target: 'open',
                },
                {
                  guard: and([stateIn({ safety: 'locked' }), ({ event }) => event['by'] > 3]),
                  actions: note('refused'),
                },
              ],
            },
          },
          open: { entry: note('open'), tags: ['wide'] },
        },
      },
    },
  }),
}

/** A reducer as an actor: its state is part of the job's. */
const reducer: MachineCase = {
  steps: [{ type: 'push', item: 'x' }, { type: 'push', item: 'y' }, { type: 'end' }],
  machine: setup({
    types: { context: {} as { count: number } },
    actors: {
      list: fromTransition(
        (state: { items: string[] }, event: { type: string; item?: string }) =>
          event.type === 'push' ? { items: [...state.items, event.item as string] } : state,
        { items: [] },
      ),
    },
  }).createMachine({
    context: { count: 0 },
    initial: 'on',
    states: {
      on: {
        invoke: { id: 'list', src: 'list' },
        on: {
          push: {
            actions: [
              sendTo('list', ({ event }) => event as never),
              assign({ count: ({ context }) => context.count + 1 }),
            ],
          },
          end: 'end',
        },
      },
      end: { type: 'final' },
    },
    output: ({ context }) => context,
  }),
}

/** Actors that other actors find by a name of the whole system. */
const bySystemId: MachineCase = {
  steps: [{ type: 'add' }, { type: 'again' }, { type: 'add' }, { type: 'finish' }],
  machine: setup({ types: { context: {} as { n: number } }, actors: { counter } }).createMachine({
    context: { n: 0 },
    initial: 'on',
    states: {
      on: {
        invoke: {
          id: 'counter',
          systemId: 'the-counter',
          src: 'counter',
          input: { n: 1 },
          onDone: { target: 'end', actions: assign({ n: ({ event }) => event.output.n }) },
        },
        on: {
          add: { actions: sendTo(({ system }) => system.get('the-counter'), { type: 'add' }) },
          finish: { actions: sendTo(({ system }) => system.get('the-counter'), { type: 'finish' }) },
          again: { target: 'on', reenter: true },
        },
      },
      end: { type: 'final' },
    },
    output: ({ context }) => context.n,
  }),
}

/** Tags, meta, descriptions, logs, emitted events and custom actions: part of the machine, not of its state. */
const decorated: MachineCase = {
  steps: [{ type: 'go' }],
  machine: createMachine({
    id: 'decorated',
    context: { n: 1 },
    description: 'has everything that does not matter',
    meta: { owner: 'nobody' },
    initial: { target: 'on', actions: () => {} } as never,
    states: {
      on: {
        tags: ['busy', 'visible'],
        meta: { colour: 'red' },
        entry: [log('entered'), emit({ type: 'entered' }), () => {}, cancel('nothing')],
        exit: () => {},
        on: { go: { target: 'off', actions: ['missing', () => {}], description: 'go away', meta: { why: 'because' } } },
      },
      off: { tags: 'idle', type: 'final' },
    },
  }),
}

/** Events by wildcard, in part and in whole, and one that is forbidden. */
const wildcards: MachineCase = {
  steps: [{ type: 'mouse.down' }, { type: 'mouse.up' }, { type: 'key' }, { type: 'forbidden' }],
  machine: setup({ types: { context: {} as Log } }).createMachine({
    context: { log: [] },
    initial: 'on',
    on: { '*': { actions: note('any') } },
    states: {
      on: {
        on: {
          'mouse.*': { actions: assign({ log: ({ context, event }) => [...context.log, event.type] }) },
          forbidden: undefined as never,
        },
      },
    },
  }),
}

/** Ids with the characters that effect ids are made of. */
const oddIds: MachineCase = {
  steps: [200],
  options: repeatable('double'),
  machine: setup({ types: { context: {} as Log }, actors: { double } }).createMachine({
    id: 'odd.machine',
    context: { log: [] },
    initial: 'on/off',
    states: {
      'on/off': {
        id: 'odd.state/with#signs',
        invoke: [
          { id: 'a', src: 'double', input: 1, onDone: { actions: note('a') } },
          { id: 'a/b', src: 'double', input: 1, onDone: { actions: note('a/b') } },
          { id: 'a#2', src: 'double', input: 1, onDone: { actions: note('a#2') } },
          { id: 'job.planner', src: 'double', input: 1, onDone: { actions: note('planner') } },
          { id: 'body', src: 'double', input: 1, onDone: { actions: note('body') } },
        ],
        after: { 200: 'end' },
      },
      end: { type: 'final' },
    },
    output: ({ context }) => context.log.toSorted(),
  }),
}

/** A child for the whole life, next to what the states do. */
const companion: MachineCase = {
  steps: [{ type: 'go' }],
  options: repeatable('double'),
  machine: setup({ types: { context: {} as { n: number } }, actors: { double } }).createMachine({
    context: { n: 0 },
    entry: spawnChild('double', { id: 'helper', input: 4 }),
    initial: 'on',
    on: {
      'xstate.done.actor.helper': {
        actions: assign({ n: ({ event }) => (event as unknown as { output: number }).output }),
      },
    },
    states: { on: { on: { go: 'off' } }, off: { type: 'final' } },
    output: ({ context }) => context.n,
  }),
}

/** Ends in the step that starts it. */
const instant: MachineCase = {
  input: 7,
  machine: createMachine({
    initial: 'on',
    states: { on: { always: 'end' }, end: { type: 'final' } },
    output: { fixed: true },
  }),
}

export const machineCases: Record<string, MachineCase> = {
  promises,
  both,
  errors,
  unhandled,
  throwing,
  delays,
  reentry,
  parallel,
  joined,
  history,
  children,
  nested,
  eventless,
  enqueued,
  spawned,
  guards,
  reducer,
  bySystemId,
  decorated,
  wildcards,
  oddIds,
  companion,
  instant,
}
