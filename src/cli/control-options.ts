import type { Command } from 'commander'
import type { CommonOptions } from './context.ts'

/** Options that the verbs share which give a command to a job. */

export interface ControlOptions extends CommonOptions {
  module?: string
  /** Go on with the job afterwards. */
  wait: boolean
}

export function moduleOption(command: Command): Command {
  return command.option('--module <PATH>', 'where the agent is defined (default: where it was loaded from)')
}

/** Of a verb that goes on with the job. */
export function waitOptions(command: Command): Command {
  return moduleOption(command).option('--no-wait', 'only apply it; whoever goes on with the job does the rest')
}

export interface WhoOptions {
  by?: string
  reason?: string
}

export function whoOptions(command: Command): Command {
  return command.option('--reason <TEXT>', 'why').option('--by <NAME>', 'who asks for it')
}

/** Who asks, and why; kept in the event. */
export function whoOf({ by, reason }: WhoOptions): WhoOptions {
  return { ...(by === undefined ? {} : { by }), ...(reason === undefined ? {} : { reason }) }
}
