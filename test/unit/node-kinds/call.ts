import type { z } from 'zod'
import type { ToolOptions } from '../../../src/index.ts'
import { planned } from './planned.ts'
import type { Subject, Tried } from './trials.ts'

/** A call of a tool: by effect class, and with an approval. */

function calling(work: Partial<ToolOptions<z.ZodAny, z.ZodAny>>): Subject {
  return {
    agents: (script) => [planned(script, (graph, tool) => graph.call('it', tool, 1), { work })],
    begins: 'node.started',
    ends: 'node.completed',
    happen: (stage) => stage.answer('it', 'done'),
    fail: (stage) => stage.fail('it'),
    obey: (stage) => stage.obey('it'),
  }
}

export const call: Tried = {
  subject: calling({ effect: 'once' }),
  outcomes: {
    ok: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'work next',
      events: 'node.started node.completed job.completed',
    },
    error: {
      end: 'failed',
      at: 'it failed, next cancelled',
      outside: 'work',
      events: 'node.started node.failed job.failed',
    },
    timeout: {
      end: 'running',
      at: 'it unknown, next blocked',
      outside: 'work',
      events: 'node.started node.outcome_unknown',
    },
    crashBefore: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'work next',
      events: 'node.started node.completed job.completed',
    },
    crashAfter: {
      end: 'running',
      at: 'it unknown, next blocked',
      outside: 'work',
      events: 'node.started job.recovered node.outcome_unknown',
    },
    duplicate: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'work next',
      events: 'node.started node.completed job.completed',
    },
    late: {
      end: 'running',
      at: 'it unknown, next blocked',
      outside: 'work',
      events: 'node.started node.outcome_unknown node.late_result',
    },
    cancelled: {
      end: 'cancelled',
      at: 'it cancelled, next cancelled',
      outside: 'work',
      events: 'node.started job.cancel_requested timer.armed:grace node.cancelled job.cancelled',
    },
    paused: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'work next',
      events: 'node.started job.paused node.completed job.resumed job.completed',
    },
  },
}

export const idempotentCall: Tried = {
  subject: calling({ effect: 'idempotent', retry: { maxAttempts: 2, initialDelayMs: 0 } }),
  outcomes: {
    ok: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'work next',
      events: 'node.started node.completed job.completed',
    },
    error: {
      end: 'failed',
      at: 'it failed, next cancelled',
      outside: 'work work',
      events: 'node.started node.retried timer.armed timer.fired node.attempted node.failed job.failed',
    },
    timeout: {
      end: 'failed',
      at: 'it failed, next cancelled',
      outside: 'work work',
      events: 'node.started node.retried timer.armed timer.fired node.attempted node.failed job.failed',
    },
    crashBefore: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'work next',
      events: 'node.started node.completed job.completed',
    },
    crashAfter: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'work work next',
      events: 'node.started job.recovered node.attempted node.completed job.completed',
    },
    duplicate: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'work next',
      events: 'node.started node.completed job.completed',
    },
    late: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'work work next',
      events:
        'node.started node.retried timer.armed timer.fired node.attempted node.late_result node.completed job.completed',
    },
    cancelled: {
      end: 'cancelled',
      at: 'it cancelled, next cancelled',
      outside: 'work',
      events: 'node.started job.cancel_requested timer.armed:grace node.cancelled job.cancelled',
    },
    paused: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'work next',
      events: 'node.started job.paused node.completed job.resumed job.completed',
    },
  },
}

export const approvedCall: Tried = {
  subject: {
    ...calling({ effect: 'once', approval: { timeoutMs: 1_000 } }),
    begins: 'approval.requested',
    ends: 'approval.decided',
    async happen(stage) {
      await stage.ask((job) => job.approve('it', { by: 'ana' }))
      await stage.answer('it', 'done')
    },
    fail: (stage) => stage.ask((job) => job.deny('it', { by: 'ana' })),
  },
  outcomes: {
    ok: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'work next',
      events: 'approval.requested timer.armed approval.decided node.started node.completed job.completed',
    },
    error: {
      end: 'failed',
      at: 'it failed, next cancelled',
      outside: '',
      events: 'approval.requested timer.armed approval.decided node.failed job.failed',
    },
    timeout: {
      end: 'failed',
      at: 'it failed, next cancelled',
      outside: '',
      events: 'approval.requested timer.armed timer.fired approval.decided node.failed job.failed',
    },
    crashBefore: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'work next',
      events: 'approval.requested timer.armed approval.decided node.started node.completed job.completed',
    },
    crashAfter: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'work next',
      events: 'approval.requested timer.armed approval.decided node.started node.completed job.completed',
    },
    duplicate: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'work next',
      events: 'approval.requested timer.armed approval.decided node.started node.completed job.completed',
    },
    late: {
      end: 'failed',
      at: 'it failed, next cancelled',
      outside: '',
      events: 'approval.requested timer.armed timer.fired approval.decided node.failed job.failed',
    },
    cancelled: {
      end: 'cancelled',
      at: 'it cancelled, next cancelled',
      outside: '',
      events: 'approval.requested timer.armed job.cancel_requested node.cancelled job.cancelled',
    },
    paused: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'work next',
      events:
        'approval.requested timer.armed job.paused approval.decided job.resumed node.started node.completed job.completed',
    },
  },
}
