import { z } from 'zod'
import { limits } from '../base/limits.ts'

export const verdict = z.enum(['approve', 'deny'])
export type Verdict = z.infer<typeof verdict>

const name = z.string().min(1).max(limits.idCharactersMax)
const spanMs = z.int().min(1).max(limits.delayMsMax)
const optionName = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/

/** Who has to agree before a call is made, and what happens where nobody answers. */
export const approvalSchema = z.strictObject({
  /** What can be answered, and which verdict that is. Default: `approve` and `deny`. */
  options: z.record(z.string().regex(optionName), verdict).optional(),
  /** Names of those who may answer. Default: anybody. */
  by: z.array(name).min(1).max(100).optional(),
  /** How long to wait for an answer. Default: for ever. */
  timeoutMs: spanMs.optional(),
  /** The verdict when that time is over. Default: `deny`. */
  onTimeout: verdict.optional(),
  /** After `afterMs` without an answer, those in `to` may answer as well. */
  escalate: z.strictObject({ afterMs: spanMs, to: z.array(name).min(1).max(100) }).optional(),
})
export type ApprovalPolicy = z.infer<typeof approvalSchema>

/** Tells whoever writes a policy what in it would never come to anything. */
export function checkPolicy(
  { options, timeoutMs, onTimeout, escalate }: ApprovalPolicy,
  context: z.RefinementCtx,
): void {
  const refuse = (path: string[], message: string) =>
    context.addIssue({ code: 'custom', path, message, params: { code: 'out_of_range' } })
  if (options !== undefined && Object.keys(options).length === 0)
    refuse(['options'], 'Without an option nobody can answer; name one, or leave this out.')
  if (onTimeout !== undefined && timeoutMs === undefined)
    refuse(['onTimeout'], 'Without a timeoutMs the time is never over; give one, or take this out.')
  if (escalate !== undefined && timeoutMs !== undefined && escalate.afterMs >= timeoutMs)
    refuse(['escalate', 'afterMs'], 'The time of the approval is over by then; this must be less than its timeoutMs.')
}

/** A policy as it is written in a plan or an agent; a history keeps what it holds. */
export const policySchema = approvalSchema.superRefine(checkPolicy)

const defaultOptions: Readonly<Record<string, Verdict>> = { approve: 'approve', deny: 'deny' }

/** What can be answered, with the verdict that each option is. */
export function optionsOf({ options }: ApprovalPolicy): Readonly<Record<string, Verdict>> {
  return options ?? defaultOptions
}

/** The verdict that an option is; undefined where it cannot be answered. */
export function verdictOf(policy: ApprovalPolicy, option: string): Verdict | undefined {
  const options = optionsOf(policy)
  return Object.hasOwn(options, option) ? options[option] : undefined
}
