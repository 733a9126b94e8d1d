/**
 * Custom actions of hand-written machines (`entry: () => console.log('hi')`).
 *
 * They are no part of the state. They run at most once: live, after the step that asked for them is durable, and
 * never on recovery or replay. What must happen for sure belongs into an invoked actor.
 */

type Action = (...args: unknown[]) => unknown

let collected: (() => unknown)[] | undefined

/** Wraps a custom action so that it is collected instead of run. */
export function deferAction(action: Action): Action {
  return (args, ...rest) => {
    const { context, event } = args as { context: unknown; event: unknown }
    collected?.push(() => action({ context, event, self: detached, system: detached }, ...rest))
  }
}

/** Runs a step; returns what it gave and the custom actions that it asked for. */
export function collectActions<T>(step: () => T): { value: T; actions: (() => unknown)[] } {
  const outer = collected
  const actions: (() => unknown)[] = []
  collected = actions
  try {
    return { value: step(), actions }
  } finally {
    collected = outer
  }
}

/** An event sent from an action would not be in the history, so the actor is out of its reach. */
const detached = new Proxy(
  {},
  {
    get(_, key) {
      throw new Error(
        `A custom action used ${String(key)} of its actor. Send events with raise or sendTo, or signals to the job.`,
      )
    },
  },
)
