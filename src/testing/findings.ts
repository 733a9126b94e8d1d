/** What a trial of somebody's agent has found, for people. */

export interface Finding {
  /** What was done to the agent: where its process died, or how a call went wrong. */
  where: string
  /** What is wrong, in a sentence. */
  problem: string
  /** What happened in that run, a line each. */
  timeline: readonly string[]
}

/** Thrown by `crashEverywhere` and `failEverywhere` where something is wrong; the message lists it. */
export class FindingsError extends Error {
  override readonly name = 'FindingsError'
  readonly findings: readonly Finding[]

  /** @param runs how many were made. */
  constructor(findings: readonly Finding[], runs: number) {
    super(textOf(findings, runs))
    this.findings = findings
  }
}

const placesMax = 10
const linesMax = 60

function textOf(findings: readonly Finding[], runs: number): string {
  const places = new Map<string, Finding[]>()
  for (const finding of findings) places.set(finding.where, [...(places.get(finding.where) ?? []), finding])
  const shown = [...places]
    .slice(0, placesMax)
    .map(([where, all]) => [`- ${where}:`, ...all.map(problemLine)].join('\n'))
  const more = places.size > placesMax ? [`- and at ${places.size - placesMax} more places, see \`findings\``] : []
  const timeline = findings[0]?.timeline ?? []
  const cut = timeline.length > linesMax ? ['  …'] : []
  const lines = [...cut, ...timeline.slice(-linesMax).map((line) => `  ${line}`)]
  const count = `${plural(findings.length, 'problem')} in ${plural(runs, 'run')}.`
  return [count, ...shown, ...more, 'What happened in the first of these runs:', ...lines].join('\n')
}

function problemLine({ problem }: Finding): string {
  return `  ${problem}`
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
