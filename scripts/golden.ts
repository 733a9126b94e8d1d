/**
 * Keeps the histories of this version, for later ones to replay: `npx tsx scripts/golden.ts [VERSION]`.
 * VERSION is a folder in test/golden; by default that of the package. What is there already is never written again.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { eventData } from '../src/event/event.ts'
import { goldenFiles, goldenRoot, hasGolden, record } from '../test/support/golden.ts'
import { goldenCases } from '../test/support/golden-cases.ts'

const packageFile = join(import.meta.dirname, '../package.json')
const version = process.argv[2] ?? JSON.parse(readFileSync(packageFile, 'utf8')).version
if (!/^\d+\.\d+\.\d+$/.test(version)) {
  console.error(`A version is three numbers, such as 1.2.3; "${version}" is not.`)
  process.exit(2)
}

mkdirSync(join(goldenRoot, version), { recursive: true })
const types = new Set<string>()
for (const [name, each] of Object.entries(goldenCases)) {
  const { events, snapshot } = await record(each)
  for (const { type } of events) types.add(type)
  if (hasGolden(version, name)) {
    console.log(`${name}: is there already`)
    continue
  }
  const { history, looks } = goldenFiles(version, name)
  const text = events.map((event) => `${JSON.stringify(event)}\n`).join('')
  writeFileSync(history, text, { flag: 'wx' })
  writeFileSync(looks, `${JSON.stringify(snapshot, null, 2)}\n`, { flag: 'wx' })
  console.log(`${name}: ${events.length} events`)
}

const missing = Object.keys(eventData).filter((type) => !types.has(type))
if (missing.length > 0) console.log(`No case has these types of events: ${missing.join(', ')}`)
