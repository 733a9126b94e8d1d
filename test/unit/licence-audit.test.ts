import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parseExpression, printExpression } from '../../examples/licence-audit/expression.ts'
import { readPackage } from '../../examples/licence-audit/manifest.ts'
import { findPackages } from '../../examples/licence-audit/packages.ts'
import { classify, defaultAllow } from '../../examples/licence-audit/policy.ts'
import { type Report, renderReport } from '../../examples/licence-audit/report.ts'
import { detectLicence, detectMention } from '../../examples/licence-audit/texts.ts'

let root: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'licence-audit-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

async function write(path: string, content: unknown): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true })
  await writeFile(join(root, path), typeof content === 'string' ? content : JSON.stringify(content))
}

const install = (path: string, version = '1.0.0', name = path.slice(path.lastIndexOf('node_modules/') + 13)) =>
  write(`${path}/package.json`, { name, version })

const mit = `MIT License

Copyright (c) 2020 Ana

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated files, to
deal in the Software without restriction. The above copyright notice and this permission notice shall be included.`

describe('findPackages', () => {
  const found = async (from = root) =>
    (await findPackages(from)).map(({ dir, name, version }) => [relative(root, dir), name, version].join(' '))

  test('finds nested and scoped packages, sorted by name and version', async () => {
    await install('node_modules/zed')
    await install('node_modules/@ana/kit')
    await install('node_modules/@ana/kit/node_modules/zed', '10.0.0')
    await install('node_modules/@ana/kit/node_modules/@bo/deep', '2.0.0')
    expect(await found()).toEqual([
      'node_modules/@ana/kit @ana/kit 1.0.0',
      'node_modules/@ana/kit/node_modules/@bo/deep @bo/deep 2.0.0',
      'node_modules/zed zed 1.0.0',
      'node_modules/@ana/kit/node_modules/zed zed 10.0.0',
    ])
    expect(await found(join(root, 'node_modules'))).toEqual(await found())
  })

  test('looks only where packages are installed, and only at manifests that name one', async () => {
    await install('node_modules/kit')
    await write('node_modules/kit/esm/package.json', { type: 'module' })
    await install('node_modules/kit/test/node_modules/fixture')
    await write('node_modules/.bin/tool', '')
    await write('node_modules/marker/package.json', { type: 'commonjs' })
    await write('node_modules/broken/package.json', '{ "name": ')
    await write('node_modules/list/package.json', [])
    await write('node_modules/odd/package.json', { name: 7, version: null })
    await write('node_modules/file.txt', 'no directory')
    await write('node_modules/bom/package.json', '\uFEFF{"name":"bom","version":"1.0.0"}')
    expect(await found()).toEqual(['node_modules/bom bom 1.0.0', 'node_modules/kit kit 1.0.0'])
  })

  test('follows links once, and does not walk in circles', async () => {
    await install('packages/own', '1.0.0', 'own')
    await mkdir(join(root, 'packages/own/node_modules'), { recursive: true })
    await install('node_modules/.pnpm/dep@1.0.0/node_modules/dep')
    await symlink(join(root, 'packages/own'), join(root, 'node_modules/own'))
    await symlink(join(root, 'packages/own'), join(root, 'packages/own/node_modules/own'))
    await symlink(join(root, 'node_modules/.pnpm/dep@1.0.0/node_modules/dep'), join(root, 'node_modules/dep'))
    await symlink(join(root, 'gone'), join(root, 'node_modules/gone'))
    expect(await found()).toEqual(['node_modules/dep dep 1.0.0', 'node_modules/own own 1.0.0'])
  })

  test('says what is wrong with a root that is missing, a file, or holds nothing', async () => {
    await write('file', '')
    await mkdir(join(root, 'empty/node_modules'), { recursive: true })
    await expect(findPackages(join(root, 'gone'))).rejects.toThrow('is not a directory')
    await expect(findPackages(join(root, 'file'))).rejects.toThrow('is not a directory')
    await expect(findPackages(root)).rejects.toThrow('holds no installed packages')
    expect(await findPackages(join(root, 'empty'))).toEqual([])
  })
})

