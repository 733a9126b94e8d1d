/** What test/tidy.test.ts enforces. Tables only; the code that reads them is in find.ts. */

/** A folder's rank: values are imported only from a lower rank or from the same folder. */
export const ranks: Record<string, number> = {
  'src/base': 0,
  'src/event': 1,
  'src/graph': 2,
  machines: 3,
  'src/compile': 4,
  'src/agent': 5,
  'src/store': 5,
  'src/replay': 6,
  'src/models': 6,
  'src/mcp': 6,
  'src/planners': 7,
  'src/scheduler': 7,
  'src/runtime': 8,
  'src/http': 9,
  'src/operations': 9,
  'src/testing': 10,
  'src/cli': 10,
  /** src/index.ts, the public surface. */
  src: 11,
}

/** Globals through which a value that no history holds could get in, or an effect out. */
export const ambient: ReadonlySet<string> = new Set([
  ...['Date', 'Temporal', 'performance'],
  ...['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate'],
  ...['crypto', 'process', 'globalThis', 'console'],
  ...['fetch', 'WebSocket', 'EventSource', 'XMLHttpRequest', 'navigator', 'localStorage', 'indexedDB'],
])

/** The same, as members of globals that are harmless otherwise. */
export const ambientMembers: ReadonlySet<string> = new Set(['Math.random', 'AbortSignal.timeout'])

/** Members of ambient globals that only calculate. */
export const pureMembers: ReadonlySet<string> = new Set(['Date.UTC'])

interface Exception {
  files: RegExp
  /** Globals and modules that these files may name; absent: all of them. */
  names?: readonly string[]
  why: string
}

export const exceptions: readonly Exception[] = [
  { files: /^src\/base\/clock\.ts$/, names: ['Date', 'setTimeout', 'clearTimeout'], why: 'defines the system clock' },
  { files: /^src\/base\/random\.ts$/, names: ['crypto'], why: 'defines the system source of randomness' },
  {
    files: /^src\/base\/hash\.ts$/,
    names: ['node:crypto', 'node:zlib'],
    why: 'hashing is pure; the fastest hashes there are in Node',
  },
  {
    files: /^src\/base\/turn\.ts$/,
    names: ['setImmediate'],
    why: 'waits for the end of the turn, not for a time',
  },
  {
    files: /^src\/store\/(level-[a-z-]+|sync-files|watermark)\.ts$/,
    names: ['process', 'node:fs', 'node:fs/promises', 'node:path', 'node:os', 'node:net'],
    why: 'the store on disk: makes the directory private and durable, locks it, names the process that has it open',
  },
  { files: /^src\/store\/web-lock\.ts$/, names: ['navigator'], why: 'locks the database of a browser by a Web Lock' },
  {
    files: /^src\/operations\/(archive-file|new-directory|prune|repair|rescue)\.ts$/,
    names: ['process', 'node:fs', 'node:fs/promises', 'node:path', 'node:readline', 'node:child_process', 'node:url'],
    why: 'archives are files, and a store is made anew beside its name; what LevelDB may abort runs apart',
  },
  { files: /^src\/operations\/restore\.ts$/, names: ['Date'], why: 'writes a given time as text' },
  {
    files: /^src\/compile\/purity\.ts$/,
    names: ['globalThis', 'Date', 'Math.random', 'performance', 'crypto', 'fetch', ...timers()],
    why: 'replaces these globals during a step, to catch a machine that reads them',
  },
  { files: /^src\/http\/peer\.ts$/, names: ['fetch'], why: 'is where requests to external agents leave' },
  {
    files: /^src\/http\/tokens\.ts$/,
    names: ['node:crypto'],
    why: 'signs tokens, and draws the secret for it where none is given',
  },
  { files: /^src\/http\/serve\.ts$/, names: ['node:http'], why: 'is the server on the loopback' },
  {
    files: /^src\/mcp\/transport\.ts$/,
    names: ['fetch'],
    why: 'reaches servers over HTTP; what it gives is recorded as the output of a call',
  },
  { files: /^src\/cli\/[a-z/-]+\.ts$/, why: 'the command line is where the outside world is let in' },
  {
    files: /^src\/testing\/test-runtime\.ts$/,
    names: ['node:timers/promises'],
    why: 'lets the event loop turn until nothing moves; the clock itself is simulated',
  },
]

function timers(): string[] {
  return [...ambient].filter((name) => /^(set|clear)[A-Z]/.test(name))
}

export function mayName(path: string, name: string): boolean {
  return exceptions.some(({ files, names }) => files.test(path) && (names === undefined || names.includes(name)))
}

/** Packages that only some files may load, so that whoever imports the rest does not need them. */
export const packageHomes: Record<string, RegExp> = {
  commander: /^src\/cli\//,
  tsx: /^src\/cli\//,
  '@noble/hashes': /^src\/base\/hash\.browser\.ts$/,
  'classic-level': /^src\/store\/level[a-z-]*\.ts$/,
  '@modelcontextprotocol/client': /^src\/mcp\//,
  'fast-check': /^src\/testing\//,
  vitest: /^src\/testing\//,
}
