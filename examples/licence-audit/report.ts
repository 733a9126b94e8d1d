import type { Verdict } from './policy.ts'

/** A package that the policy does not allow by itself. */
export interface Outside {
  name: string
  version: string
  licence: string
  verdict: Verdict
  why: string
}

/** What a person decided. */
export interface Approval {
  approved: boolean
  by: string
  note?: string
  /** `name@version` of the packages that were decided on; absent: all that are outside the policy. */
  packages?: readonly string[]
}

export interface Report {
  root: string
  /** How many packages were looked at. */
  packages: number
  /** `name@version` of the packages under each licence. */
  byLicence: Readonly<Record<string, readonly string[]>>
  outside: readonly Outside[]
  approvals: readonly Approval[]
}

/** The report as Markdown. It holds no time and no chance, so the same findings give the same bytes. */
export function renderReport(report: Report): string {
  const parts = [`# Licences of \`${code(report.root)}\``, summary(report), licences(report), outside(report)]
  return `${parts.join('\n\n')}\n`
}

function summary({ packages, byLicence, outside, approvals }: Report): string {
  const decided = outside.map((each) => decisionOn(each, approvals))
  const rows: [string, number][] = [
    ['Packages', packages],
    ['Licences', Object.keys(byLicence).length],
    ['Within the policy', packages - outside.length],
    ['Outside the policy', outside.length],
    ['- approved', decided.filter((decision) => decision?.approved === true).length],
    ['- refused', decided.filter((decision) => decision?.approved === false).length],
    ['- not decided', decided.filter((decision) => decision === undefined).length],
  ]
  const shown = rows.filter(([label, count]) => !label.startsWith('-') || count > 0)
  return table(
    ['', 'Count'],
    shown.map(([label, count]) => [label, String(count)]),
  )
}

function licences({ byLicence }: Report): string {
  const entries = Object.entries(byLicence).sort(
    ([a, some], [b, others]) => others.length - some.length || compare(a, b),
  )
  const rows = entries.map(([licence, names]) => [licence, String(names.length), [...names].sort(compare).join(', ')])
  return `## By licence\n\n${rows.length === 0 ? 'No packages.' : table(['Licence', 'Count', 'Packages'], rows)}`
}

function outside({ outside: list, approvals }: Report): string {
  const title = '## Outside the policy\n\n'
  if (list.length === 0) return `${title}Nothing: every package is within the policy.`
  const sorted = [...list].sort((a, b) => compare(nameOf(a), nameOf(b)))
  const rows = sorted.map((each) => [nameOf(each), each.licence, each.why, decisionText(decisionOn(each, approvals))])
  return title + table(['Package', 'Licence', 'Why', 'Decision'], rows)
}

/** The last decision that covers a package: people may change their mind. */
function decisionOn(each: Outside, approvals: readonly Approval[]): Approval | undefined {
  return approvals.findLast(({ packages }) => packages === undefined || packages.includes(nameOf(each)))
}

function decisionText(decision: Approval | undefined): string {
  if (decision === undefined) return 'not decided'
  const note = decision.note ? `: ${decision.note}` : ''
  return `${decision.approved ? 'approved' : 'refused'} by ${decision.by}${note}`
}

function nameOf({ name, version }: { name: string; version: string }): string {
  return `${name}@${version}`
}

function table(head: string[], rows: string[][]): string {
  return [head, head.map(() => '---'), ...rows.map((row) => row.map(cell))]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n')
}

/** Manifests were written by strangers: their text must stay text, and in its cell. */
function cell(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .replace(/[\\|`*_[\]]/g, '\\$&')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
}

function code(text: string): string {
  return text.replace(/[`\s]+/g, ' ')
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
