import { createMachine } from 'xstate'
import { fromMachine } from '../../../src/index.ts'
import type { Script } from '../../support/scripted.ts'
import { limitMs } from './stage.ts'
import type { Subject, Tried } from './trials.ts'

/** The parts of hand-written machines that wait for something: a promise, a delay, an event. */

type States = NonNullable<Parameters<typeof createMachine>[0]['states']>

/** A machine that is in the state `it`, and then in `next`, which calls a promise. */
function machine(it: (script: Script) => States[string], effects: Record<string, object> = {}): Subject['agents'] {
  return (script) => {
    const next = { invoke: { id: 'next', src: script.promise('next'), onDone: 'done' } }
    const chart = createMachine({ initial: 'it', states: { it: it(script), next, done: { type: 'final' } } })
    return [fromMachine('subject', chart, { effects: { ...effects, next: { effect: 'idempotent' } } })]
  }
}

export const promise: Tried = {
  subject: {
    agents: machine((script) => ({ invoke: { id: 'it', src: script.promise('it'), onDone: 'next' } }), {
      it: { timeoutMs: limitMs },
    }),
    begins: 'node.started',
    ends: 'node.completed',
    happen: (stage) => stage.answer('it', 'done'),
    fail: (stage) => stage.fail('it'),
    obey: (stage) => stage.obey('it'),
  },
  outcomes: {
    ok: {
      end: 'completed',
      at: 'completed',
      outside: 'promise promise:next',
      events: 'node.started node.completed job.completed',
    },
    error: {
      end: 'failed',
      at: 'failed',
      outside: 'promise',
      events: 'node.started node.failed job.failed',
    },
    timeout: {
      end: 'running',
      at: 'running:it',
      outside: 'promise',
      events: 'node.started node.outcome_unknown',
    },
    crashBefore: {
      end: 'completed',
      at: 'completed',
      outside: 'promise promise:next',
      events: 'node.started node.completed job.completed',
    },
    crashAfter: {
      end: 'running',
      at: 'running:it',
      outside: 'promise',
      events: 'node.started job.recovered node.outcome_unknown',
    },
    duplicate: {
      end: 'completed',
      at: 'completed',
      outside: 'promise promise:next',
      events: 'node.started node.completed job.completed',
    },
    late: {
      end: 'running',
      at: 'running:it',
      outside: 'promise',
      events: 'node.started node.outcome_unknown',
    },
    cancelled: {
      end: 'cancelled',
      at: 'cancelled',
      outside: 'promise',
      events: 'node.started job.cancel_requested job.cancelled',
    },
    paused: {
      end: 'completed',
      at: 'completed',
      outside: 'promise promise:next',
      events: 'node.started job.paused node.completed job.resumed job.completed',
    },
  },
}

export const after: Tried = {
  subject: {
    agents: machine(() => ({ after: { [limitMs]: 'next' } })),
    begins: 'timer.armed:after.1000.it',
    ends: 'timer.fired:after.1000.it',
    happen: (stage) => stage.advance(limitMs),
    pass: (stage) => stage.sleep(10 * limitMs),
  },
  outcomes: {
    ok: {
      end: 'completed',
      at: 'completed',
      outside: 'promise:next',
      events: 'timer.armed:after.1000.it timer.fired:after.1000.it job.completed',
    },
    error: { impossible: 'In a delay nothing is done that could fail.' },
    timeout: { impossible: 'A delay is a time itself, and nothing limits it.' },
    crashBefore: {
      end: 'completed',
      at: 'completed',
      outside: 'promise:next',
      events: 'timer.armed:after.1000.it timer.fired:after.1000.it job.completed',
    },
    crashAfter: {
      end: 'completed',
      at: 'completed',
      outside: 'promise:next',
      events: 'timer.armed:after.1000.it timer.fired:after.1000.it job.completed',
    },
    duplicate: {
      end: 'completed',
      at: 'completed',
      outside: 'promise:next',
      events: 'timer.armed:after.1000.it timer.fired:after.1000.it job.completed',
    },
    late: {
      end: 'completed',
      at: 'completed',
      outside: 'promise:next',
      events: 'timer.armed:after.1000.it timer.fired:after.1000.it job.completed',
    },
    cancelled: {
      end: 'cancelled',
      at: 'cancelled',
      outside: '',
      events: 'timer.armed:after.1000.it job.cancel_requested job.cancelled',
    },
    paused: {
      end: 'completed',
      at: 'completed',
      outside: 'promise:next',
      events: 'timer.armed:after.1000.it job.paused timer.fired:after.1000.it job.resumed job.completed',
    },
  },
}

export const event: Tried = {
  subject: {
    agents: machine(() => ({ on: { go: 'next' }, after: { [limitMs]: 'next' } })),
    begins: 'job.created',
    ends: 'signal.received',
    happen: (stage) => stage.signal('go', {}),
  },
  outcomes: {
    ok: {
      end: 'completed',
      at: 'completed',
      outside: 'promise:next',
      events: 'timer.armed:after.1000.it signal.received node.withdrawn:after.1000.it job.completed',
    },
    error: { impossible: 'An event asks nothing of anybody who could fail; a bad one is refused where it is sent.' },
    timeout: {
      end: 'completed',
      at: 'completed',
      outside: 'promise:next',
      events: 'timer.armed:after.1000.it timer.fired:after.1000.it job.completed',
    },
    crashBefore: {
      end: 'completed',
      at: 'completed',
      outside: 'promise:next',
      events: 'timer.armed:after.1000.it signal.received node.withdrawn:after.1000.it job.completed',
    },
    crashAfter: {
      end: 'completed',
      at: 'completed',
      outside: 'promise:next',
      events: 'timer.armed:after.1000.it signal.received node.withdrawn:after.1000.it job.completed',
    },
    duplicate: {
      end: 'completed',
      at: 'completed',
      outside: 'promise:next',
      events: 'timer.armed:after.1000.it signal.received node.withdrawn:after.1000.it job.completed',
    },
    late: {
      end: 'completed',
      at: 'completed',
      outside: 'promise:next',
      events: 'timer.armed:after.1000.it timer.fired:after.1000.it signal.received job.completed',
    },
    cancelled: {
      end: 'cancelled',
      at: 'cancelled',
      outside: '',
      events: 'timer.armed:after.1000.it job.cancel_requested job.cancelled',
    },
    paused: {
      end: 'completed',
      at: 'completed',
      outside: 'promise:next',
      events:
        'timer.armed:after.1000.it job.paused signal.received node.withdrawn:after.1000.it job.resumed job.completed',
    },
  },
}