describe('readPackage', () => {
  const read = async (manifest: object, files: Record<string, string> = {}) => {
    await write('package.json', { name: 'kit', version: '1.0.0', ...manifest })
    for (const [name, text] of Object.entries(files)) await write(name, text)
    return readPackage(root)
  }

  test.each([
    ['an SPDX id', { license: 'MIT' }, 'MIT'],
    ['an expression', { license: '(MIT OR Apache-2.0)' }, '(MIT OR Apache-2.0)'],
    ['an object', { license: { type: 'ISC', url: 'http://localhost' } }, 'ISC'],
    ['an object with a name', { license: { name: 'ISC' } }, 'ISC'],
    ['a list of objects', { licenses: [{ type: 'MIT' }, { type: 'GPL-2.0' }] }, 'MIT OR GPL-2.0'],
    ['a list of texts', { licenses: ['MIT', 'Apache 2.0'] }, 'MIT OR (Apache 2.0)'],
    ['a list of one', { licenses: [{ type: 'MIT' }] }, 'MIT'],
    ['an object under the plural', { licenses: { type: 'MIT' } }, 'MIT'],
    ['a list under the singular', { license: ['MIT', 'ISC'] }, 'MIT OR ISC'],
    ['British spelling', { licence: 'MIT' }, 'MIT'],
    ['line breaks', { license: ' MIT\n OR  ISC ' }, 'MIT OR ISC'],
    ['an empty text', { license: '', licenses: [{ type: 'MIT' }] }, 'MIT'],
    ['an empty list', { licenses: [] }, null],
    ['a number', { license: 42 }, null],
    ['null', { license: null }, null],
    ['an object that says nothing', { license: { url: 'http://localhost' } }, null],
    ['nothing', {}, null],
  ])('reads the licence field: %s', async (_, manifest, declared) => {
    expect((await read(manifest)).declared).toBe(declared)
  })

  test('finds the licence text, recognises it and hashes it', async () => {
    const found = await read({ license: 'MIT' }, { 'LICENSE.md': mit, 'README.md': '# Licence\n\nISC' })
    expect(found).toMatchObject({ name: 'kit', version: '1.0.0', text: 'LICENSE.md', detected: 'MIT' })
    expect(found.textHash).toMatch(/^[0-9a-f]{64}$/)
  })

  test.each([
    'LICENSE',
    'LICENCE',
    'license.txt',
    'Licence.md',
    'LICENSE-MIT',
    'MIT-LICENSE.txt',
    'COPYING',
    'UNLICENSE',
  ])('takes %s for the licence text', async (name) =>
    expect(await read({}, { [name]: mit })).toMatchObject({ text: name, detected: 'MIT' }),
  )

  test.each(['license.js', 'licenses.json', 'licensed.txt', 'LICENSE.html'])('does not take %s for it', async (name) =>
    expect(await read({}, { [name]: mit })).toMatchObject({ text: null, textHash: null, detected: null }),
  )

  test('follows "SEE LICENSE IN", but not out of the package', async () => {
    const see = (file: string) => ({ license: `SEE LICENSE IN ${file}` })
    const outside = `../${basename(root)}-outside.txt`
    await write(outside, mit)
    expect(await read(see('legal/terms.txt'), { 'legal/terms.txt': mit })).toMatchObject({
      text: 'legal/terms.txt',
      detected: 'MIT',
    })
    expect(await read(see('gone.txt'))).toMatchObject({ declared: 'SEE LICENSE IN gone.txt', text: null })
    expect(await read(see(outside))).toMatchObject({ text: null })
    await symlink(join(root, outside), join(root, 'LICENSE'))
    expect(await read({})).toMatchObject({ text: null })
    await rm(join(root, outside))
  })

  test.each([
    ['a heading', '# Kit\n\nGPL stuff\n\n## License\n\nMIT © Ana\n\n## Thanks\n\nApache 2.0', 'MIT'],
    [
      'an underlined heading',
      'Kit\n===\n\nLicense\n-------\n\nApache License, Version 2.0\n\nThanks\n------\nISC',
      'Apache-2.0',
    ],
    ['a whole text', `## The Licence\n\n${mit}`, 'MIT'],
    ['two names', '## License\n\nMIT or ISC', null],
    ['an unknown name', '## License\n\nAsk Ana.', null],
  ])('falls back to the section of the README: %s', async (_, readme, detected) => {
    expect(await read({}, { 'Readme.md': readme })).toMatchObject({ text: 'Readme.md', detected })
  })

  test('is not misled by an empty or an unknown text, a directory, or a README without the section', async () => {
    await mkdir(join(root, 'LICENSE'))
    expect(await read({}, { 'LICENSE.txt': ' \n', 'README.md': '# Kit' })).toMatchObject({ text: null, detected: null })
    expect(await read({}, { COPYING: 'All rights reserved.' })).toMatchObject({ text: 'COPYING', detected: null })
  })

  test('says which manifest is wrong', async () => {
    await expect(readPackage(root)).rejects.toThrow('ENOENT')
    await write('package.json', '{ "name": ')
    await expect(readPackage(root)).rejects.toThrow('package.json is not valid JSON')
    await write('package.json', '[]')
    await expect(readPackage(root)).rejects.toThrow('has no name and version')
  })
})

