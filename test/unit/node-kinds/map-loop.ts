import { gte } from '../../../src/index.ts'
import { planned } from './planned.ts'
import type { Tried } from './trials.ts'

/** Kinds that make many calls: side by side, and one after the other. */

export const map: Tried = {
  subject: {
    agents: (script) => [
      planned(script, (graph, work) => graph.map('it', work, [1, 2, 3], (item) => item, { concurrency: 2 })),
    ],
    begins: 'node.started:0',
    ends: 'node.completed:0',
    async happen(stage) {
      for (const index of [1, 0, 2]) await stage.answer(`it/${index}`, index)
    },
    async fail(stage) {
      await stage.fail('it/1')
      await stage.obey('it/0')
    },
    async obey(stage) {
      await stage.obey('it/0')
      await stage.obey('it/1')
    },
  },
  outcomes: {
    ok: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'work:0 work:1 work:2 next',
      events:
        'node.started:0 node.started:1 node.completed:1 node.started:2 node.completed:0 node.completed:2 job.completed',
    },
    error: {
      end: 'failed',
      at: 'it failed, next cancelled',
      outside: 'work:0 work:1',
      events: 'node.started:0 node.started:1 node.failed:1 timer.armed:grace node.cancelled:0 job.failed',
    },
    timeout: {
      end: 'failed',
      at: 'it failed, next cancelled',
      outside: 'work:0 work:1',
      events: 'node.started:0 node.started:1 node.failed:0 timer.armed:grace node.failed:1 job.failed',
    },
    crashBefore: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'work:0 work:1 work:2 next',
      events:
        'node.started:0 node.started:1 node.completed:1 node.started:2 node.completed:0 node.completed:2 job.completed',
    },
    crashAfter: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'work:0 work:1 work:2 work:0 work:2 next',
      events:
        'node.started:0 node.started:1 node.completed:1 node.started:2 job.recovered node.attempted:0 node.attempted:2 node.completed:2 node.completed:0 job.completed',
    },
    duplicate: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'work:0 work:1 work:2 next',
      events:
        'node.started:0 node.started:1 node.completed:1 node.started:2 node.completed:0 node.completed:2 job.completed',
    },
    late: {
      end: 'failed',
      at: 'it failed, next cancelled',
      outside: 'work:0 work:1',
      events:
        'node.started:0 node.started:1 node.failed:0 timer.armed:grace node.failed:1 job.failed node.late_result:1 node.late_result:0',
    },
    cancelled: {
      end: 'cancelled',
      at: 'it cancelled, next cancelled',
      outside: 'work:0 work:1',
      events:
        'node.started:0 node.started:1 job.cancel_requested timer.armed:grace node.cancelled:0 node.cancelled:1 job.cancelled',
    },
    paused: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'work:0 work:1 work:2 next',
      events:
        'node.started:0 node.started:1 job.paused node.completed:1 node.completed:0 job.resumed node.started:2 node.completed:2 job.completed',
    },
  },
}

export const loop: Tried = {
  subject: {
    agents: (script) => [
      planned(script, (graph, work) =>
        graph.loop<number>('it', 0, (inner, state) => inner.call('add', work, state), {
          until: (state) => gte(state, 2),
          max: 5,
        }),
      ),
    ],
    begins: 'node.started:0/add',
    ends: 'node.completed:0/add',
    async happen(stage) {
      await stage.answer('it/0/add', 1)
      await stage.answer('it/1/add', 2)
    },
    fail: (stage) => stage.fail('it/0/add'),
    obey: (stage) => stage.obey('it/0/add'),
  },
  outcomes: {
    ok: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'work:0/add work:1/add next',
      events: 'node.started:0/add node.completed:0/add node.started:1/add node.completed:1/add job.completed',
    },
    error: {
      end: 'failed',
      at: 'it failed, next cancelled',
      outside: 'work:0/add',
      events: 'node.started:0/add node.failed:0/add job.failed',
    },
    timeout: {
      end: 'failed',
      at: 'it failed, next cancelled',
      outside: 'work:0/add',
      events: 'node.started:0/add node.failed:0/add job.failed',
    },
    crashBefore: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'work:0/add work:1/add next',
      events: 'node.started:0/add node.completed:0/add node.started:1/add node.completed:1/add job.completed',
    },
    crashAfter: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'work:0/add work:0/add work:1/add next',
      events:
        'node.started:0/add job.recovered node.attempted:0/add node.completed:0/add node.started:1/add node.completed:1/add job.completed',
    },
    duplicate: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'work:0/add work:1/add next',
      events: 'node.started:0/add node.completed:0/add node.started:1/add node.completed:1/add job.completed',
    },
    late: {
      end: 'failed',
      at: 'it failed, next cancelled',
      outside: 'work:0/add',
      events: 'node.started:0/add node.failed:0/add job.failed node.late_result:0/add',
    },
    cancelled: {
      end: 'cancelled',
      at: 'it cancelled, next cancelled',
      outside: 'work:0/add',
      events: 'node.started:0/add job.cancel_requested timer.armed:grace node.cancelled:0/add job.cancelled',
    },
    paused: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'work:0/add work:1/add next',
      events:
        'node.started:0/add job.paused node.completed:0/add job.resumed node.started:1/add node.completed:1/add job.completed',
    },
  },
}
