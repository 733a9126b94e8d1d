import type { Io } from './io.ts'
import { cut, jsonText, printableLines } from './text.ts'

/**
 * Results go to stdout, everything else to stderr, so that a pipe gets the result alone. Whoever reads may leave at
 * any time (`| head -1`): that is no error, and what is said afterwards is dropped.
 */
export class Output {
  /** One JSON value, or JSON lines, on stdout and nothing else. */
  readonly json: boolean
  /** Whether the reader of stdout has left. */
  closed = false
  /** Resolves when what was printed last is out. */
  flushed: Promise<void> = Promise.resolve()
  private readonly io: Io
  private drawn = false

  constructor(io: Io, json: boolean) {
    this.io = io
    this.json = json
  }

  /** Whether {@link Output.draw} shows anything. */
  get live(): boolean {
    return this.io.columns !== undefined
  }

  /** A JSON value on a line of its own. */
  value(value: unknown): Promise<void> {
    return this.text(`${jsonText(value)}\n`)
  }

  /** Text on stdout; silent with `--json`. */
  async lines(...lines: string[]): Promise<void> {
    if (!this.json && lines.length > 0) await this.text(lines.map((line) => `${printableLines(line)}\n`).join(''))
  }

  /** Text on stdout as it is. */
  text(text: string): Promise<void> {
    this.clear()
    this.flushed = this.closed ? this.flushed : this.print(text)
    return this.flushed
  }

  /** A message to the person in front, on stderr. */
  note(...lines: string[]): void {
    this.clear()
    for (const line of lines) this.io.say(`${printableLines(line)}\n`)
  }

  /** Shows a line that the next one replaces. */
  draw(line: string): void {
    const { columns } = this.io
    if (columns === undefined) return
    this.io.say(`\r\u001b[2K${cut(printableLines(line), Math.max(1, columns - 1))}`)
    this.drawn = true
  }

  clear(): void {
    if (this.drawn) this.io.say('\r\u001b[2K')
    this.drawn = false
  }

  private async print(text: string): Promise<void> {
    this.closed = !(await this.io.print(text))
  }
}