describe('detectLicence', () => {
  const bsd = 'Redistribution and use in source and binary forms, with or without modification, are permitted.'
  const isc =
    'Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted'

  test.each([
    ['MIT', mit],
    ['MIT', `/*\n * ${mit.replaceAll('\n', '\n * ')}\n */`],
    ['MIT', 'Released under the [MIT license](http://localhost).'],
    ['MIT-0', 'MIT No Attribution\n\nPermission is hereby granted, free of charge, to any person obtaining a copy'],
    ['ISC', `ISC License\n\n${isc}, provided that the above copyright notice and this permission notice appear.`],
    ['0BSD', `${isc}.\n\nTHE SOFTWARE IS PROVIDED "AS IS"`],
    ['BSD-2-Clause', bsd],
    ['BSD-3-Clause', `${bsd}\n\n* Neither the name of Ana nor the names of its contributors may be used`],
    ['BSD-4-Clause', `${bsd}\n3. All advertising materials mentioning features\n4. Neither the name of Ana`],
    ['Apache-2.0', 'Apache License\n                 Version 2.0, January 2004'],
    [
      'MPL-2.0',
      'Mozilla Public License Version 2.0\n\n"Secondary License" means GNU General Public License, Version 2.0',
    ],
    ['Unlicense', 'This is free and unencumbered software released into the public domain.'],
    ['CC0-1.0', 'Creative Commons Legal Code\n\nCC0 1.0 Universal'],
    ['BlueOak-1.0.0', '# Blue Oak Model License\n\nVersion 1.0.0'],
    ['Python-2.0', 'PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2'],
    ['CC-BY-4.0', 'Attribution 4.0 International'],
    ['CC-BY-3.0', 'Creative Commons Attribution 3.0 Unported'],
    ['CC-BY-NC-SA-4.0', 'Attribution-NonCommercial-ShareAlike 4.0 International'],
    ['CC-BY-ND-4.0', 'Attribution-NoDerivatives 4.0 International'],
    ['EPL-2.0', 'Eclipse Public License - v 2.0'],
    [
      'GPL-3.0-only',
      'GNU GENERAL PUBLIC LICENSE\n  Version 3, 29 June 2007\n\nGNU Lesser General Public License, Version 3',
    ],
    ['GPL-2.0-only', 'GNU GENERAL PUBLIC LICENSE Version 2, June 1991'],
    ['LGPL-2.1-only', 'GNU LESSER GENERAL PUBLIC LICENSE\nVersion 2.1, February 1999'],
    ['LGPL-3.0-only', 'GNU Lesser General Public License, v3'],
    ['AGPL-3.0-only', 'GNU AFFERO GENERAL PUBLIC LICENSE Version 3'],
    ['WTFPL', 'DO WHAT THE FUCK YOU WANT TO PUBLIC LICENSE'],
    ['Zlib', 'Permission is granted to anyone to use this software for any purpose, including commercial applications'],
    [null, 'All rights reserved.'],
    [null, ''],
  ])('%s', (id, text) => expect(detectLicence(text)).toBe(id))

  test('takes the first of several texts: the rest is about bundled code', () => {
    expect(
      detectLicence(`${mit}\n\n## bundled\n\nGNU GENERAL PUBLIC LICENSE Version 3\n\nApache License Version 2.0`),
    ).toBe('MIT')
  })

  test.each([
    ['Apache 2.0', 'Apache-2.0'],
    ['BSD-3', 'BSD-3-Clause'],
    ['CC0.', 'CC0-1.0'],
    ['permitted, submit, commit', null],
  ])('detectMention: %s', (text, id) => expect(detectMention(text)).toBe(id))
})

