import { Fragment } from 'react'

/** A sentence of the description, with its code. */
export function Inline({ text }: { text: string }) {
  return text.split('`').map((part, n) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: parts have no other name
    <Fragment key={n}>{n % 2 === 1 ? <code>{part}</code> : part}</Fragment>
  ))
}
