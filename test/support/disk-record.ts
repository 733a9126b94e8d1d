import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { childFile } from './child.ts'

/** What a process did to the files below a directory, in order. Paths are relative to it; `''` is the directory itself. */
export type DiskOp =
  | { op: 'mkdir' | 'sync' | 'unlink'; path: string }
  /** For writing; the file is made where there is none. */
  | { op: 'open'; path: string; isEmptied: boolean }
  | { op: 'append'; path: string; bytes: Buffer }
  | { op: 'rename'; path: string; to: string }

/** What is recorded: see disk-child.ts. */
export type Workload = 'usual' | 'small'

/** Whether this machine can record: Linux with strace. */
export const canRecord = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0

const calls = 'openat,write,writev,pwrite64,fsync,fdatasync,rename,unlink,ftruncate,mkdir,rmdir'

export function record(workload: Workload): DiskOp[] {
  const folder = mkdtempSync(join(tmpdir(), 'aetheris-strace-'))
  try {
    const [root, trace] = [join(folder, 'root'), join(folder, 'trace')]
    mkdirSync(root)
    const options = ['-f', '-y', '-xx', '-s', '16000000', '-e', `trace=${calls}`, '-o', trace]
    const child = [process.execPath, childFile('disk-child'), root, workload]
    const { status, stderr } = spawnSync('strace', [...options, ...child], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`strace ended with ${status}: ${stderr}`)
    return opsOf(readFileSync(trace, 'latin1'), root)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The calls that changed something below `root`. One that was interrupted counts where it has returned. */
function opsOf(trace: string, root: string): DiskOp[] {
  const begun = new Map<string, string>()
  const ops: DiskOp[] = []
  for (const line of trace.split('\n')) {
    const [, thread = '', text = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
    if (text.endsWith(' <unfinished ...>')) begun.set(thread, text.replace(' <unfinished ...>', ''))
    const rest = /^<\.\.\. \w+ resumed>(.*)$/.exec(text)?.[1]
    const whole = rest === undefined ? text : `${begun.get(thread)}${rest}`
    const [, call = '', given = '', result = '-'] = /^(\w+)\((.*)\) += (\S+)/.exec(whole) ?? []
    const op = result.startsWith('-') ? undefined : opOf(call, given, root)
    if (op !== undefined) ops.push(op)
  }
  return ops
}

function opOf(call: string, given: string, root: string): DiskOp | undefined {
  const file = /^\d+<((?:\\x..)*)>/.exec(given)?.[1]
  const texts = [...given.matchAll(/"((?:\\x..)*)"/g)].map((match) => unescaped(match[1] as string))
  const path = below(root, String(file === undefined ? texts[0] : unescaped(file)))
  if (path === undefined) return undefined
  switch (call) {
    case 'openat':
      return given.includes('O_CREAT') ? { op: 'open', path, isEmptied: given.includes('O_TRUNC') } : undefined
    case 'write':
      return { op: 'append', path, bytes: texts[0] as Buffer }
    case 'fsync':
    case 'fdatasync':
      return { op: 'sync', path }
    case 'mkdir':
    case 'unlink':
      return { op: call, path }
    case 'rename':
      return { op: call, path, to: below(root, String(texts[1])) as string }
    default:
      throw new Error(`There is no model of ${call} on ${path}.`)
  }
}

function unescaped(text: string): Buffer {
  return Buffer.from(text.replaceAll('\\x', ''), 'hex')
}

function below(root: string, path: string): string | undefined {
  if (path === root) return ''
  return path.startsWith(`${root}/`) ? path.slice(root.length + 1) : undefined
}

/** A recording as it is kept. */
export function packed(ops: readonly DiskOp[]): Buffer {
  const lines = ops.map((op) => JSON.stringify(op.op === 'append' ? { ...op, bytes: op.bytes.toString('base64') } : op))
  return gzipSync(lines.join('\n'), { level: 9 })
}

export function unpacked(kept: Buffer): DiskOp[] {
  const lines = gunzipSync(kept).toString().split('\n')
  return lines.map((line) => {
    const op = JSON.parse(line)
    return op.op === 'append' ? { ...op, bytes: Buffer.from(op.bytes, 'base64') } : op
  })
}
