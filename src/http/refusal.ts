import type { z } from 'zod'
import { type ErrorCode, errorCodes, type Issue, isAetherisError } from '../base/error.ts'

interface RefusalDetails {
  issues?: readonly Issue[]
  headers?: Readonly<Record<string, string>>
}

/** Why a request is not served: an HTTP status and one of our codes. */
export class Refusal extends Error {
  readonly status: number
  readonly code: ErrorCode
  readonly details: RefusalDetails

  constructor(status: number, code: ErrorCode, message: string, details: RefusalDetails = {}) {
    super(message)
    this.status = status
    this.code = code
    this.details = details
  }
}

/** For whoever may come again. */
export const comeAgain = { 'Retry-After': '1' }

/** What the runtime throws that the one who asks has to know of. */
const statuses: Partial<Record<ErrorCode, number>> = {
  INPUT_INVALID: 422,
  PLAN_INVALID: 422,
  LIMIT_EXCEEDED: 413,
  JOB_EXISTS: 409,
  STORE_BUSY: 503,
  STORE_FAILED: 503,
  STORE_CLOSED: 503,
  COMMIT_UNKNOWN: 503,
  RUNTIME_CLOSED: 503,
}

/** The refusal that an error comes to; undefined where it is nobody's business outside. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof Refusal) return error
  const status = isAetherisError(error) ? statuses[error.code] : undefined
  if (!isAetherisError(error) || status === undefined) return undefined
  const { code, message, issues } = error
  return new Refusal(status, code, message, { issues, ...(status === 503 ? { headers: comeAgain } : {}) })
}

/** As problem details (RFC 9457). Without a refusal it says no more than that there is a problem. */
export function problemResponse(refusal: Refusal | undefined): Response {
  const { status = 500, code, message, details: { issues = [], headers = {} } = {} } = refusal ?? {}
  const known = code === undefined ? {} : { type: `urn:aetheris:error:${code}`, title: errorCodes[code], code }
  const problem = { ...known, status, ...(message === undefined ? {} : { detail: message }) }
  const body = issues.length === 0 ? problem : { ...problem, issues }
  return Response.json(body, { status, headers: { ...headers, 'Content-Type': 'application/problem+json' } })
}

/** A value that does not match a schema. */
export function mismatch(what: string, { issues }: z.ZodError): Refusal {
  const list = issues.map(({ path, code, message }) => ({
    path: path.map((key) => (typeof key === 'number' ? key : String(key))),
    code: String(code),
    message,
  }))
  return new Refusal(422, 'INPUT_INVALID', `${what} does not match its schema; see the issues.`, { issues: list })
}
