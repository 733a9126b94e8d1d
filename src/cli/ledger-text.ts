import type { Account } from '../models/ledger.ts'
import { plural, table } from './text.ts'

/** What a job has used up, as people read it: a line for each node, and one for all of them. */
export function ledgerLines(nodes: Readonly<Record<string, Account>>, job: Account): string[] {
  const accounts = [...Object.entries(nodes), ['all', job] as const]
  const columns = allColumns.filter(({ isUsual, of }) => isUsual || of(job) !== '0')
  const heading = ['USED BY', ...columns.map(({ name }) => name)]
  const rows = accounts.map(([name, account]) => [name, ...columns.map(({ of }) => of(account))])
  const lines = table([heading, ...rows])
  if (job.partial > 0) lines.push(`Of ${plural(job.partial, 'call')} the provider did not say all.`)
  return lines
}

interface Column {
  name: string
  /** Shown also where there is nothing in it. */
  isUsual?: true
  of(account: Account): string
}

const allColumns: readonly Column[] = [
  { name: 'CALLS', isUsual: true, of: ({ calls }) => String(calls) },
  { name: 'INPUT', isUsual: true, of: ({ inputTokens }) => String(inputTokens) },
  { name: 'CACHED', of: ({ cachedTokens }) => String(cachedTokens) },
  { name: 'CACHE WRITE', of: ({ cacheWriteTokens }) => String(cacheWriteTokens) },
  { name: 'OUTPUT', isUsual: true, of: ({ outputTokens }) => String(outputTokens) },
  { name: 'REASONING', of: ({ reasoningTokens }) => String(reasoningTokens) },
  { name: 'MONEY', of: ({ microUnits }) => moneyText(microUnits) },
  { name: 'UNITS', of: ({ cost }) => String(cost) },
]

/** Millionths as a decimal number, by whole numbers alone, so that no digit is made up. */
function moneyText(microUnits: Account['microUnits']): string {
  const amounts = Object.entries(microUnits).map(([currency, amount]) => {
    const digits = String(amount).padStart(7, '0')
    const fraction = digits.slice(-6).replace(/0{1,4}$/, '')
    return `${digits.slice(0, -6)}.${fraction} ${currency}`
  })
  return amounts.length === 0 ? '0' : amounts.join(' + ')
}
