/**
 * Defects that somebody could make, each a change of the source. The simulation has to find every one of them:
 * `npm run defects` plants them one by one, and tells what was found, and after how many runs.
 */

export interface Defect {
  name: string
  file: string
  /** Stands in the file once. */
  find: string
  replace: string
}

const defect = (name: string, file: string, find: string, replace: string): Defect => ({ name, file, find, replace })

/** Promises broken by the store. */
const ofStore = [
  defect(
    'a write is answered before it is made',
    'src/store/level-writer.ts',
    'if (!draft.isEmpty) await this.#flush(draft)',
    'for (const [request, result] of staged) request.resolve(result)\n      if (!draft.isEmpty) await this.#flush(draft)',
  ),
  defect('batches are not synced', 'src/store/level-draft.ts', 'batch.write(synced)', 'batch.write({ sync: false })'),
  defect(
    'the epoch of a commit is not looked at',
    'src/store/row.ts',
    'if (epoch !== row.epoch) throw',
    'if (epoch > row.epoch) throw',
  ),
  defect(
    'the place of a commit is not looked at',
    'src/store/row.ts',
    'if (expectedSeq !== row.seq) throw',
    'if (expectedSeq > row.seq) throw',
  ),
  defect(
    'claiming a job takes no new epoch',
    'src/store/level-stage.ts',
    'epoch: before.epoch + 1, owner',
    'epoch: before.epoch, owner',
  ),
  defect(
    'a message that is known is taken again',
    'src/store/level-stage.ts',
    'if ((await draft.text(key)) !== undefined) return false',
    '',
  ),
  defect(
    'a job that goes on is not listed as unfinished',
    'src/store/level-stage.ts',
    "if (is && !was) draft.put(keys.unfinished(row.id), '')",
    "if (before === undefined) draft.put(keys.unfinished(row.id), '')",
  ),
  defect(
    'a commit that is repeated is written again',
    'src/store/row.ts',
    'commit.expectedSeq + commit.events.length <= row.seq',
    'commit.expectedSeq + commit.events.length < row.seq',
  ),
  defect(
    'the memory store forgets that a message was used up',
    'src/store/memory-store.ts',
    'for (const id of commit.acks) job.unread.delete(id)',
    '',
  ),
]

/** Promises broken by whoever runs a job. */
const ofRunner = [
  defect(
    'a call begins before its event is durable',
    'src/runtime/runner.ts',
    'await this.commitOf(turn, expectedSeq)',
    'for (const effect of turn.perform.splice(0)) this.calls.perform(effect)\n    await this.commitOf(turn, expectedSeq)',
  ),
  defect(
    'used messages are not acknowledged with their events',
    'src/runtime/runner.ts',
    'if (acks.length > 0) commit.acks = acks',
    '',
  ),
  defect(
    'messages are taken in any order',
    'src/runtime/runner.ts',
    'for (const message of messages) turn',
    'for (const message of [...messages].reverse()) turn',
  ),
  defect(
    'timers that are over stay in the store',
    'src/runtime/runner.ts',
    'const clear = [...this.storedTimers].filter((id) => !now.has(id))',
    'const clear: string[] = []',
  ),
  defect(
    'another attempt has another idempotency key',
    'src/runtime/calls.ts',
    'attempt, idempotencyKey: `',
    'attempt, idempotencyKey: attempt + `',
  ),
  defect('slots of calls are not given back', 'src/runtime/calls.ts', 'this.host.effectSlots.release()', ''),
  defect(
    'the result of an attempt that was given up counts',
    'src/runtime/turn.ts',
    "effect !== undefined && effect.attempt === attempt && effect.status === 'started'",
    "effect !== undefined && effect.status === 'started'",
  ),
  defect(
    'a once call that ran out of time has failed',
    'src/runtime/turn.ts',
    "if (effect.class !== 'once') return",
    "if (effect.class !== 'read') return",
  ),
  defect(
    'a task is begun again by whoever takes over',
    'src/runtime/perform.ts',
    'const made = task === undefined ?',
    'const made = task !== null ?',
  ),
  defect(
    'calls are made before anybody has agreed',
    'src/runtime/turn.ts',
    'return true\n  }\n\n  private exceeds',
    'return false\n  }\n\n  private exceeds',
  ),
  defect(
    'an answer to an approval counts twice',
    'src/runtime/commands.ts',
    'if (approval.option !== undefined) {',
    'if (approval.option === null) {',
  ),
  defect(
    'a message whose arrival is not known wakes nobody',
    'src/runtime/runtime-host.ts',
    'await this.write((store) => store.send({ jobId, id: message, at: now, kind, body }))',
    'if (!(await this.write((store) => store.send({ jobId, id: message, at: now, kind, body })))) return',
  ),
  defect(
    'a runner whose write fails gives its job up',
    'src/runtime/runner.ts',
    'await this.ask((store) => store.commit(commit))',
    'await this.host.store.commit(commit)',
  ),
  defect(
    'a job that cannot be loaded is left alone',
    'src/runtime/roster.ts',
    `const loaded = await untilAnswered(
        this.options.clock,
        () => this.isClosed,
        () => this.loadRunner(jobId),
      )`,
    'const loaded = await this.loadRunner(jobId)',
  ),
  defect(
    'nobody notices what a dead process had begun',
    'src/runtime/roster.ts',
    'recovered: wasUnderWay(execution)',
    'recovered: !isMine && wasUnderWay(execution)',
  ),
  defect(
    'slots of jobs are not given back',
    'src/runtime/roster.ts',
    'this.timers.cleared(runner.jobId)\n    this.jobSlots.release()',
    'this.timers.cleared(runner.jobId)',
  ),
  defect(
    'a parent is not told of the end of its child',
    'src/runtime/family.ts',
    'if (parent !== undefined && end !== undefined) messages.push(childEnd(jobId, parent, end, at))',
    'if (parent !== undefined && end !== undefined) childEnd(jobId, parent, end, at)',
  ),
  defect(
    'a parent is told of the end of its child too early',
    'src/runtime/family.ts',
    'events.find(({ type }) => endTypes.has(type))',
    "events.find(({ type }) => endTypes.has(type) || type === 'node.completed')",
  ),
  defect(
    'timers that are set later are not looked at',
    'src/scheduler/timers.ts',
    'if (dueAt < this.armedFor) this.arm(dueAt)',
    '',
  ),
  defect('timers fire a little early', 'src/runtime/turn.ts', 'dueAt <= now)', 'dueAt <= now + 500)'),
]