describe('expressions', () => {
  test.each([
    ['MIT', 'MIT'],
    ['(MIT)', 'MIT'],
    ['((MIT) OR (ISC))', 'MIT OR ISC'],
    ['MIT OR ISC AND Zlib', 'MIT OR ISC AND Zlib'],
    ['(MIT or ISC) and Zlib', '(MIT OR ISC) AND Zlib'],
    ['GPL-2.0+ WITH Classpath-exception-2.0', 'GPL-2.0+ WITH Classpath-exception-2.0'],
    ['LicenseRef-house', 'LicenseRef-house'],
  ])('%s', (text, printed) => expect(printExpression(parseExpression(text) ?? expect.fail())).toBe(printed))

  const wrong = [
    '',
    ' ',
    'MIT ISC',
    'MIT OR',
    'OR MIT',
    '(MIT',
    'MIT)',
    '()',
    'MIT WITH',
    'MIT WITH OR',
    'SEE LICENSE IN x',
    'MIT/X11',
    '+',
    'a,b',
  ]
  test.each([...wrong, '('.repeat(50_000)])('refuses %#', (text) => expect(parseExpression(text)).toBeUndefined())

  test('never throws, and what is printed reads the same', () => {
    const words = fc.constantFrom('MIT', 'ISC', 'GPL-2.0+', 'OR', 'AND', 'WITH', '(', ')', 'x-exception', '<')
    fc.assert(
      fc.property(fc.array(words), (tokens) => {
        const parsed = parseExpression(tokens.join(' '))
        if (parsed === undefined) return
        const printed = printExpression(parsed)
        expect(printExpression(parseExpression(printed) ?? expect.fail())).toBe(printed)
      }),
    )
  })
})

describe('classify', () => {
  const judge = (declared: string | null, detected: string | null = null, allow: readonly string[] = defaultAllow) => {
    const { licence, verdict } = classify({ declared, detected }, allow)
    return `${verdict}: ${licence}`
  }

  test.each([
    ['MIT', 'allowed: MIT'],
    ['mit', 'allowed: mit'],
    ['GPL-3.0', 'outside: GPL-3.0'],
    ['GPL-3.0 OR MIT', 'allowed: GPL-3.0 OR MIT'],
    ['GPL-3.0 AND MIT', 'outside: GPL-3.0 AND MIT'],
    ['(MIT AND (GPL-3.0 OR ISC))', 'allowed: MIT AND (GPL-3.0 OR ISC)'],
    ['Apache-2.0 WITH LLVM-exception', 'allowed: Apache-2.0 WITH LLVM-exception'],
    ['GPL-2.0 WITH Classpath-exception-2.0', 'outside: GPL-2.0 WITH Classpath-exception-2.0'],
    ['Apache-2.0+', 'allowed: Apache-2.0+'],
    ['LGPL-2.1', 'allowed: LGPL-2.1'],
    ['LGPL-2.1+', 'allowed: LGPL-2.1+'],
    ['Apache 2.0', 'allowed: Apache-2.0'],
    ['MIT/X11', 'allowed: MIT'],
    ['UNLICENSED', 'outside: UNLICENSED'],
    ['LicenseRef-house', 'outside: LicenseRef-house'],
    ['SEE LICENSE IN terms.txt', 'unknown: SEE LICENSE IN terms.txt'],
    ['BSD', 'unknown: BSD'],
    ['constructor', 'outside: constructor'],
    [null, 'unknown: unknown'],
  ])('by what is declared: %s', (declared, judged) => expect(judge(declared)).toBe(judged))

  test.each([
    [null, 'MIT', 'allowed: MIT'],
    [null, 'AGPL-3.0-only', 'outside: AGPL-3.0-only'],
    ['BSD', 'BSD-2-Clause', 'allowed: BSD-2-Clause'],
    ['SEE LICENSE IN terms.txt', 'MIT', 'allowed: MIT'],
    ['UNLICENSED', 'MIT', 'outside: UNLICENSED'],
    ['MIT', 'GPL-3.0-only', 'outside: MIT'],
    ['MIT OR GPL-3.0-or-later', 'GPL-3.0-only', 'allowed: MIT OR GPL-3.0-or-later'],
    ['ISC', 'MIT', 'allowed: ISC'],
  ])('by the text too: %s, reads as %s', (declared, detected, judged) => expect(judge(declared, detected)).toBe(judged))

  test.each([
    ['GPL-2.0+', ['GPL-2.0'], 'allowed'],
    ['GPL-2.0-or-later', ['GPL-2.0-only'], 'allowed'],
    ['GPL-2.0-only', ['GPL-2.0-or-later'], 'outside'],
    ['GPL-2.0', ['gpl-2.0-only'], 'allowed'],
    ['GPL-2.0 WITH Classpath-exception-2.0', ['GPL-2.0 WITH Classpath-exception-2.0'], 'allowed'],
    ['GPL-2.0', ['GPL-2.0 WITH Classpath-exception-2.0'], 'outside'],
    ['MIT', [], 'outside'],
    ['UNLICENSED', ['*'], 'allowed'],
    [null, ['MIT', '*'], 'allowed'],
  ])('by the list: %s against %j', (declared, allow, verdict) =>
    expect(classify({ declared, detected: null }, allow).verdict).toBe(verdict),
  )

  test('says why', () => {
    const why = (declared: string | null, detected: string | null = null) =>
      classify({ declared, detected }, ['MIT']).why
    expect(why('MIT OR ISC')).toBe('MIT is on the list.')
    expect(why('ISC')).toBe('ISC (declared) is not on the list.')
    expect(why(null, 'ISC')).toBe('ISC (by its text) is not on the list.')
    expect(why('MIT', 'ISC')).toBe('It declares MIT, but its text reads as ISC.')
    expect(why(null)).toBe('No licence is declared, and no licence text was recognised.')
    expect(why('Ask us')).toBe('"Ask us" names no exact licence, and no licence text was recognised.')
  })
})

