// Holds the built pages to their bars: what is fetched at first, what each page and dialog adds, and all that is embedded.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const KB = 1000
const BARS = { initial: 130 * KB, chunk: 80 * KB, embedded: 6_000 * KB }

const dist = fileURLToPath(new URL('../dist', import.meta.url))
const manifest = JSON.parse(readFileSync(join(dist, '.vite/manifest.json'), 'utf8'))

const size = file => gzipSync(readFileSync(join(dist, file)), { level: 9 }).length

/** A chunk and all that it needs at once. */
function needed(key, found = new Set()) {
  if (found.has(key)) return found
  found.add(key)
  for (const each of manifest[key].imports ?? []) needed(each, found)
  return found
}

const entry = Object.keys(manifest).find(key => manifest[key].isEntry)
const initial = needed(entry)
const sum = keys => [...keys].reduce((total, key) => total + size(manifest[key].file), 0)

const rows = [['at first', sum(initial), BARS.initial]]
for (const key of Object.keys(manifest).filter(key => manifest[key].isDynamicEntry)) {
  const more = [...needed(key)].filter(each => !initial.has(each))
  rows.push([manifest[key].name, sum(more), BARS.chunk])
}

function embedded(folder) {
  return readdirSync(folder, { withFileTypes: true }).reduce((total, entry) => {
    if (entry.name === '.vite') return total
    const path = join(folder, entry.name)
    return total + (entry.isDirectory() ? embedded(path) : statSync(path).size)
  }, 0)
}
rows.push(['embedded, unpacked', embedded(dist), BARS.embedded])

let over = false
for (const [what, bytes, bar] of rows) {
  const bad = bytes > bar
  over ||= bad
  console.log(`${(bytes / KB).toFixed(1).padStart(8)} of ${bar / KB} kB  ${what}${bad ? '  TOO LARGE' : ''}`)
}
process.exit(over ? 1 : 0)