/** Promises broken by the fold, and by the machines. */
const ofFold = [
  defect(
    'a once call that was cut off is made again',
    'src/replay/notes.ts',
    "if (effect.class === 'once' && effect.task === undefined)",
    'if (effect.class === undefined)',
  ),
  defect('a timer that has fired may fire again', 'src/replay/fire.ts', 'pending.timers.delete(id)', ''),
  defect(
    'the delay of a retry is no part of its event',
    'src/replay/notes.ts',
    "state.arm(id, 'retry', at + delayMs)",
    "state.arm(id, 'retry', at + Math.round(delayMs * Math.random()))",
  ),
  defect(
    'a refusal is taken for an approval',
    'src/replay/notes.ts',
    "if (verdict === 'approve') {",
    'if (verdict !== undefined) {',
  ),
  defect(
    'calls begin while the job is paused',
    'src/replay/execution.ts',
    'return this.state.live.isPaused || this.state.live.isOverBudget',
    'return this.state.live.isOverBudget',
  ),
  defect(
    'what was done first is undone first',
    'machines/saga.ts',
    'context: ({ input }) => ({ steps: input.steps, at',
    'context: ({ input }) => ({ steps: [...input.steps].reverse(), at',
  ),
  defect(
    'the last step of a saga is not undone',
    'machines/saga.ts',
    'context.at >= context.steps.length',
    'context.at >= context.steps.length - 1',
  ),
  defect(
    'a call that has failed is taken for one that has done nothing',
    'src/replay/inputs.ts',
    'isUncertain ? { ...error, isUncertain } : error',
    'error',
  ),
  defect(
    'a loop goes round once too often',
    'machines/loop.ts',
    'over: ({ context }) => isOver(context)',
    'over: ({ context }) => isOver({ ...context, iteration: context.iteration - 1 })',
  ),
  defect(
    'a snapshot says that it is of one event earlier',
    'src/replay/state.ts',
    'seq: this.seq,',
    'seq: this.seq - 1,',
  ),
  defect(
    'a snapshot forgets how often a call has failed',
    'src/replay/pending.ts',
    '(asked.has(effect.id) ? effect :',
    '(asked.has(effect.id) ? { ...effect, failures: 0, attempt: Math.max(1, effect.attempt - 1) } :',
  ),
]

export const defects: readonly Defect[] = [...ofStore, ...ofRunner, ...ofFold]
