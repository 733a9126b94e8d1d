import type { AetherisError } from '../base/error.ts'
import type { Json } from '../base/json.ts'
import type { Command } from '../event/command.ts'
import type { EventData } from '../event/event.ts'
import type { Spending } from '../event/spending.ts'
import type { AttemptResult } from './performance.ts'

/** Something that has come in for a job, on its way to its runner. */
export type Input =
  | {
      type: 'outcome'
      effect: string
      attempt: number
      result: AttemptResult
      spent: Spending
      /** What it had reported last, where that was not kept. */
      progress: Json | undefined
    }
  | { type: 'reconciled'; effect: string; attempt: number; answer: Reconciliation }
  | ({ type: 'progress' } & Progress)
  /** The attempt waits until it is durable that its call goes on elsewhere. */
  | { type: 'submitted'; effect: string; attempt: number; task: Json; done: (error?: AetherisError) => void }
  /** For a job that has ended, whose inbox is closed. */
  | { type: 'command'; command: Command; done: (error?: AetherisError) => void }
  /** There may be messages. */
  | { type: 'inbox' }
  /** There may be timers that are due. */
  | { type: 'timers' }
  /** The job was taken over from another owner. */
  | { type: 'recovered' }
  /** A slot is free. */
  | { type: 'look' }

export interface Progress {
  effect: string
  attempt: number
  progress: Json
}

/** What a tool answered when it was asked how a call had ended. */
export type Reconciliation = Omit<EventData<'node.reconciled'>, 'effect' | 'attempt'>
