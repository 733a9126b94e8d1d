import type { Command, CommanderError } from 'commander'

/** What is to be filled in as all pages and lines to type have it: `NAME`, where commander writes `<NAME>`. */
export function placeholders(text: string): string {
  return text.replaceAll(/<([A-Z=.]+)>/g, '$1')
}

/** What was left out of a line, to be typed at its end. */
export function missingWords(program: Command, words: readonly string[], { code }: CommanderError): string[] {
  if (code !== 'commander.missingArgument' && code !== 'commander.missingMandatoryOptionValue') return []
  const verb = program.commands.find((command) => command.name() === words[0])
  if (verb === undefined) return []
  const given = verb.args.length
  const names = verb.registeredArguments.slice(given).flatMap((each) => (each.required ? [each.name()] : []))
  const options = verb.options.filter(
    (each) => each.mandatory && verb.getOptionValue(each.attributeName()) === undefined,
  )
  return [...names, ...options.flatMap(({ flags }) => placeholders(flags).split(' '))]
}
