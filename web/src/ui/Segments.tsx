import { classes } from './classes'

interface Props<T extends string> {
  label: string
  value: T
  options: readonly { value: T; label: string }[]
  onChange: (value: T) => void
}

/** One of a few, all of them in view. */
export function Segments<T extends string>({ label, value, options, onChange }: Props<T>) {
  return (
    <fieldset className="inline-flex rounded-4 border border-edge bg-surface" aria-label={label}>
      {options.map((option, n) => (
        <button
          key={option.value}
          type="button"
          aria-pressed={option.value === value}
          onClick={() => onChange(option.value)}
          className={classes(
            'h-[22px] px-2 text-ink-2 whitespace-nowrap aria-pressed:bg-selected aria-pressed:font-semibold aria-pressed:text-ink',
            n > 0 && 'border-line-strong border-l',
            n === 0 && 'rounded-l-[3px]',
            n === options.length - 1 && 'rounded-r-[3px]',
          )}
        >
          {option.label}
        </button>
      ))}
    </fieldset>
  )
}
