import { z } from 'zod'
import { agent, gte } from '../../../src/index.ts'
import type { Script } from '../../support/scripted.ts'
import { planned } from './planned.ts'
import { limitMs } from './stage.ts'
import type { Tried } from './trials.ts'

/** Kinds that lead elsewhere: into a job of another agent, and one of several ways. */

function childOf(script: Script) {
  const inside = script.tool('inside', 'idempotent', { retry: { maxAttempts: 1 } })
  return agent({
    name: 'child',
    input: z.any(),
    output: z.any(),
    tools: [inside],
    plan: (graph, input) => graph.call('inside', inside, input),
  })
}

export const spawn: Tried = {
  subject: {
    agents(script) {
      const child = childOf(script)
      const options = { deadlineMs: limitMs }
      return [planned(script, (graph) => graph.spawn('it', child, 1, options), { agents: [child] }), child]
    },
    begins: 'node.started',
    ends: 'child.spawned',
    happen: (stage) => stage.answer('inside', 'grown'),
    fail: (stage) => stage.fail('inside'),
    obey: (stage) => stage.obey('inside'),
  },
  outcomes: {
    ok: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'inside next',
      events: 'timer.armed node.started child.spawned node.completed job.completed',
      children: 'job/it completed',
    },
    error: {
      end: 'failed',
      at: 'it failed, next cancelled',
      outside: 'inside',
      events: 'timer.armed node.started child.spawned node.failed job.failed',
      children: 'job/it failed',
    },
    timeout: {
      end: 'failed',
      at: 'it failed, next cancelled',
      outside: 'inside',
      events: 'timer.armed node.started child.spawned timer.fired node.failed job.failed',
      children: 'job/it cancelling',
    },
    crashBefore: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'inside next',
      events: 'timer.armed node.started child.spawned node.completed job.completed',
      children: 'job/it completed',
    },
    crashAfter: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'inside inside next',
      events: 'timer.armed node.started job.recovered node.attempted child.spawned node.completed job.completed',
      children: 'job/it completed',
    },
    duplicate: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'inside next',
      events: 'timer.armed node.started child.spawned node.completed job.completed',
      children: 'job/it completed',
    },
    late: {
      end: 'failed',
      at: 'it failed, next cancelled',
      outside: 'inside',
      events: 'timer.armed node.started child.spawned timer.fired node.failed job.failed',
      children: 'job/it cancelled',
    },
    cancelled: {
      end: 'cancelled',
      at: 'it failed, next cancelled',
      outside: 'inside',
      events: 'timer.armed node.started child.spawned job.cancel_requested timer.armed:grace node.failed job.cancelled',
      children: 'job/it cancelled',
    },
    paused: {
      end: 'completed',
      at: 'it completed, next completed',
      outside: 'inside next',
      events: 'timer.armed node.started child.spawned job.paused node.completed job.resumed job.completed',
      children: 'job/it completed',
    },
  },
}

export const choose: Tried = {
  subject: {
    agents: (script) => [
      planned(script, (graph, work) => {
        const n = graph.call('n', work, 1)
        return graph.choose('it', { left: { plan: () => 'left' }, right: { when: gte(n, 1), plan: () => 'right' } })
      }),
    ],
    begins: 'node.chosen',
    ends: 'node.chosen',
    happen: (stage) => stage.answer('n', 1),
    obey: (stage) => stage.obey('n'),
  },
  outcomes: {
    ok: {
      end: 'completed',
      at: 'n completed, it completed, next completed',
      outside: 'work:n next',
      events: 'node.chosen job.completed',
    },
    error: { impossible: 'Conditions are total: whatever the outputs are, each is true or false.' },
    timeout: { impossible: 'A choice takes no time.' },
    crashBefore: {
      end: 'completed',
      at: 'n completed, it completed, next completed',
      outside: 'work:n work:n next',
      events: 'job.recovered node.chosen job.completed',
    },
    crashAfter: {
      end: 'completed',
      at: 'n completed, it completed, next completed',
      outside: 'work:n next',
      events: 'node.chosen job.recovered job.completed',
    },
    duplicate: {
      end: 'completed',
      at: 'n completed, it completed, next completed',
      outside: 'work:n next',
      events: 'node.chosen job.completed',
    },
    late: { impossible: 'A choice takes no time, so nothing comes too late for it.' },
    cancelled: {
      end: 'cancelled',
      at: 'n cancelled, it cancelled, next cancelled',
      outside: 'work:n',
      events: 'job.cancel_requested timer.armed:grace job.cancelled',
    },
    paused: {
      end: 'completed',
      at: 'n completed, it completed, next completed',
      outside: 'work:n next',
      events: 'job.paused node.chosen job.resumed job.completed',
    },
  },
}
