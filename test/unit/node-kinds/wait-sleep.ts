import { go, planned } from './planned.ts'
import { limitMs } from './stage.ts'
import type { Tried } from './trials.ts'

/** Kinds that only wait: for a signal, for a time. */

export const wait: Tried = {
  subject: {
    agents: (script) => [planned(script, (graph) => graph.wait('it', go, { timeoutMs: limitMs }))],
    begins: 'node.waiting',
    ends: 'node.completed',
    happen: (stage) => stage.signal('go', 'now'),
  },
  outcomes: {
    ok: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'next',
      events: 'node.waiting timer.armed signal.received node.completed job.completed',
    },
    error: { impossible: 'A wait asks nothing of anybody who could fail; a bad signal is refused where it is sent.' },
    timeout: {
      end: 'completed',
      at: 'it timedOut, next completed',
      outside: 'next',
      events: 'node.waiting timer.armed timer.fired job.completed',
    },
    crashBefore: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'next',
      events: 'node.waiting timer.armed signal.received node.completed job.completed',
    },
    crashAfter: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'next',
      events: 'node.waiting timer.armed signal.received node.completed job.completed',
    },
    duplicate: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'next',
      events: 'node.waiting timer.armed signal.received node.completed job.completed',
    },
    late: {
      end: 'completed',
      at: 'it timedOut, next completed',
      outside: 'next',
      events: 'node.waiting timer.armed timer.fired signal.received job.completed',
    },
    cancelled: {
      end: 'cancelled',
      at: 'it cancelled, next cancelled',
      outside: '',
      events: 'node.waiting timer.armed job.cancel_requested job.cancelled',
    },
    paused: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'next',
      events: 'node.waiting timer.armed job.paused signal.received node.completed job.resumed job.completed',
    },
  },
}

export const sleep: Tried = {
  subject: {
    agents: (script) => [planned(script, (graph) => graph.sleep('it', limitMs))],
    begins: 'timer.armed',
    ends: 'timer.fired',
    happen: (stage) => stage.advance(limitMs),
    pass: (stage) => stage.sleep(10 * limitMs),
  },
  outcomes: {
    ok: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'next',
      events: 'timer.armed timer.fired job.completed',
    },
    error: { impossible: 'In a sleep nothing is done that could fail.' },
    timeout: { impossible: 'A sleep is a time itself, and nothing limits it.' },
    crashBefore: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'next',
      events: 'timer.armed timer.fired job.completed',
    },
    crashAfter: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'next',
      events: 'timer.armed timer.fired job.completed',
    },
    duplicate: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'next',
      events: 'timer.armed timer.fired job.completed',
    },
    late: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'next',
      events: 'timer.armed timer.fired job.completed',
    },
    cancelled: {
      end: 'cancelled',
      at: 'it cancelled, next cancelled',
      outside: '',
      events: 'timer.armed job.cancel_requested job.cancelled',
    },
    paused: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'next',
      events: 'timer.armed job.paused timer.fired job.resumed job.completed',
    },
  },
}
