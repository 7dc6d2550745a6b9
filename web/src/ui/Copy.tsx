import { Check, Copy as Icon } from 'lucide-react'
import { useState } from 'react'
import { Button } from './Button'

/** Copies a text. */
export function Copy({ text, what }: { text: string; what: string }) {
  const [done, setDone] = useState(false)
  return (
    <Button
      small
      kind="bare"
      label={done ? `Copied ${what}` : `Copy ${what}`}
      onBlur={() => setDone(false)}
      onClick={() => void navigator.clipboard.writeText(text).then(() => setDone(true))}
    >
      {done ? <Check size={12} aria-hidden className="text-done" /> : <Icon size={12} aria-hidden />}
    </Button>
  )
}
