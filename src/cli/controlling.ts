import type { CommandBody, CommandKind } from '../event/command.ts'
import type { JobEvent } from '../event/event.ts'
import type { JobSnapshot } from '../replay/job-snapshot.ts'
import type { JobHandle } from '../runtime/job-handle.ts'
import type { JobRow, JobStore } from '../store/store.ts'
import type { Context } from './context.ts'
import type { ControlOptions } from './control-options.ts'

/** A command of one verb to one job. */
export interface Control<K extends CommandKind = CommandKind> {
  verb: string
  kind: K
  /** As the job takes it. */
  body: CommandBody<K>
  /** The same, with what has to be looked up in the job. */
  complete?(body: CommandBody<K>, job: JobSnapshot): CommandBody<K>
  give(job: JobHandle, body: CommandBody<K>): Promise<void>
  /** Why it makes no sense, beyond what the job itself says. */
  refuses?(job: JobSnapshot, row: JobRow): string | undefined
  /** Whether an event is of such a command, about the same thing; the last one counts. */
  concerns(event: JobEvent): boolean
  /** Whether it did the same, so that there is nothing left to do. */
  isSame(event: JobEvent): boolean
  /** What to say where it is so already, and where it was done and the job is left; without the dot. */
  already: string
  done: string
  /** Also of a job that has ended. */
  revives?: true
  /** How a job ends that does what was asked. */
  asked?: 'cancelled' | 'terminated'
}

/** What a control is about. */
export interface Controlling {
  context: Context
  options: ControlOptions
  store: JobStore
  /** As it was before. */
  row: JobRow
  given: Control
  /** Undefined where it was not looked for, since the job has ended. */
  module?: string
}

/** What has become of a command. */
export interface Applied {
  isAlready: boolean
  /** The event that did the same before, where there is one. */
  before?: JobEvent | undefined
}
