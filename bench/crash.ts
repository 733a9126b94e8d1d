import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Figure, figure, inDirectory, pick, repeat, type Size, type Workload } from './helpers.ts'

/** kill -9 in the middle of many jobs, and what the next process makes of it. */

const child = join(import.meta.dirname, 'crash-child.ts')

function start(directory: string, log: string, jobs: number): ChildProcess & { said: () => string } {
  const process_ = spawn(process.execPath, ['--import', 'tsx', child, directory, log, String(jobs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  process_.stdout.on('data', (text) => {
    said += text
  })
  return Object.assign(process_, { said: () => said })
}

const ended = (process_: ChildProcess) => new Promise<number | null>((resolve) => process_.once('close', resolve))

/** Waits until the log has grown to `bytes`, or the process is gone. */
async function grown(log: string, bytes: number, process_: ChildProcess): Promise<void> {
  while (statSync(log).size < bytes && process_.exitCode === null)
    await new Promise((resolve) => setTimeout(resolve, 2))
}

async function once(jobs: number) {
  return inDirectory(async (directory) => {
    const [data, log] = [join(directory, 'data'), join(directory, 'steps.log')]
    writeFileSync(log, '')
    const first = start(data, log, jobs)
    await grown(log, jobs * 10 * 0.5 * 'read job-1234 5\n'.length, first)
    const killed = ended(first)
    first.kill('SIGKILL')
    await killed

    const before = statSync(log).size
    const from = performance.now()
    const second = start(data, log, jobs)
    const end = ended(second)
    await grown(log, before + 1, second)
    const firstAt = performance.now()
    if ((await end) !== 0) throw new Error('The process after the crash failed; see above.')
    const loadMs = said(second.said(), 'loaded')
    const [firstMs, allMs] = [firstAt, performance.now()].map((at) => at - from - loadMs) as [number, number]
    return { loadMs, firstMs, allMs, ...judge(jobs, readFileSync(log, 'utf8'), second.said()) }
  })
}

/** The number that the process has said after `word`. */
const said = (text: string, word: string) => Number(new RegExp(`^${word} ([\\d.]+)$`, 'm').exec(text)?.[1])

/** What the steps left in the file, against what the second process said. */
function judge(jobs: number, log: string, told: string) {
  const lines = log.trimEnd().split('\n')
  const inDoubt = new Set(/doubt (.*)/.exec(told)?.[1]?.split(' ').filter(Boolean))
  const extra = (effect: string) => {
    const own = lines.filter((line) => line.startsWith(effect))
    return own.length - new Set(own).size
  }
  const steps = new Map<string, number>()
  for (const line of new Set(lines)) {
    const job = line.split(' ')[1] as string
    steps.set(job, (steps.get(job) ?? 0) + 1)
  }
  const complete = [...steps].filter(([job, count]) => count === 10 || inDoubt.has(job)).length
  return {
    resumed: said(told, 'resumed'),
    inDoubt: inDoubt.size,
    readTwice: extra('read'),
    onceTwice: extra('once'),
    incomplete: jobs - complete,
  }
}

export const crash: Workload = {
  name: 'crash',
  about: 'W4: kill -9 in the middle of 2,000 jobs of 10 steps, 200 at a time, of classes read and once',
  async run(size: Size): Promise<Figure[]> {
    const jobs = pick(size, { tiny: 20, normal: 2_000 })
    const runs = await repeat(pick(size, { tiny: 1, normal: 2 }), () => once(jobs))
    return [
      figure('start of Node, with TypeScript', 'ms', runs, ({ loadMs }) => loadMs),
      figure('first step after that', 'ms', runs, ({ firstMs }) => firstMs, '<= 1,000'),
      figure('all at their end after that', 'ms', runs, ({ allMs }) => allMs),
      figure('jobs under way at the kill', '', runs, ({ resumed }) => resumed),
      figure('steps of class read run twice', '', runs, ({ readTwice }) => readTwice),
      figure('steps of class once run twice', '', runs, ({ onceTwice }) => onceTwice, '0'),
      figure('steps of class once left to a person', '', runs, ({ inDoubt }) => inDoubt),
      figure('jobs that lack a step', '', runs, ({ incomplete }) => incomplete, '0'),
    ]
  },
}
