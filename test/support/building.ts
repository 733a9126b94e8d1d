import { z } from 'zod'
import { type AetherisError, type Issue, isAetherisError } from '../../src/base/error.ts'
import { buildGraph, type Graph } from '../../src/graph/builder.ts'

/** What plans are built of in tests of the builder, and what it makes of mistakes. */

export const search = {
  name: 'search',
  input: z.object({ query: z.string() }),
  output: z.object({ urls: z.array(z.string()), count: z.number(), ok: z.boolean() }),
}
export const loose = { name: 'loose', input: z.unknown(), output: z.any() }
export const approval = { name: 'approval', payload: z.object({ approved: z.boolean(), by: z.string() }) }

/** The first issue of a plan that cannot be built. */
export function issueOf(define: (graph: Graph) => unknown): Issue {
  try {
    buildGraph(define)
  } catch (error) {
    if (isAetherisError(error, 'PLAN_INVALID')) return (error as AetherisError).issues[0] as Issue
    throw error
  }
  throw new Error('nothing was thrown')
}
