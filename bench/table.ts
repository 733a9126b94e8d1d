import { statfsSync } from 'node:fs'
import { cpus, release, type } from 'node:os'
import { type Figure, median } from './helpers.ts'

/** What people read: the machine, and one line for each figure. */

const fileSystems: Record<number, string> = {
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  801189825: 'zfs',
  2035054128: 'overlayfs',
  26985: 'nfs',
  16914836: 'tmpfs: no disk, so syncing is free and the figures are worth nothing',
  26: 'apfs',
}

export function machine(directory: string): string {
  const { type: kind } = statfsSync(directory)
  const fileSystem = fileSystems[kind] ?? `file system 0x${kind.toString(16)}`
  const cores = cpus()
  return `${cores.length} cores (${cores[0]?.model.trim()}), ${type()} ${release()}, Node ${process.versions.node}, ${fileSystem}; every commit is synced to disk`
}

const widths = [10, 46, 12, 12, 12]

function cells(values: string[]): string {
  return values.map((value, at) => (at < 2 ? value.padEnd(widths[at] ?? 0) : value.padStart(widths[at] ?? 0))).join(' ')
}

export const heading = `${cells(['workload', 'figure', 'median', 'min', 'max'])}  aim`

export function line(workload: string, { what, unit, samples, aim = '' }: Figure): string {
  const show = (value: number) => shown(value, unit)
  const spread = samples.length > 1 ? [show(Math.min(...samples)), show(Math.max(...samples))] : ['', '']
  return `${cells([workload, what, show(median(samples)), ...spread])}  ${aim}`.trimEnd()
}

/** Three digits that count, and the unit. */
export function shown(value: number, unit: Figure['unit']): string {
  const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2
  const number = value !== 0 && Math.abs(value) < 0.1 ? value.toPrecision(2) : value.toFixed(digits)
  const grouped = digits === 0 ? Number(number).toLocaleString('en') : number
  return unit === 'x' || unit === '/s' || unit === '' ? grouped + unit : `${grouped} ${unit}`
}
