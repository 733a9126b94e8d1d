import { type Expression, licencesOf, parseExpression, printExpression } from './expression.ts'

export type Verdict = 'allowed' | 'outside' | 'unknown'

export interface Classified {
  /** SPDX expression where there is one, else what was found, or `unknown`. */
  licence: string
  verdict: Verdict
  /** A sentence for people. */
  why: string
}

/** Permissive licences, and weak copyleft, which asks only for changes to the licensed files or library itself. */
export const defaultAllow: readonly string[] = [
  ...['MIT', 'MIT-0', 'ISC', '0BSD', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', 'BlueOak-1.0.0', 'BSL-1.0'],
  ...['Zlib', 'Python-2.0', 'Unlicense', 'CC0-1.0', 'WTFPL', 'CC-BY-3.0', 'CC-BY-4.0', 'Artistic-2.0'],
  ...['MPL-2.0', 'EPL-2.0', 'LGPL-2.1-only', 'LGPL-2.1-or-later', 'LGPL-3.0-only', 'LGPL-3.0-or-later'],
]

/** Judges a package by what it declares, and by what its text was recognised as. `*` in `allow` allows anything. */
export function classify(
  found: { declared: string | null; detected: string | null },
  allow: readonly string[],
): Classified {
  const { licence, expression, source } = interpret(found)
  if (allow.includes('*')) return { licence, verdict: 'allowed', why: 'The policy allows any licence.' }
  if (expression === undefined) return withoutExpression(licence, found.declared)
  const accepted = accept(expression, new Set(allow.map(canonical)))
  if (accepted === undefined) return { licence, verdict: 'outside', why: `${licence} (${source}) is not on the list.` }
  return contradiction(found, expression, allow) ?? { licence, verdict: 'allowed', why: `${accepted} is on the list.` }
}

interface Interpreted {
  licence: string
  expression: Expression | undefined
  source: string
}

/** What is declared counts, where it says anything exact; else the text does. */
function interpret({ declared, detected }: { declared: string | null; detected: string | null }): Interpreted {
  if (isClosed(declared)) return { licence: declared, expression: undefined, source: 'declared' }
  const exact = declared === null || isVague(declared) ? undefined : parseExpression(alias(declared))
  if (exact) return { licence: printExpression(exact), expression: exact, source: 'declared' }
  const byText = detected === null ? undefined : parseExpression(detected)
  if (byText) return { licence: printExpression(byText), expression: byText, source: 'by its text' }
  return { licence: declared ?? 'unknown', expression: undefined, source: 'declared' }
}

function withoutExpression(licence: string, declared: string | null): Classified {
  if (declared === null) {
    return { licence, verdict: 'unknown', why: 'No licence is declared, and no licence text was recognised.' }
  }
  if (isClosed(declared)) {
    return { licence, verdict: 'outside', why: `It declares ${declared}: nobody is given a licence by it.` }
  }
  return {
    licence,
    verdict: 'unknown',
    why: `"${declared}" names no exact licence, and no licence text was recognised.`,
  }
}

/** A package that declares one licence and ships the text of another, forbidden one is for a person to look at. */
function contradiction(
  { declared, detected }: { declared: string | null; detected: string | null },
  expression: Expression,
  allow: readonly string[],
): Classified | undefined {
  const text = declared === null || detected === null ? undefined : parseExpression(detected)
  if (text === undefined || accept(text, new Set(allow.map(canonical))) !== undefined) return undefined
  const named = licencesOf(expression).map((each) => family(printExpression(each)))
  if (named.includes(family(printExpression(text)))) return undefined
  const licence = printExpression(expression)
  return { licence, verdict: 'outside', why: `It declares ${licence}, but its text reads as ${detected}.` }
}

/** The part of the expression that the list accepts, or undefined: one side of an OR, all sides of an AND. */
function accept(expression: Expression, allow: ReadonlySet<string>): string | undefined {
  if (expression.kind === 'licence') return acceptOne(expression, allow) ? printExpression(expression) : undefined
  const accepted = expression.parts.map((part) => accept(part, allow))
  if (expression.kind === 'or') return accepted.find((part) => part !== undefined)
  return accepted.includes(undefined) ? undefined : accepted.join(' and ')
}

function acceptOne(licence: Expression & { kind: 'licence' }, allow: ReadonlySet<string>): boolean {
  const names = [licence.id]
  // "Or later" leaves the choice, so it is enough that the named version is on the list.
  if (licence.orLater) names.push(`${licence.id}+`, `${licence.id}-or-later`, `${licence.id}-only`)
  if (/-or-later$/i.test(licence.id)) names.push(licence.id.replace(/-or-later$/i, '-only'))
  // An exception only adds permissions.
  if (licence.exception !== undefined) names.push(`${licence.id} WITH ${licence.exception}`)
  return names.some((name) => allow.has(canonical(name)))
}

/** Ids compare without regard to case; the old `GPL-2.0` means `GPL-2.0-only`. */
function canonical(id: string): string {
  const name = id.trim().toLowerCase()
  return /^(a|l)?gpl-\d(\.\d)?$/.test(name) ? `${name}-only` : name
}

function family(id: string): string {
  return canonical(id).replace(/(-only|-or-later|\+)$/, '')
}

/** The owner keeps all rights, whatever text lies beside the manifest. */
function isClosed(declared: string | null): declared is string {
  return declared !== null && /^(unlicensed|proprietary|commercial)$/i.test(declared)
}

/** Names that stand for several licences or for none; the text has to tell. */
function isVague(declared: string): boolean {
  return /^(bsd|apache|gpl|lgpl|agpl|cc|custom|other|none|public domain)$/i.test(declared)
}

/** Inexact names of old manifests that still mean exactly one licence. */
const aliases: Record<string, string> = {
  'mit license': 'MIT',
  'mit/x11': 'MIT',
  'the mit license': 'MIT',
  'isc license': 'ISC',
  'apache 2': 'Apache-2.0',
  'apache 2.0': 'Apache-2.0',
  apache2: 'Apache-2.0',
  'apache-2': 'Apache-2.0',
  'apache license 2.0': 'Apache-2.0',
  'apache license, version 2.0': 'Apache-2.0',
  'bsd 2-clause': 'BSD-2-Clause',
  'bsd-2': 'BSD-2-Clause',
  'bsd 3-clause': 'BSD-3-Clause',
  'bsd-3': 'BSD-3-Clause',
  'new bsd': 'BSD-3-Clause',
  'mpl 2.0': 'MPL-2.0',
  mpl2: 'MPL-2.0',
  gplv2: 'GPL-2.0-only',
  gplv3: 'GPL-3.0-only',
  lgplv3: 'LGPL-3.0-only',
  cc0: 'CC0-1.0',
}

function alias(declared: string): string {
  const name = declared.toLowerCase().replace(/^the /, '')
  return Object.hasOwn(aliases, name) ? (aliases[name] as string) : declared
}
