import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const PROGRAM = process.env.MAKIMA_TEST_PROGRAM ?? fileURLToPath(new URL('../../target/debug/makima', import.meta.url))

/** The built program with its demonstration, on data of its own. */
export class Lab {
  readonly folder = mkdtempSync(join(tmpdir(), 'makima-web.'))
  url = ''
  #key = ''
  #child: ChildProcess | undefined

  static async start(): Promise<Lab> {
    const lab = new Lab()
    await lab.start()
    return lab
  }

  /** Starts, or starts again at the address that it had. */
  async start(): Promise<void> {
    const listen = this.url ? new URL(this.url).host : '127.0.0.1:0'
    const child = spawn(PROGRAM, ['up', '--demo', '--data-dir', this.folder, '--listen', listen, '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    let complaint = ''
    child.stderr.on('data', piece => {
      complaint += piece
    })
    const told = await new Promise<string>((resolve, reject) => {
      createInterface(child.stdout).once('line', resolve)
      child.once('error', reject)
      child.once('exit', code => reject(new Error(`makima ended with ${code}: ${complaint}`)))
    })
    const { url, apiKey } = JSON.parse(told)
    this.url = url
    this.#key = apiKey
  }

  /** Ends the program in good order: its agents end their turns. */
  async end(): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null) return
    const gone = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGINT')
    await gone
  }

  async clear(): Promise<void> {
    await this.end()
    rmSync(this.folder, { recursive: true, force: true })
  }

  // biome-ignore lint/suspicious/noExplicitAny: tests read what they know to be there
  async api(method: string, path: string, body?: unknown): Promise<any> {
    const answer = await fetch(`${this.url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#key}`, ...(body ? { 'content-type': 'application/json' } : {}) },
      body: body ? JSON.stringify(body) : undefined,
    })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    return answer.status === 204 ? undefined : answer.json()
  }

  /** A link that signs in, once. */
  async link(): Promise<string> {
    return (await this.api('POST', '/sign-in-links', {})).url
  }

  /** The task of the demonstration that has this name, once it stands so. */
  async task(name: string, status: string): Promise<{ id: string; contractId: string; repository: string }> {
    const end = Date.now() + 45_000
    for (;;) {
      const { tasks } = await this.api('GET', '/mesh/tasks')
      const named = tasks.filter((task: { name: string }) => task.name === name)
      const found = named.find((task: { status: string }) => task.status === status)
      if (found) return found
      if (Date.now() > end) {
        const stand = named.map(
          (task: { status: string; statusReason?: string }) => `${task.status} ${task.statusReason ?? ''}`,
        )
        throw new Error(`no task ${name} is ${status}, but: ${stand.join(', ') || 'there is none'}`)
      }
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  }
}
