import { type Piece, type Schema, typeOf } from './description'
import { Inline } from './Inline'

/** A type, with links to the shapes in it. */
export function TypeLine({ pieces }: { pieces: Piece[] }) {
  return (
    <code className="wrap-anywhere text-ink-2">
      {pieces.map((piece, n) =>
        'text' in piece ? (
          piece.text
        ) : (
          <a
            // biome-ignore lint/suspicious/noArrayIndexKey: pieces have no other name
            key={n}
            href={`#shape-${piece.shape}`}
            className="underline decoration-line-strong underline-offset-3 hover:text-ink"
          >
            {piece.shape}
          </a>
        ),
      )}
    </code>
  )
}

/** The fields of an object, one a row. */
export function Fields({ schema }: { schema: Schema }) {
  const fields = Object.entries(schema.properties ?? {})
  if (fields.length === 0) return null
  return (
    <dl className="mt-1">
      {fields.map(([name, field]) => (
        <Field
          key={name}
          name={name}
          type={typeOf(field)}
          required={schema.required?.includes(name) ?? false}
          says={field.description}
        />
      ))}
    </dl>
  )
}

interface FieldProps {
  name: string
  type: Piece[]
  required: boolean
  says?: string
}

/** A field or a parameter: its name, its type, whether it must be there, and what it is. */
export function Field({ name, type, required, says }: FieldProps) {
  return (
    <div className="grid grid-cols-1 gap-x-4 border-line border-b py-1 sm:grid-cols-[200px_minmax(0,1fr)]">
      <dt className="min-w-0 wrap-anywhere">
        <code className="font-semibold">{name}</code>
        {!required && <span className="text-12 text-ink-3"> optional</span>}
      </dt>
      <dd className="min-w-0">
        <TypeLine pieces={type} />
        {says && (
          <p className="max-w-[84ch]">
            <Inline text={says} />
          </p>
        )}
      </dd>
    </div>
  )
}

/** A shape by its name. */
export function ShapeView({ name, schema }: { name: string; schema: Schema }) {
  return (
    <section aria-labelledby={`shape-${name}`} className="mt-4">
      <h3 id={`shape-${name}`} className="scroll-mt-3 font-semibold target:text-accent">
        {name}
      </h3>
      {schema.description && (
        <p className="max-w-[84ch] text-ink-2">
          <Inline text={schema.description} />
        </p>
      )}
      {schema.properties ? <Fields schema={schema} /> : <TypeLine pieces={typeOf(schema)} />}
    </section>
  )
}
