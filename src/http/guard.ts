import { Refusal } from './refusal.ts'

/**
 * Refuses what comes from a browser: a page of somebody else that was led to this machine under another name (DNS
 * rebinding), or that sends to it from its own.
 * @throws Refusal
 */
export function checkOrigin(request: Request, served: URL): void {
  const { headers } = request
  const host = headers.get('host') ?? new URL(request.url).host
  if (host !== served.host && !loopback.test(host)) {
    throw new Refusal(403, 'ACCESS_REFUSED', 'The Host of the request is neither this one nor the loopback.')
  }
  const origin = headers.get('origin')
  if (origin !== null && origin !== served.origin)
    throw new Refusal(403, 'ACCESS_REFUSED', 'Pages of other origins may not call here.')
}

const loopback = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/
