import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** Makes one JavaScript file of each child process, once: it starts in a third of the time that loading TypeScript takes. */
export async function setup(): Promise<void> {
  await build({
    entryPoints: ['crash-child', 'open-damaged', 'disk-child'].map((name) =>
      fileURLToPath(new URL(`${name}.ts`, import.meta.url)),
    ),
    outdir: fileURLToPath(new URL('../../node_modules/.cache/aetheris-children', import.meta.url)),
    outExtension: { '.js': '.mjs' },
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'warning',
  })
}
