import type { ButtonHTMLAttributes, ReactNode } from 'react'
import { classes } from './classes'

type Kind = 'plain' | 'primary' | 'bare'

const BASE =
  'inline-flex shrink-0 items-center justify-center gap-1.5 rounded-4 border whitespace-nowrap transition-colors duration-120 disabled:cursor-default disabled:opacity-55'

const KINDS: Record<Kind, string> = {
  plain: 'border-edge bg-surface text-ink not-disabled:hover:bg-hover not-disabled:active:bg-selected',
  primary:
    'border-accent-fill bg-accent-fill font-semibold text-on-accent not-disabled:hover:border-accent-over not-disabled:hover:bg-accent-over',
  bare: 'border-transparent text-ink-2 not-disabled:hover:bg-hover not-disabled:hover:text-ink',
}

/** The look of a button, also for links that act as one. */
export function buttonLook(kind: Kind = 'plain', small = false, icon = false): string {
  const size = small ? 'h-6' : 'h-7'
  const width = icon ? (small ? 'w-6' : 'w-7') : kind === 'bare' ? 'px-1.5' : small ? 'px-2' : 'px-2.5'
  return classes(BASE, KINDS[kind], size, width)
}

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: Kind
  small?: boolean
  /** Only an icon, named by this. */
  label?: string
  children: ReactNode
}

export function Button({ kind, small, label, className, ...rest }: Props) {
  const named = label ? { 'aria-label': label, title: label } : {}
  return <button type="button" {...named} className={classes(buttonLook(kind, small, !!label), className)} {...rest} />
}
