import { defineConfig } from 'vitest/config'

/** Long enough for a loaded machine with few cores; a test that hangs still ends. */
const timeoutMs = 60_000

const folders = ['unit', 'property', 'conformance', 'crash', 'golden', 'docs']

const projects = [
  ...folders.map((name) => ({ name, include: [`test/${name}/**/*.test.ts`] })),
  { name: 'tidy', include: ['test/tidy.test.ts'] },
]

export default defineConfig({
  test: {
    // Forks rather than threads: tests open LevelDB, a native addon, and kill and start processes.
    pool: 'forks',
    globals: false,
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    projects: projects.map(({ name, include }) => ({ extends: true, test: { name, include } })),
  },
})
