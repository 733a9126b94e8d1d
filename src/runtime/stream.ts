import { z } from 'zod'
import { AetherisError } from '../base/error.ts'
import type { Json } from '../base/json.ts'
import type { JobEvent } from '../event/event.ts'

/**
 * What those who watch a job are given: its events, and between them what its attempts make while they are under way.
 *
 * Only the events are durable. A text that is cut off by a crash is not taken back: the event that follows says that
 * the attempt was abandoned, and the output in the history is the one that counts.
 */

/** A piece of what an attempt makes; `offset` counts from the begin of that attempt, in UTF-16 code units. */
export interface TextPiece {
  effect: string
  attempt: number
  offset: number
  text: string
}

export type StreamPart = (
  | { type: 'event'; event: JobEvent }
  | ({ type: 'text' } & TextPiece)
  | { type: 'progress'; effect: string; data: Json }
) & {
  /** Whoever was given this part, and comes again with `after: cursor`, is given what follows it. */
  cursor: string
}

export interface StreamOptions {
  /** The cursor of the last part that was seen. Default: from the first event. */
  after?: string
}

type Piece = { seq: number } & (({ type: 'text' } & TextPiece) | { type: 'progress'; effect: string; data: Json })

/** The pieces that one watcher has not taken yet. They grow together, so a slow watcher holds no more than the text. */
export class Watch {
  private pieces: Piece[] = []
  private hasNews = false
  private wake = () => {}

  /** `seq`: number of the events that were published before. */
  text(seq: number, piece: TextPiece): void {
    const last = this.pieces.at(-1)
    const { effect, attempt } = piece
    if (last?.type === 'text' && last.seq === seq && last.effect === effect && last.attempt === attempt) {
      last.text += piece.text
    } else this.pieces.push({ type: 'text', seq, ...piece })
    this.published()
  }

  progress(seq: number, effect: string, data: Json): void {
    const last = this.pieces.at(-1)
    if (last?.type === 'progress' && last.seq === seq && last.effect === effect) last.data = data
    else this.pieces.push({ type: 'progress', seq, effect, data })
    this.published()
  }

  /** There is something to look at, if only that the job has moved. */
  published(): void {
    this.hasNews = true
    this.wake()
  }

  /** Resolves when there is something new since `take`. */
  next(): Promise<void> {
    if (this.hasNews) return Promise.resolve()
    return new Promise((resolve) => {
      this.wake = resolve
    })
  }

  take(): Piece[] {
    const { pieces } = this
    this.pieces = []
    this.hasNews = false
    return pieces
  }
}

const cursorSchema = z.tuple([z.int().min(0), z.record(z.string(), z.tuple([z.int().min(1), z.int().min(0)]))])

/** How far a watcher has come: the next event, and the text of each attempt that is under way. */
export class Place {
  seq = 0
  private readonly texts = new Map<string, [attempt: number, offset: number]>()

  /** @throws AetherisError INPUT_INVALID where `cursor` is none that a stream has given. */
  static after(cursor: string | undefined): Place {
    const place = new Place()
    if (cursor === undefined) return place
    const parsed = cursorSchema.safeParse(read(cursor))
    if (!parsed.success) {
      const message = `${JSON.stringify(cursor)} is no cursor of a stream; give the cursor of a part, as it is.`
      throw new AetherisError('INPUT_INVALID', message)
    }
    const [seq, texts] = parsed.data
    place.seq = seq
    for (const [effect, at] of Object.entries(texts)) place.texts.set(effect, at)
    return place
  }

  /** The part that an event is. */
  event(event: JobEvent): StreamPart {
    this.seq = event.seq + 1
    // Whatever is told of an effect, what comes next is another text.
    if (event.type !== 'node.progressed' && 'effect' in event.data) this.texts.delete(event.data.effect ?? '')
    return { type: 'event', event, cursor: this.cursor }
  }

  /** The part that a piece is, without what was seen of it; undefined where all of it was. */
  piece(piece: Piece): StreamPart | undefined {
    if (piece.type === 'progress') {
      return { type: 'progress', effect: piece.effect, data: piece.data, cursor: this.cursor }
    }
    const { effect, attempt, text } = piece
    const [seenAttempt, seenOffset] = this.texts.get(effect) ?? [attempt, 0]
    const seen = seenAttempt === attempt ? Math.max(0, seenOffset - piece.offset) : 0
    if (seen >= text.length) return undefined
    this.texts.set(effect, [attempt, piece.offset + text.length])
    const fresh = { effect, attempt, offset: piece.offset + seen, text: text.slice(seen) }
    return { type: 'text', ...fresh, cursor: this.cursor }
  }

  private get cursor(): string {
    return JSON.stringify([this.seq, Object.fromEntries(this.texts)])
  }
}

function read(cursor: string): unknown {
  try {
    return JSON.parse(cursor)
  } catch {
    return undefined
  }
}
