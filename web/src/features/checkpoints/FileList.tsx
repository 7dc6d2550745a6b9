import type { Checkpoint, Schemas } from '~/api/client'
import { counted } from '~/lib/amount'

const ACTIONS: Record<Schemas['FileAction'], string> = { A: 'added', M: 'changed', D: 'deleted', R: 'renamed' }

const WHY: Record<Schemas['NotHeld']['reason'], string> = {
  nested_repository: 'a repository of its own',
  too_large: 'too large',
  unreadable: 'can’t be read',
  invalid_name: 'its name can’t be written',
}

/** More files than these are counted. */
const MOST = 200

/** The files that a checkpoint changed, and what it doesn't hold. */
export function FileList({ checkpoint: { filesChanged, notHeld } }: { checkpoint: Checkpoint }) {
  return (
    <>
      {filesChanged.length === 0 && <p className="px-2 text-ink-3">No file changed.</p>}
      <ul>
        {filesChanged.slice(0, MOST).map(file => (
          <li key={file.path} className="flex h-6 items-center gap-2 px-2">
            <abbr title={ACTIONS[file.action]} className="mono w-3 shrink-0 text-ink-3 no-underline">
              {file.action}
            </abbr>
            <span className="mono min-w-0 flex-1 truncate" title={file.path}>
              {file.oldPath ? `${file.oldPath} → ${file.path}` : file.path}
            </span>
            {file.binary ? (
              <span className="text-ink-3">binary</span>
            ) : (
              <span className="mono shrink-0">
                <span className="inline-block min-w-8 text-right text-add">+{file.additions}</span>{' '}
                <span className="inline-block min-w-8 text-right text-del">−{file.deletions}</span>
              </span>
            )}
          </li>
        ))}
      </ul>
      {filesChanged.length > MOST && (
        <p className="px-2 text-ink-3">{counted(filesChanged.length - MOST, 'more file')}</p>
      )}
      {notHeld.map(({ path, reason }) => (
        <p key={path} className="flex gap-2 px-2 text-waiting">
          <span className="mono truncate">{path}</span> is not in it: {WHY[reason]}
        </p>
      ))}
    </>
  )
}
