import {
  type InputHTMLAttributes,
  type ReactNode,
  type SelectHTMLAttributes,
  type TextareaHTMLAttributes,
  useId,
} from 'react'
import { classes } from './classes'

const BOX =
  'w-full min-w-0 rounded-4 border border-edge bg-surface text-ink transition-colors duration-120 aria-invalid:border-failed disabled:opacity-55'

interface Frame {
  label: string
  /** What may be put in, or what happens if nothing is. */
  hint?: ReactNode
  /** What is wrong with it. */
  wrong?: string
}

function Framed({ label, hint, wrong, id, children }: Frame & { id: string; children: ReactNode }) {
  return (
    <div className="flex min-w-0 flex-col gap-1">
      <label htmlFor={id} className="font-semibold">
        {label}
      </label>
      {children}
      {wrong ? (
        <p id={`${id}-hint`} role="alert" className="text-12 text-failed">
          {wrong}
        </p>
      ) : (
        hint && (
          <p id={`${id}-hint`} className="text-12 text-ink-3">
            {hint}
          </p>
        )
      )}
    </div>
  )
}

function described({ hint, wrong }: Frame, id: string) {
  return { id, 'aria-describedby': hint || wrong ? `${id}-hint` : undefined, 'aria-invalid': wrong ? true : undefined }
}

export function TextField({ label, hint, wrong, className, ...rest }: Frame & InputHTMLAttributes<HTMLInputElement>) {
  const id = useId()
  return (
    <Framed {...{ label, hint, wrong, id }}>
      <input {...described({ label, hint, wrong }, id)} className={classes(BOX, 'h-7 px-2', className)} {...rest} />
    </Framed>
  )
}

export function TextArea({
  label,
  hint,
  wrong,
  className,
  ...rest
}: Frame & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  const id = useId()
  return (
    <Framed {...{ label, hint, wrong, id }}>
      <textarea
        {...described({ label, hint, wrong }, id)}
        className={classes(BOX, 'resize-y px-2 py-1', className)}
        {...rest}
      />
    </Framed>
  )
}

export function Choice({ label, hint, wrong, className, ...rest }: Frame & SelectHTMLAttributes<HTMLSelectElement>) {
  const id = useId()
  return (
    <Framed {...{ label, hint, wrong, id }}>
      <select {...described({ label, hint, wrong }, id)} className={classes(BOX, 'h-7 px-1.5', className)} {...rest} />
    </Framed>
  )
}
