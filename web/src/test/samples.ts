import type { Checkpoint, Contract, Daemon, Message, Task } from '~/api/client'

// Rows as the server answers them, for tests: each whole, and changed in what a test is about.

const AT = '2026-11-20T14:00:00.000000Z'

export function task(change: Partial<Task> = {}): Task {
  return {
    id: '01a1fb3c-16f4-711a-8d08-5d706c1340d0',
    name: 'HTTP middleware',
    plan: 'Write the middleware',
    role: 'worker',
    status: 'running',
    agent: 'claude',
    permissionMode: 'ask',
    daemonId: '01a1fb3c-1409-7220-a978-273f1ce0c99c',
    repository: '/srv/gateway',
    branchName: 'makima/http-middleware-5e81c03d',
    worktreePath: '/data/worktrees/1',
    runNumber: 1,
    messageCount: 0,
    totalTokens: 1_100_000,
    totalCost: 6.42,
    checkpointCount: 0,
    conversationState: { branchId: '01a1fb3c-16f4-711a-8d08-5d71ed0a212b', messageCount: 0 },
    createdAt: AT,
    startedAt: AT,
    updatedAt: AT,
    ...change,
  }
}

export function contract(change: Partial<Contract> = {}): Contract {
  return {
    id: '01a1fb3c-14c4-705f-8a19-ac3a4d8a1336',
    name: 'Add rate limiting to the public API',
    description: 'No key makes more than a hundred requests a second.',
    repository: 'git@github.com:tern/gateway.git',
    phase: 'execute',
    status: 'active',
    taskCounts: { running: 1 },
    checkpointCount: 27,
    totalTokens: 1_100_000,
    totalCost: 21.42,
    lastActivityAt: AT,
    createdAt: AT,
    updatedAt: AT,
    ...change,
  }
}

export function daemon(change: Partial<Daemon> = {}): Daemon {
  return {
    id: '01a1fb3c-1409-7220-a978-273f1ce0c99c',
    name: 'ws-hanna',
    hostname: 'ws-hanna',
    status: 'online',
    maxConcurrentTasks: 4,
    runningTasks: 3,
    agents: [{ name: 'claude', version: '2.1.197', default: true }],
    lastHeartbeatAt: AT,
    ...change,
  }
}

export function message(index: number, change: Partial<Message> = {}): Message {
  return {
    id: `message-${index}`,
    role: 'assistant',
    content: `Message ${index}`,
    timestamp: new Date(Date.parse(AT) + index * 1000).toISOString(),
    index,
    runNumber: 1,
    ...change,
  }
}

export function checkpoint(number: number, change: Partial<Checkpoint> = {}): Checkpoint {
  return {
    id: `checkpoint-${number}`,
    taskId: '01a1fb3c-16f4-711a-8d08-5d706c1340d0',
    checkpointNumber: number,
    kind: 'turn',
    commitSha: 'c70b12fe8d2c4b6f9a1e3d5c7b9a0f1e2d3c4b5a',
    branchName: 'makima/http-middleware-5e81c03d',
    message: `Turn ${number}`,
    filesChanged: [{ path: 'limit/middleware.go', action: 'M', additions: 14, deletions: 8 }],
    linesAdded: 14,
    linesRemoved: 8,
    notHeld: [],
    stored: true,
    messageCount: 0,
    createdAt: AT,
    ...change,
  }
}
