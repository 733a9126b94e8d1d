/** Recognises licence texts by phrases that only one licence has. */

interface Mark {
  /** Matched against text in lower case with single spaces and without Markdown signs. */
  phrase: RegExp
  /** The SPDX id, or what tells close relatives apart by the text from the phrase on. */
  id: string | ((rest: string, match: RegExpExecArray) => string)
}

const marks: readonly Mark[] = [
  {
    phrase: /permission is hereby granted, free of charge, to any person obtaining a copy/,
    id: (rest) => (/copyright notice and this permission notice/.test(rest.slice(0, 1500)) ? 'MIT' : 'MIT-0'),
  },
  { phrase: /\bmit no attribution\b/, id: 'MIT-0' },
  { phrase: /\bmit license\b/, id: 'MIT' },
  {
    phrase: /permission to use, copy, modify,? and(\/or)? distribute this software for any purpose with or without fee/,
    id: (rest) => (/copyright notice and this permission notice/.test(rest.slice(0, 400)) ? 'ISC' : '0BSD'),
  },
  { phrase: /redistribution and use in source and binary forms/, id: bsd },
  { phrase: /\bapache license,? (version|v\.?) ?2\.0/, id: 'Apache-2.0' },
  { phrase: /mozilla public license,? (version|v\.?) ?2\.0/, id: 'MPL-2.0' },
  { phrase: /this is free and unencumbered software released into the public domain/, id: 'Unlicense' },
  { phrase: /\bcc0 1\.0 universal/, id: 'CC0-1.0' },
  { phrase: /blue oak model license/, id: 'BlueOak-1.0.0' },
  { phrase: /python software foundation license version 2/, id: 'Python-2.0' },
  {
    phrase: /attribution(-noncommercial)?(-sharealike|-noderiv(ative)?s)? ([34])\.0 (international|unported)/,
    id: (_, [text = '', nc, other = '', , version]) => {
      const parts = ['CC-BY', nc && 'NC', other.startsWith('-share') && 'SA', other.startsWith('-no') && 'ND']
      return text && `${parts.filter(Boolean).join('-')}-${version}.0`
    },
  },
  { phrase: /eclipse public license,?( -)? (version|v\.?) ?([12])\.0/, id: (_, match) => `EPL-${match[3]}.0` },
  { phrase: /do what the fuck you want to public license/, id: 'WTFPL' },
  { phrase: /permission is granted to anyone to use this software for any purpose,? including commercial/, id: 'Zlib' },
  { phrase: /boost software license,?( -)? version 1\.0/, id: 'BSL-1.0' },
  { phrase: /artistic license 2\.0/, id: 'Artistic-2.0' },
  {
    // The text alone does not say "or later"; the narrower reading is the safe one.
    phrase: /gnu (affero |lesser |library )?general public license,? \(?(version|v\.?) ?(\d(\.\d)?)/,
    id: (_, match) => {
      const family = { affero: 'AGPL', lesser: 'LGPL', library: 'LGPL' }[match[1]?.trim() ?? ''] ?? 'GPL'
      return `${family}-${match[3]?.includes('.') ? match[3] : `${match[3]}.0`}-only`
    },
  },
]

function bsd(rest: string): string {
  const clauses = rest.slice(0, 2500)
  if (/all advertising materials mentioning/.test(clauses)) return 'BSD-4-Clause'
  const hasThird = /neither the names? of|may not be used to endorse or promote/.test(clauses)
  return hasThird ? 'BSD-3-Clause' : 'BSD-2-Clause'
}

/** What a README says in a word or two, such as "MIT (c) Ana". */
const mentions: readonly [RegExp, string][] = [
  [/\bmit\b/, 'MIT'],
  [/\bisc\b/, 'ISC'],
  [/\bapache([- ]license)?,?[- ]?(version |v)?2(\.0)?\b/, 'Apache-2.0'],
  [/\bbsd[- ]?2([- ]clause)?\b|\b2[- ]clause bsd\b/, 'BSD-2-Clause'],
  [/\bbsd[- ]?3([- ]clause)?\b|\b3[- ]clause bsd\b/, 'BSD-3-Clause'],
  [/\bmpl[- ]?2(\.0)?\b/, 'MPL-2.0'],
  [/\bunlicense\b/, 'Unlicense'],
  [/\bcc0\b/, 'CC0-1.0'],
  [/\bwtfpl\b/, 'WTFPL'],
]

/** The licence that a text is, by the earliest of the known phrases: what follows may be texts of bundled code. */
export function detectLicence(text: string): string | null {
  const plain = normalise(text)
  let first: { at: number; id: string } | undefined
  for (const { phrase, id } of marks) {
    const match = phrase.exec(plain)
    if (match === null || (first && first.at <= match.index)) continue
    first = { at: match.index, id: typeof id === 'string' ? id : id(plain.slice(match.index), match) }
  }
  return first?.id ?? null
}

/** The licence that a README's section names, in full or in a word; null where it names several. */
export function detectMention(section: string): string | null {
  const inFull = detectLicence(section)
  if (inFull !== null) return inFull
  const plain = normalise(section)
  const named = mentions.filter(([word]) => word.test(plain))
  return named.length === 1 ? (named[0]?.[1] ?? null) : null
}

function normalise(text: string): string {
  return text
    .toLowerCase()
    .replace(/licence/g, 'license')
    .replace(/[*#>`_"'\u2018\u2019\u201C\u201D]|\/\//g, ' ')
    .replace(/[\u2010-\u2015]/g, '-')
    .replace(/\s+/g, ' ')
    .replace(/ ([,.])/g, '$1')
}
