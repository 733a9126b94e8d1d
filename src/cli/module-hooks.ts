import { createRequire, type ResolveHook } from 'node:module'
import { pathToFileURL } from 'node:url'

/**
 * How the modules of users are found, in Node's loader thread.
 *
 * 1. `aetheris` is this installation, whatever else is installed: two copies would not know each other's errors.
 * 2. A TypeScript module is an ES module, also where no package.json says so.
 * 3. What agents are written with (zod, xstate) comes from here where the module has none of its own.
 */

const here = createRequire(import.meta.url)

export const resolve: ResolveHook = async (specifier, context, next) => {
  if (/^aetheris(\/|$)/.test(specifier)) return found(specifier)
  try {
    const resolved = await next(specifier, context)
    return isScript(resolved.url) ? { ...resolved, format: 'module' } : resolved
  } catch (error) {
    if (/^(zod|xstate)$/.test(specifier)) return found(specifier)
    throw error
  }
}

function found(specifier: string) {
  return { url: pathToFileURL(here.resolve(specifier)).href, shortCircuit: true }
}

function isScript(url: string): boolean {
  return url.startsWith('file:') && !url.includes('/node_modules/') && /\.tsx?$/.test(new URL(url).pathname)
}
