import { describe, expect, it } from 'vitest'
import { readExecStatus } from '../../../src/kube/exec-status.ts'
import { levelOfLine } from '../../../src/kube/line-level.ts'
import { readPodList } from '../../../src/kube/pods.ts'
import { type Asked, refusal } from '../../../src/kube/refusal.ts'

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

describe('the end of a command', () => {
  it.each([
    [{ status: 'Success' }, { is: 'exited', code: 0 }],
    [
      {
        status: 'Failure',
        reason: 'NonZeroExitCode',
        details: { causes: [{ reason: 'ExitCode', message: '137' }] },
      },
      { is: 'exited', code: 137 },
    ],
    [
      { status: 'Failure', reason: 'NonZeroExitCode', message: 'odd', details: { causes: [{ message: '3' }] } },
      { is: 'failed', noProgram: false, message: 'odd' },
    ],
    [
      {
        status: 'Failure',
        reason: 'InternalError',
        message: 'exec: "sh": executable file not found in $PATH\u001b[2J',
      },
      { is: 'failed', noProgram: true, message: 'exec: "sh": executable file not found in $PATH␛[2J' },
    ],
    [{ status: 'Perhaps' }, { is: 'failed', noProgram: false, message: 'the API server told an end that is none' }],
  ])('%j', (status, outcome) => {
    expect(readExecStatus(json(status))).toEqual(outcome)
  })

  it('is none where no JSON is', () => {
    expect(readExecStatus(Buffer.from('{'))).toMatchObject({ is: 'failed' })
  })
})

describe('a refusal', () => {
  const asked: Asked = { verb: 'list', resource: 'pods', namespace: null, what: null }
  const refuser = { context: 'edge' }

  it('quotes nothing raw, and says what to do for every status', () => {
    for (const status of [400, 401, 403, 404, 429, 500, 503]) {
      const error = refusal(status, '\u001b]0;owned\u0007<html>', asked, refuser)
      expect(error.toLine()).not.toMatch(/[\u0000-\u001f]/)
      expect(error.next.length).toBeGreaterThan(0)
    }
    expect(refusal(401, '', asked, refuser).code).toBe('KUBE_LOGIN_REFUSED')
    expect(refusal(503, 'busy', asked, refuser)).toMatchObject({ code: 'KUBE_REFUSED', kind: 'peer' })
  })

  it('names the verb that was asked for where the server names none', () => {
    const error = refusal(403, 'no', { ...asked, namespace: 'vision' }, refuser)
    expect(error.message).toBe('the user of the Kubernetes context edge may not list pods in namespace vision')
    expect(error.next[0]).toBe('look with kubectl --context edge auth can-i list pods -n vision')
  })
})

describe('a list of pods', () => {
  it('gives every container with its kind and state, also those that nothing is known of yet', () => {
    const { containers } = readPodList({
      metadata: { continue: 'more' },
      items: [
        {
          metadata: { name: 'camera', namespace: 'vision' },
          spec: {
            initContainers: [
              { name: 'fetch', image: 'f' },
              { name: 'proxy', image: 'p', restartPolicy: 'Always' },
            ],
            containers: [{ name: 'app', image: 'a\u001b[2J' }],
            ephemeralContainers: [{ name: 'debugger', image: 'd' }],
          },
          status: {
            phase: 'Running',
            containerStatuses: [{ name: 'app', restartCount: 4, state: { waiting: { reason: 'CrashLoopBackOff' } } }],
            initContainerStatuses: [{ name: 'fetch', state: { terminated: { exitCode: 0, reason: 'Completed' } } }],
          },
        },
      ],
    })
    expect(containers.map(({ name, kind, state, restarts }) => [name, kind, state, restarts])).toEqual([
      ['app', 'app', { is: 'waiting', reason: 'CrashLoopBackOff' }, 4],
      ['debugger', 'debug', { is: 'waiting', reason: 'not started' }, 0],
      ['fetch', 'init', { is: 'ended', code: 0, reason: 'Completed' }, 0],
      ['proxy', 'sidecar', { is: 'waiting', reason: 'not started' }, 0],
    ])
    expect(containers[0]?.image).toBe('a␛[2J')
    expect(() => readPodList({ items: 'none' })).toThrow('something else than pods')
  })
})

describe('the level of a line', () => {
  it.each([
    ['{"ts":1,"level":"warn","msg":"x"}', 'warn'],
    ['{"level":50,"msg":"x"}', 'error'],
    ['ts=1 level=debug msg=x', 'debug'],
    ['E1126 00:30:46.682137 57 eviction.go:217] x', 'error'],
    ['2026-11-26 10:00:00 [FATAL] disk', 'fatal'],
    ['no errors today', 'info'],
    [`${'x'.repeat(400)} ERROR`, 'info'],
  ])('%s', (text, level) => {
    expect(levelOfLine(text)).toBe(level)
  })
})