describe('renderReport', () => {
  const gpl = {
    name: 'copyleft',
    version: '1.0.0',
    licence: 'GPL-3.0',
    verdict: 'outside',
    why: 'Not on the list.',
  } as const
  const odd = { name: 'odd', version: '2.0.0', licence: 'a|b\n<i>`x`', verdict: 'unknown', why: 'No text.' } as const
  const report: Report = {
    root: '/srv/app',
    packages: 4,
    byLicence: { 'GPL-3.0': ['copyleft@1.0.0'], MIT: ['zed@1.0.0', 'ana@1.0.0'], [odd.licence]: ['odd@2.0.0'] },
    outside: [odd, gpl],
    approvals: [
      { approved: false, by: 'bo' },
      { approved: true, by: 'ana', note: 'only a build tool', packages: ['copyleft@1.0.0'] },
    ],
  }

  test('has the counts, the licences and the decisions', () => {
    expect(renderReport(report)).toMatchInlineSnapshot(`
      "# Licences of \`/srv/app\`

      |  | Count |
      | --- | --- |
      | Packages | 4 |
      | Licences | 3 |
      | Within the policy | 2 |
      | Outside the policy | 2 |
      | - approved | 1 |
      | - refused | 1 |

      ## By licence

      | Licence | Count | Packages |
      | --- | --- | --- |
      | MIT | 2 | ana@1.0.0, zed@1.0.0 |
      | GPL-3.0 | 1 | copyleft@1.0.0 |
      | a\\|b &lt;i>\\\`x\\\` | 1 | odd@2.0.0 |

      ## Outside the policy

      | Package | Licence | Why | Decision |
      | --- | --- | --- | --- |
      | copyleft@1.0.0 | GPL-3.0 | Not on the list. | approved by ana: only a build tool |
      | odd@2.0.0 | a\\|b &lt;i>\\\`x\\\` | No text. | refused by bo |
      "
    `)
  })

  test('says so where all is within the policy, and where nothing was decided', () => {
    expect(renderReport({ ...report, outside: [] })).toContain('every package is within the policy')
    expect(renderReport({ ...report, approvals: [] })).toContain('| not decided |')
  })

  test('does not depend on the order in which packages were found', () => {
    const turned = {
      ...report,
      outside: [gpl, odd],
      byLicence: Object.fromEntries(
        Object.entries(report.byLicence)
          .reverse()
          .map(([key, names]) => [key, [...names].reverse()]),
      ),
    }
    expect(renderReport(turned)).toBe(renderReport(report))
  })
})
