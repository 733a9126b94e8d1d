import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** Long enough for a loaded machine with few cores; a test that hangs still ends. */
const timeoutMs = 60_000
/** Of a test that tries all of its cases: see test/support/thorough.ts. */
const thoroughTimeoutMs = 3_600_000

const folders = ['unit', 'property', 'corpus', 'conformance', 'models', 'http', 'mcp', 'golden', 'simulation']

const projects = [
  ...folders.map((name) => ({ name, include: [`test/${name}/**/*.test.ts`] })),
  ...['cli', 'docs'].map((name) => ({
    name,
    include: [`test/${name}/**/*.test.ts`],
    globalSetup: 'test/support/built.mjs',
  })),
  { name: 'crash', include: ['test/crash/**/*.test.ts'], globalSetup: 'test/support/bundled.ts' },
  { name: 'tidy', include: ['test/tidy.test.ts'] },
]

/** Examples and docs import the package by its name; under test that is the source. */
const alias = {
  'aetheris/level': fileURLToPath(new URL('src/store/level-store.ts', import.meta.url)),
  'aetheris/mcp': fileURLToPath(new URL('src/mcp/mcp.ts', import.meta.url)),
  'aetheris/models': fileURLToPath(new URL('src/models/models.ts', import.meta.url)),
  'aetheris/operations': fileURLToPath(new URL('src/operations/operations.ts', import.meta.url)),
  'aetheris/planners': fileURLToPath(new URL('src/planners/planners.ts', import.meta.url)),
  'aetheris/replay': fileURLToPath(new URL('src/replay/replay.ts', import.meta.url)),
  'aetheris/http': fileURLToPath(new URL('src/http/http.ts', import.meta.url)),
  'aetheris/testing': fileURLToPath(new URL('src/testing/testing.ts', import.meta.url)),
  'aetheris/store-suite': fileURLToPath(new URL('src/testing/job-store-suite.ts', import.meta.url)),
  'aetheris/machines': fileURLToPath(new URL('machines/machines.ts', import.meta.url)),
  aetheris: fileURLToPath(new URL('src/index.ts', import.meta.url)),
}

export default defineConfig(({ mode }) => {
  const isThorough = mode === 'thorough'
  const testTimeout = isThorough ? thoroughTimeoutMs : timeoutMs
  return {
    resolve: { alias },
    test: {
      // Forks rather than threads: tests open LevelDB, a native addon, and kill and start processes.
      pool: 'forks',
      globals: false,
      setupFiles: 'test/support/seeded.ts',
      env: isThorough ? { AETHERIS_THOROUGH: '1' } : {},
      projects: projects.map((test) => ({ extends: true, test: { ...test, testTimeout, hookTimeout: testTimeout } })),
    },
  }
})
