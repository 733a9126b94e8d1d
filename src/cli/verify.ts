import type { Command } from 'commander'
import { isAetherisError } from '../base/error.ts'
import { verifyFold } from '../replay/verify-fold.ts'
import { verifyDamaged } from '../store/level-inspect.ts'
import type { Finding, JobCopy, JobStore } from '../store/store.ts'
import { type CommonOptions, type Context, ending } from './context.ts'
import { directoryOf, withStore } from './data.ts'
import { exit } from './exit-codes.ts'
import { agentOf, createdOf } from './history.ts'
import { plural } from './text.ts'

export function verify(program: Command, context: Context): void {
  program
    .command('verify')
    .description('check that the data is whole: of one job, or everything')
    .argument('[ID]', 'a job')
    .action(ending(context, (id: string | undefined, options: CommonOptions) => check(context, id, options)))
}

type Told = Partial<Finding> & Pick<Finding, 'message'>

interface Found {
  jobs: number
  events: number
  findings: Told[]
  /** Jobs whose snapshots and timers could not be compared with a fold, and why. */
  notFolded: { jobId: string; why: string }[]
}

async function check(context: Context, jobId: string | undefined, options: CommonOptions): Promise<number> {
  const { output } = context
  const found: Found = { jobs: 0, events: 0, findings: [], notFolded: [] }
  try {
    await withStore(context, options, async (store, problems) => {
      output.note(...problems.map(({ message }) => message))
      for await (const finding of store.verify(jobId)) found.findings.push(finding)
      // A fold of a damaged history says nothing more.
      if (found.findings.length === 0) await fold(context, store, jobId, found)
      else await count(store, jobId, found)
    })
  } catch (error) {
    if (!isAetherisError(error, 'STORE_CORRUPT')) throw error
    const { message, jobId: job, seq } = error
    const first = { message, ...(job && { jobId: job }), ...(seq !== undefined && { seq }) }
    found.findings = await findDamage(context, jobId, options, first)
  }
  const whole = found.findings.length === 0
  if (output.json) await output.value({ whole, ...found })
  for (const { jobId: job, why } of found.notFolded) output.note(`Job "${job}" was not folded: ${why}`)
  await output.lines(...found.findings.map(({ message }) => message))
  const seen = `${plural(found.jobs, 'job')}, ${plural(found.events, 'event')}`
  await output.lines(whole ? `${seen}: whole` : `damaged: ${plural(found.findings.length, 'finding')}`)
  if (!whole) output.note('Copy the directory, and restore a backup; or see what `aetheris repair` can keep.')
  return whole ? exit.done : exit.damaged
}

/** All that is wrong with data that does not open as a store; where LevelDB does not open it either, that alone. */
async function findDamage(
  context: Context,
  jobId: string | undefined,
  options: CommonOptions,
  first: Told,
): Promise<Told[]> {
  const findings: Told[] = []
  try {
    for await (const finding of verifyDamaged(directoryOf(context, options), jobId)) findings.push(finding)
  } catch {
    return [first, ...findings]
  }
  return findings.length === 0 ? [first] : findings
}

async function fold(context: Context, store: JobStore, jobId: string | undefined, found: Found): Promise<void> {
  for await (const copy of store.copies(jobId)) {
    if (!('row' in copy)) continue
    found.jobs += 1
    found.events += copy.row.seq
    context.output.draw(`  ${plural(found.jobs, 'job')} checked`)
    const { findings, skipped } = await foldOne(context, store, copy)
    found.findings.push(...findings)
    if (skipped !== undefined) found.notFolded.push({ jobId: copy.row.id, why: skipped })
  }
  context.output.clear()
}

/** Without the definition of its agent where that is enough: to load one runs code of the user's. */
async function foldOne({ io }: Context, store: JobStore, copy: JobCopy) {
  const alone = await verifyFold(copy)
  if (alone.skipped === undefined) return alone
  const agent = await agentOf(io, await createdOf(store, copy.row.id), undefined)
  return agent === undefined
    ? alone
    : verifyFold({ ...copy, events: store.read(copy.row.id, { to: copy.row.seq }) }, agent)
}

async function count(store: JobStore, jobId: string | undefined, found: Found): Promise<void> {
  for await (const { id, seq } of store.list()) {
    if (jobId !== undefined && id !== jobId) continue
    found.jobs += 1
    found.events += seq
  }
}
