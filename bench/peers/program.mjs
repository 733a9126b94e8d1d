import { openSync, readFileSync, writeSync } from 'node:fs'

/**
 * One workload on one system, in a process of its own, so that it can be killed: `node program.mjs PEER TASK-AS-JSON`.
 * Says what it measured as JSON lines.
 */

const [peer, task] = [process.argv[2], JSON.parse(process.argv[3])]
const { workload, directory, log, server, sizes, again } = task
const text = 'x'.repeat(150)
const file = openSync(log, 'a')

/** What a step does, the same for all: a line in a file, not synced, and about 200 bytes of JSON. */
function step(job, n) {
  writeSync(file, `${job} ${n}\n`)
  return { job, n, ok: true, text }
}

const say = (value) => writeSync(1, `${JSON.stringify(value)}\n`)

/** CPU of this process and of its server, with all that the server has started. */
function cpuMs() {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000 + (server ? cpuOfTree(server.pid) : 0)
}

function cpuOfTree(pid) {
  const stat = statOf(pid)
  if (stat === undefined) return 0
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)
  // In ticks of 10 ms: own time, and that of children that have ended.
  const own = stat.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * 10, 0)
  return children.reduce((sum, child) => sum + cpuOfTree(child), own)
}

function statOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined // it has ended
  }
}

async function pool(count, concurrency, each) {
  let next = 0
  const lane = async () => {
    while (next < count) {
      next += 1
      await each(next - 1)
    }
  }
  await Promise.all(Array.from({ length: Math.min(count, concurrency) }, lane))
}

const quantile = (samples, part) => samples.toSorted((a, b) => a - b)[Math.floor(samples.length * part)]

/** One after the other: how long each takes. */
async function alone(count, run) {
  for (let index = 0; index < sizes.warm; index += 1) await run(`warm-${workload}-${index}`)
  const times = []
  const cpu = cpuMs()
  for (let index = 0; index < count; index += 1) {
    const start = performance.now()
    await run(`${workload}-${index}`)
    times.push(performance.now() - start)
  }
  return { p50Ms: quantile(times, 0.5), p99Ms: quantile(times, 0.99), cpuMs: (cpuMs() - cpu) / count }
}

async function together(jobs, run) {
  await pool(sizes.warm * 2, sizes.concurrency, (index) => run(`warm-${workload}-${index}`))
  const cpu = cpuMs()
  const start = performance.now()
  await pool(jobs, sizes.concurrency, (index) => run(`${workload}-${index}`))
  return { wallMs: performance.now() - start, cpuMs: (cpuMs() - cpu) / jobs }
}

const { open } = await import(`./${peer}/peer.mjs`)
say({ loadedMs: performance.now() })
const { run, fan, resume = run, close } = await open({ directory, server, step, steps: 10, width: sizes.width })
if (workload === 'lone') say(await alone(sizes.lone, run))
if (workload === 'many') say(await together(sizes.jobs, run))
if (workload === 'fan') say(await alone(sizes.fan, fan))
if (workload === 'crash') await pool(sizes.jobs, sizes.concurrency, (index) => (again ? resume : run)(`crash-${index}`))
say({ done: true })
await close()
process.exit()
