import { isAetherisError } from '../base/error.ts'
import { checkOpened } from './level-check.ts'
import { asStoreError, type LevelDatabase } from './level-db.ts'
import { checkFormat, generationOf, writeGeneration } from './level-format.ts'
import type { Medium, Testimony } from './level-medium.ts'
import { countUnfinished } from './level-read.ts'
import { Rows } from './level-rows.ts'
import { LevelWriter } from './level-writer.ts'
import type { Finding, OpenReport } from './store.ts'

/** The database from one opening to its closing. */
export interface Session {
  readonly db: LevelDatabase
  readonly rows: Rows
  readonly writer: LevelWriter
  readonly report: OpenReport
  readonly medium: Medium
}

/**
 * Opens the database, checks it and makes it ready to be written.
 * `generation` is that of the store where it opens itself again; leases of it stay good.
 * @throws AetherisError STORE_LOCKED, STORE_FORMAT, STORE_CORRUPT, STORE_IO
 */
export async function startSession(medium: Medium, generation: number | undefined): Promise<Session> {
  const db = await medium.openDatabase().catch((error: unknown) => {
    throw asStoreError(error, 'opening the database')
  })
  try {
    return await checkedSession(medium, db, generation)
  } catch (error) {
    await db.close().catch(() => undefined)
    throw asStoreError(error, 'opening the database')
  }
}

async function checkedSession(medium: Medium, db: LevelDatabase, reopened: number | undefined): Promise<Session> {
  await checkFormat(db)
  const testimony = await medium.testimony()
  const head = await checkOpened(db, testimony).catch(async (error: unknown) => {
    // LevelDB drops damaged parts of its log only once; the next opening would find nothing to complain about.
    if (testimony.dropped !== undefined && isAetherisError(error, 'STORE_CORRUPT')) await medium.condemn(error.message)
    throw error
  })
  // Also after a failed write: a disk that refuses this is not ready.
  const generation = reopened ?? (await generationOf(db)) + 1
  await writeGeneration(db, generation)
  await medium.accept(head)
  const rows = new Rows(db)
  const report = { generation, unfinished: await countUnfinished(db), problems: problemsOf(testimony) }
  return { db, rows, writer: new LevelWriter(db, rows, medium, generation, head), report, medium }
}

function problemsOf({ dropped, notes }: Testimony): Finding[] {
  const problems: Finding[] = notes.map((message) => ({ kind: 'watermark', message }))
  if (dropped !== undefined) {
    problems.push({
      kind: 'commit',
      message: `LevelDB left out the end of its log, which was not acknowledged: ${dropped}`,
    })
  }
  return problems
}
