import { open, readdir, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** Files and names made durable. */

/** Writes a file whole or not at all, durably. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const file = await open(`${path}.new`, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.new`, path)
  await syncDirectory(dirname(path))
}

/** Makes the names in a directory durable. Windows has no such call and needs none. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  await syncPath(path)
}

/** Makes the content of every file in a directory durable, except LevelDB's LOCK: closing that would drop the lock. */
export async function syncFilesIn(path: string): Promise<void> {
  for (const name of await readdir(path)) if (name !== 'LOCK') await syncPath(join(path, name))
  await syncDirectory(path)
}

async function syncPath(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
