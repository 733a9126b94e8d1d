import { createHash } from 'node:crypto'
import { open, readdir, readFile, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { withoutMark } from './packages.ts'
import { detectLicence, detectMention } from './texts.ts'

/** What a package says about its licence, and what its licence text says. */
export interface PackageLicence {
  name: string
  version: string
  /** The manifest's licence field in whatever historic form, as one line of text; null where there is none. */
  declared: string | null
  /** Name of the file that the licence text was found in. */
  text: string | null
  /** SHA-256 (hex) of the text, to see whether it changed since it was approved. */
  textHash: string | null
  /** SPDX id of the licence that the text was recognised as. */
  detected: string | null
}

/** @throws Error where the manifest cannot be read, is no JSON, or has no name and version. */
export async function readPackage(dir: string): Promise<PackageLicence> {
  const manifest = await readManifest(dir)
  const declared = declaredLicence(manifest)
  const { name, version } = manifest as { name: string; version: string }
  const found = await findText(dir, declared)
  if (found === undefined) return { name, version, declared, text: null, textHash: null, detected: null }
  const detected = found.isReadme ? detectMention(found.content) : detectLicence(found.content)
  return { name, version, declared, text: found.file, textHash: sha256(found.content), detected }
}

type Manifest = { [key: string]: unknown }

async function readManifest(dir: string): Promise<Manifest> {
  const path = join(dir, 'package.json')
  const manifest = parse(withoutMark(await readFile(path, 'utf8')), path)
  if (!isRecord(manifest) || typeof manifest['name'] !== 'string' || typeof manifest['version'] !== 'string') {
    throw new Error(`${path} has no name and version.`)
  }
  return manifest
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new Error(`${path} is not valid JSON.`, { cause })
  }
}

/**
 * The licence field: today an SPDX expression; in older packages an object, a list, or under the name `licenses`.
 * A list meant a choice, so it becomes an expression with OR.
 */
function declaredLicence(manifest: Manifest): string | null {
  for (const key of ['license', 'licence', 'licenses', 'licences']) {
    const named = [manifest[key]].flat().flatMap(nameOf)
    if (named.length > 1) return named.map((name) => (/\s/.test(name) ? `(${name})` : name)).join(' OR ')
    if (named[0] !== undefined) return named[0]
  }
  return null
}

function nameOf(entry: unknown): string[] {
  const text = isRecord(entry) ? (entry['type'] ?? entry['name']) : entry
  if (typeof text !== 'string') return []
  const line = text.replace(/\s+/g, ' ').trim().slice(0, 500)
  return line === '' ? [] : [line]
}

interface Found {
  file: string
  content: string
  isReadme: boolean
}

/** The file that the manifest points to, else the usual names, else the licence section of the README. */
async function findText(dir: string, declared: string | null): Promise<Found | undefined> {
  const pointed = /^SEE LICEN[CS]E IN (.+)$/i.exec(declared ?? '')?.[1]?.trim()
  const names = (await readdir(dir)).sort(byRank)
  for (const file of [...(pointed ? [pointed] : []), ...names.filter((name) => rank(name) < rankNone)]) {
    const content = await readInside(dir, file)
    if (content?.trim()) return { file, content, isReadme: false }
  }
  for (const file of names.filter((name) => /^readme(\.(md|markdown|txt|rst))?$/i.test(name))) {
    const section = licenceSection((await readInside(dir, file)) ?? '')
    if (section) return { file, content: section, isReadme: true }
  }
  return undefined
}

const usualNames = [
  /^licen[cs]e(\.(md|markdown|txt|rst))?$/i,
  /^licen[cs]e[-_.]mit(\.(md|txt))?$/i,
  /^mit-licen[cs]e(\.(md|txt))?$/i,
  /^licen[cs]e[-_.][\w.-]+$/i,
  /^(copying|unlicense)(\.[\w.-]+)?$/i,
]
const rankNone = usualNames.length

function rank(name: string): number {
  const index = usualNames.findIndex((pattern) => pattern.test(name) && !/\.([cm]?[jt]sx?|json|map|html)$/i.test(name))
  return index < 0 ? rankNone : index
}

function byRank(a: string, b: string): number {
  return rank(a) - rank(b) || (a < b ? -1 : 1)
}

const bytesMax = 1024 * 1024

/** Reads the first megabyte of a file, unless its name or a link leads out of the package. */
async function readInside(dir: string, file: string): Promise<string | undefined> {
  try {
    const [home, path] = [await realpath(dir), await realpath(join(dir, file))]
    if (!path.startsWith(home + sep)) return undefined
    await using handle = await open(path)
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(bytesMax), 0, bytesMax, 0)
    return withoutMark(buffer.toString('utf8', 0, bytesRead))
  } catch {
    return undefined // it is not there, is a directory, or may not be read
  }
}

/** From a heading "License" to the next heading, in either style of Markdown. */
function licenceSection(readme: string): string | undefined {
  const lines = readme.split(/\r?\n/)
  const isHeading = (at: number) =>
    /^#{1,6}\s*\S/.test(lines[at] ?? '') ||
    (/\S/.test(lines[at] ?? '') && /^(={3,}|-{3,})\s*$/.test(lines[at + 1] ?? ''))
  const start = lines.findIndex((line, at) => isHeading(at) && /^[#\s\d.]*(the )?licen[cs](e|es|ing)\b/i.test(line))
  if (start < 0) return undefined
  const after = lines.findIndex((_, at) => at > start && isHeading(at))
  const section = lines.slice(start + 1, after < 0 ? undefined : after).filter((line) => !/^[=-]{3,}\s*$/.test(line))
  return section.join('\n').trim() || undefined
}

function isRecord(value: unknown): value is Manifest {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
