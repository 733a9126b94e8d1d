/** SPDX licence expressions: `MIT`, `Apache-2.0 WITH LLVM-exception`, `(MIT OR GPL-2.0+) AND CC0-1.0`. */

export type Expression =
  | { kind: 'licence'; id: string; orLater: boolean; exception: string | undefined }
  | { kind: 'or' | 'and'; parts: Expression[] }

/** Deeper nesting is nobody's licence. */
const depthMax = 20

/** Undefined where `text` is no expression. */
export function parseExpression(text: string): Expression | undefined {
  const tokens = text.match(/[()]|[^\s()]+/g) ?? []
  const reader = new Reader(tokens)
  const parsed = reader.choice(0)
  return reader.isAtEnd ? parsed : undefined
}

class Reader {
  private at = 0
  private readonly tokens: readonly string[]

  constructor(tokens: readonly string[]) {
    this.tokens = tokens
  }

  get isAtEnd(): boolean {
    return this.at === this.tokens.length
  }

  /** OR binds the weakest. */
  choice(depth: number): Expression | undefined {
    return this.list('or', () => this.list('and', () => this.single(depth)))
  }

  private list(kind: 'or' | 'and', next: () => Expression | undefined): Expression | undefined {
    const parts: Expression[] = []
    do {
      const part = next()
      if (part === undefined) return undefined
      parts.push(part)
    } while (this.takes(kind))
    return parts.length === 1 ? parts[0] : { kind, parts }
  }

  private single(depth: number): Expression | undefined {
    if (this.takes('(')) {
      const inner = depth < depthMax ? this.choice(depth + 1) : undefined
      return this.takes(')') ? inner : undefined
    }
    const token = this.name()
    if (token === undefined) return undefined
    const exception = this.takes('with') ? this.name() : undefined
    if (exception === undefined && this.tokens[this.at - 1]?.toLowerCase() === 'with') return undefined
    const orLater = token.endsWith('+')
    return { kind: 'licence', id: orLater ? token.slice(0, -1) : token, orLater, exception }
  }

  private name(): string | undefined {
    const token = this.tokens[this.at]
    if (token === undefined || !/^[A-Za-z0-9][A-Za-z0-9.:-]*\+?$/.test(token) || /^(or|and|with)$/i.test(token))
      return undefined
    this.at += 1
    return token
  }

  private takes(token: string): boolean {
    if (this.tokens[this.at]?.toLowerCase() !== token) return false
    this.at += 1
    return true
  }
}

/** The expression as text, with as few parentheses as it needs. */
export function printExpression(expression: Expression, inside: 'or' | 'and' = 'or'): string {
  if (expression.kind === 'licence') {
    const { id, orLater, exception } = expression
    return `${id}${orLater ? '+' : ''}${exception === undefined ? '' : ` WITH ${exception}`}`
  }
  const text = expression.parts
    .map((part) => printExpression(part, 'and'))
    .join(expression.kind === 'or' ? ' OR ' : ' AND ')
  return expression.kind === 'or' && inside === 'and' ? `(${text})` : text
}

/** Every licence that an expression names. */
export function licencesOf(expression: Expression): Expression[] {
  return expression.kind === 'licence' ? [expression] : expression.parts.flatMap(licencesOf)
}
