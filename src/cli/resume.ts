import type { Command } from 'commander'
import { type BudgetLimit, budgetLimit } from '../event/budget.ts'
import type { JobSnapshot } from '../replay/job-snapshot.ts'
import type { JobRow } from '../store/store.ts'
import { type Context, ending } from './context.ts'
import { control } from './control.ts'
import { type ControlOptions, type WhoOptions, waitOptions, whoOf, whoOptions } from './control-options.ts'
import { UsageError } from './exit-codes.ts'

interface ResumeOptions extends ControlOptions, WhoOptions {
  budget?: string[]
}

type Limits = Partial<Record<BudgetLimit, number>>

export function resume(program: Command, context: Context): void {
  const command = program
    .command('resume')
    .description('go on with a job that is paused, or over its budget')
    .argument('<ID>', 'the job')
    .option('--budget <LIMIT=NUMBER...>', `a higher limit of the job: ${budgetLimit.options.join(', ')}`)
  waitOptions(whoOptions(command)).action(
    ending(context, async (id: string, options: ResumeOptions) => {
      const budget = options.budget && limitsOf(options.budget)
      return control(context, id, options, {
        verb: 'resume',
        kind: 'resume',
        body: { ...whoOf(options), ...(budget && { budget }) },
        give: (job, body) => job.resume(body),
        refuses: (job, row) => notEnough(job, row, budget ?? {}),
        concerns: ({ type }) => type === 'job.resumed',
        isSame: () => false,
        already: `Nothing holds up ${id}`,
        done: `${id} is not held up any more`,
      })
    }),
  )
}

/** @throws UsageError */
function limitsOf(given: readonly string[]): Limits {
  const limits: Limits = {}
  for (const each of given) {
    const [, name, number] = /^(\w+)=(\d{1,15})$/.exec(each) ?? []
    const limit = budgetLimit.safeParse(name)
    if (!limit.success) {
      throw new UsageError(`--budget "${each}" is not LIMIT=NUMBER; the limits are ${budgetLimit.options.join(', ')}.`)
    }
    limits[limit.data] = Number(number)
  }
  return limits
}

/** A job that is over its budget would stop again at once, unless it is given more than it has used. */
function notEnough({ held, isHeld, usage }: JobSnapshot, { createdAt }: JobRow, given: Limits): string | undefined {
  if (!isHeld || held?.type !== 'budgetExceeded' || held.limit === undefined) return undefined
  const { limit, max } = held
  const used = limit === 'wallMs' ? Date.now() - createdAt : usage[limit]
  if ((given[limit] ?? 0) > used) return undefined
  return `Its budget is used up: ${limit} is at ${used} of ${max}. Give a higher limit, with --budget ${limit}=NUMBER.`
}
