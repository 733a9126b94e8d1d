import { createContext, Script } from 'node:vm'
import { type BuildOptions, build } from 'esbuild'
import { root } from './docs.ts'

/**
 * As much of a browser as there is without one: what a bundler makes for it, and a realm with the globals of the web
 * and none of Node's.
 */

/** From the build and not from the sources, to which tsconfig.json would lead; written where `aetheris` is known. */
const forBrowsers = {
  bundle: true,
  platform: 'browser',
  write: false,
  metafile: true,
  logLevel: 'silent',
  tsconfigRaw: {},
} satisfies BuildOptions

/** `code` with all that it imports, as one script that sets the global `page` to what the code exports. */
export async function bundled(code: string): Promise<{ text: string; inputs: string[] }> {
  const { outputFiles, metafile } = await build({
    ...forBrowsers,
    stdin: { contents: code, loader: 'ts', resolveDir: root },
    format: 'iife',
    globalName: 'page',
  })
  return { text: outputFiles[0]?.text ?? '', inputs: Object.keys(metafile.inputs) }
}

/** What the standards of the web name and V8 does not bring, and the kinds of bytes that these give. */
const web = [
  ...['ArrayBuffer', 'Uint8Array'],
  ...['AbortController', 'AbortSignal', 'DOMException', 'Event', 'EventTarget', 'MessageChannel', 'ReadableStream'],
  ...['TextDecoder', 'TextEncoder', 'URL', 'atob', 'btoa', 'clearTimeout', 'crypto', 'fetch', 'performance'],
  ...['queueMicrotask', 'setTimeout', 'structuredClone'],
] as const

/** A tab, in which scripts run one after the other over the same data. */
export async function newTab(): Promise<(script: string) => unknown> {
  const names = Object.fromEntries(web.map((name) => [name, globalThis[name]]))
  const context = createContext({ ...names, navigator: { locks: webLocks() } })
  new Script('globalThis.self = globalThis').runInContext(context)
  new Script((await bundled("import 'fake-indexeddb/auto'")).text).runInContext(context)
  return (script) => new Script(script).runInContext(context)
}

/** Web Locks (w3c.github.io/web-locks), as far as one name after the other. */
export function webLocks(): Pick<LockManager, 'request'> {
  const last = new Map<string, Promise<unknown>>()
  const request = async (name: string, { signal }: LockOptions, held: () => Promise<unknown>) => {
    const before = last.get(name)
    const aborted = new Promise<never>((_, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason))
    })
    const turn = Promise.race([before, aborted])
    const after = turn.then(held)
    last.set(name, Promise.allSettled([before, after]))
    return after
  }
  return { request } as unknown as Pick<LockManager, 'request'>
}
