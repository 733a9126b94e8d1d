import { spawn } from 'node:child_process'
import { join } from 'node:path'

export const title = 'Restate'
export const durability = 'a server beside the process, its log synced'

const modules = join(import.meta.dirname, 'node_modules')
/** The SDK needs a newer Node than the project does. */
export const node = join(modules, `node-linux-${process.arch}/bin/node`)

const ready = (url) =>
  fetch(url).then(
    ({ ok }) => ok,
    () => false,
  )

/** Ports: ingress, admin, fabric, and the program's own. */
export async function serve(directory, [ingress, admin, fabric, program]) {
  const child = spawn(join(modules, `@restatedev/restate-server-linux-${process.arch}/bin/restate-server`), [], {
    stdio: 'ignore',
    cwd: directory,
    env: {
      ...process.env,
      RESTATE_BASE_DIR: join(directory, 'restate'),
      RESTATE_NODE_NAME: 'bench',
      RESTATE_LISTEN_MODE: 'tcp',
      RESTATE_BIND_IP: '127.0.0.1',
      RESTATE_ADVERTISED_HOST: '127.0.0.1',
      RESTATE_BIND_PORT: String(fabric),
      RESTATE_INGRESS__BIND_PORT: String(ingress),
      RESTATE_ADMIN__BIND_PORT: String(admin),
      RESTATE_DISABLE_TELEMETRY: 'true',
      RESTATE_LOG_FILTER: 'warn',
      DO_NOT_TRACK: '1',
    },
  })
  const urls = [`http://127.0.0.1:${admin}/health`, `http://127.0.0.1:${ingress}/restate/health`]
  return {
    child,
    ports: { ingress, admin, program },
    isReady: async () => (await Promise.all(urls.map(ready))).every(Boolean),
  }
}

export async function open({ server, step, steps, width }) {
  process.env.RESTATE_LOGGING = 'ERROR'
  const restate = await import('@restatedev/restate-sdk')
  const clients = await import('@restatedev/restate-sdk-clients')
  const { ingress, admin, program } = server.ports
  const chain = restate.workflow({
    name: 'chain',
    handlers: {
      run: async (ctx) => {
        let last
        for (let n = 0; n < steps; n += 1) last = await ctx.run(`s${n}`, () => step(ctx.key, n))
        return last
      },
    },
  })
  const fan = restate.workflow({
    name: 'fan',
    handlers: {
      run: async (ctx) => {
        const all = Array.from({ length: width }, (_, n) => ctx.run(`s${n}`, () => step(ctx.key, n)))
        return (await restate.RestatePromise.all(all)).length
      },
    },
  })
  await restate.serve({ services: [chain, fan], port: program })
  const registered = await fetch(`http://127.0.0.1:${admin}/deployments`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ uri: `http://127.0.0.1:${program}`, force: true }),
  })
  if (!registered.ok) throw new Error(await registered.text())
  const client = clients.connect({ url: `http://127.0.0.1:${ingress}` })
  const run = async (name, id) => {
    const workflow = client.workflowClient({ name }, id)
    await workflow.workflowSubmit()
    return workflow.workflowAttach()
  }
  return { run: (id) => run('chain', id), fan: (id) => run('fan', id), close: async () => {} }
}
