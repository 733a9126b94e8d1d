import { register } from 'node:module'
import { pathToFileURL } from 'node:url'

/** Imports a module of the user's, JavaScript or TypeScript as it is. */
export async function importModule(path: string): Promise<Record<string, unknown>> {
  await prepareLoader(path)
  return (await import(pathToFileURL(path).href)) as Record<string, unknown>
}

let isPrepared = false

/** Node reads JavaScript by itself, also ES modules that no package.json declares; only TypeScript needs tsx. */
async function prepareLoader(path: string): Promise<void> {
  if (isPrepared) return // a command loads the module of one job
  isPrepared = true
  if (/\.[cm]?tsx?$/.test(path)) (await import('tsx/esm/api')).register()
  // Registered last, so asked first.
  register(new URL('./module-hooks.js', import.meta.url))
}
