import { type ExecOutcome, readExecStatus } from '../../../src/kube/exec-status.ts'
import { levelOfLine } from '../../../src/kube/line-level.ts'
import { readStamped, type StampedLine } from '../../../src/kube/pod-log-lines.ts'
import { readPodList } from '../../../src/kube/pods.ts'
import { refusal } from '../../../src/kube/refusal.ts'
import type { Decoder } from '../decoder.ts'

const POD = {
  metadata: { name: 'camera', namespace: 'vision' },
  spec: {
    containers: [{ name: 'app', image: 'a' }],
    initContainers: [{ name: 'i', image: 'b', restartPolicy: 'Always' }],
  },
  status: {
    phase: 'Running',
    containerStatuses: [{ name: 'app', restartCount: 2, state: { running: { startedAt: '2026-11-26T00:30:46Z' } } }],
    initContainerStatuses: [{ name: 'i', restartCount: 0, state: { terminated: { exitCode: 1, reason: 'Error' } } }],
  },
}
const EXIT = {
  status: 'Failure',
  reason: 'NonZeroExitCode',
  message: 'command terminated',
  details: { causes: [{ reason: 'ExitCode', message: '7' }] },
}

/** What an API server of Kubernetes answers. */
export function kubeDecoders(): Decoder[] {
  return [
    {
      name: 'pod-list',
      samples: [JSON.stringify({ metadata: { continue: 'x' }, items: [POD] }), '{"items":[]}'],
      decode: (text: string) => readPodList(JSON.parse(text)),
      isTaken: () => true,
      declares: (error) => error instanceof SyntaxError,
    },
    {
      name: 'exec-status',
      samples: [Buffer.from(JSON.stringify(EXIT)), Buffer.from('{"status":"Success"}')],
      decode: (bytes: Buffer) => readExecStatus(bytes),
      isTaken: (outcome: ExecOutcome) => outcome.is === 'exited',
    },
    {
      name: 'kube-refusal',
      samples: [JSON.stringify({ message: 'User "mia" cannot list resource "pods" in API group ""' }), 'no'],
      decode: (text: string) =>
        refusal(403, text, { verb: 'list', resource: 'pods', namespace: null, what: null }, { context: 'c' }),
      isTaken: () => true,
    },
    {
      name: 'container-line',
      samples: ['2026-11-26T00:30:46.682137426Z {"level":"warn","msg":"x"}', 'E1126 00:30:46.682137 57 x.go:1] y'],
      decode: (line: string) => {
        const read = readStamped(line)
        levelOfLine(read.text)
        return read
      },
      isTaken: (read: StampedLine) => read.text !== '',
    },
  ]
}
