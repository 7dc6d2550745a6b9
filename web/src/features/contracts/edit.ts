/** What is edited of a contract. */
export interface Draft {
  name: string
  description: string
}

const FIELDS = ['name', 'description'] as const

/** What of it is to be changed. */
export function changesOf(seen: Draft, typed: Draft): Partial<Draft> {
  const changed = FIELDS.filter(field => typed[field].trim() !== seen[field].trim())
  return Object.fromEntries(changed.map(field => [field, typed[field].trim()]))
}

/**
 * What was typed, upon what somebody else has made of the contract meanwhile: what was typed stays, and what was not touched is as
 * it is now. `both` are the fields that both have changed, each to something else.
 */
export function rebased(seen: Draft, now: Draft, typed: Draft): { typed: Draft; both: (keyof Draft)[] } {
  const mine = changesOf(seen, typed)
  const both = FIELDS.filter(
    field => mine[field] !== undefined && now[field] !== seen[field] && mine[field] !== now[field],
  )
  return { typed: { ...now, ...mine }, both }
}
