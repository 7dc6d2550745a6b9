// Amounts as they are read in a column: cost, tokens, counts.

/** US dollars: two digits, four below a cent so that little is not nothing. */
export function dollars(amount: number): string {
  return amount !== 0 && amount < 0.01 ? amount.toFixed(4) : amount.toFixed(2)
}

/** Tokens or any large number, in at most three digits and a unit: `940`, `188 k`, `1.1 M`. */
export function short(n: number): string {
  if (n < 1000) return String(n)
  if (n < 9950) return `${(n / 1000).toFixed(1)} k`
  if (n < 999_500) return `${Math.round(n / 1000)} k`
  return `${(n / 1_000_000).toFixed(n < 9_950_000 ? 1 : 0)} M`
}

/** A number with its noun: `1 file`, `5 files`. */
export function counted(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString('en-US')} ${n === 1 ? one : many}`
}
