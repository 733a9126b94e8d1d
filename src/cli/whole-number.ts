import { InvalidArgumentError } from 'commander'

/** For an option that counts from 0. */
export function wholeNumber(text: string): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (Number.isNaN(value)) throw new InvalidArgumentError('It has to be a whole number from 0.')
  return value
}
