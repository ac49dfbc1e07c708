import type { IncomingMessage } from 'node:http'
import { WebSocket } from 'ws'
import { EdgeError } from '../../protocol/errors.ts'
import type { Prompter, RemoteChannel, RemoteHost, TerminalSize } from '../remote/contract.ts'
import { EXEC_PROTOCOLS, EXEC_TIMES, ExecChannel, type ExecTimes } from './exec-channel.ts'
import type { KubeApi, Query } from './kube-api.ts'
import { containerLabel, type PodContainer } from './pods.ts'
import type { Asked } from './refusal.ts'

/** Which container. */
export type ContainerName = Pick<PodContainer, 'namespace' | 'pod' | 'name'>

const HANDSHAKE_TIMEOUT_MS = 15_000
/** A shell that cannot be started is told of in this time; one that can has its prompt there. */
const START_TIMEOUT_MS = 3000
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024

/** Bash where it is there, else sh. What the terminal is comes as an argument: no text becomes a part of the script. */
const SHELL = 'TERM=$0; export TERM; command -v bash >/dev/null 2>&1 && exec bash; exec sh'

/** A container of a pod, as a place where programs can be run: every channel is a connection of its own. */
export class PodHost implements RemoteHost {
  readonly how = 'pod'
  readonly label: string
  readonly #api: KubeApi
  readonly #container: ContainerName
  readonly #prompter: Pick<Prompter, 'tell'>
  readonly #times: ExecTimes
  readonly #channels = new Set<ExecChannel>()
  #hasTold = false

  constructor(api: KubeApi, container: ContainerName, prompter: Pick<Prompter, 'tell'>, times: ExecTimes = EXEC_TIMES) {
    this.#api = api
    this.#container = container
    this.#prompter = prompter
    this.#times = times
    this.label = containerLabel(container)
  }

  async openShell({ term, size }: { readonly term: string; readonly size: TerminalSize }): Promise<RemoteChannel> {
    const channel = await this.#exec(['sh', '-c', SHELL, term], true)
    channel.resize(size)
    await channel.firstSign(START_TIMEOUT_MS)
    const { outcome } = channel
    if (outcome?.is !== 'failed') return channel
    channel.close()
    throw this.#notStarted(outcome)
  }

  async run(command: string): Promise<RemoteChannel> {
    const channel = await this.#exec(['sh', '-c', command], false)
    if (!channel.canEndInput && !this.#hasTold) {
      this.#hasTold = true
      this.#prompter.tell(
        `${this.label}: the API server is older than Kubernetes 1.30 and cannot tell a command that its input has ended`,
      )
    }
    return channel
  }

  async close(): Promise<void> {
    const channels = [...this.#channels]
    for (const channel of channels) channel.close()
    await Promise.all(channels.map(({ ended }) => ended))
  }

  async #exec(command: readonly string[], tty: boolean): Promise<ExecChannel> {
    const { namespace, pod, name } = this.#container
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/exec`
    const query: Query = {
      command,
      container: name,
      stdin: 'true',
      stdout: 'true',
      // A terminal has one output.
      stderr: String(!tty),
      tty: String(tty),
    }
    const asked = { verb: 'create', resource: 'pods/exec', namespace, what: this.label } as const
    const channel = await openExecChannel(this.#api, { url: this.#api.urlOf(path, query), asked, times: this.#times })
    this.#channels.add(channel)
    void channel.ended.then(() => this.#channels.delete(channel))
    return channel
  }

  #notStarted({ noProgram, message }: { readonly noProgram: boolean; readonly message: string }): EdgeError {
    const { namespace, pod, name } = this.#container
    return new EdgeError('POD_UNUSABLE', {
      message: noProgram ? `${this.label} has no shell: neither bash nor sh is in it` : `${this.label}: ${message}`,
      next: noProgram
        ? [
            `read what it writes: edgedeck logs --pod ${namespace}/${pod} -c ${name}`,
            `or add a container with a shell to the pod: kubectl debug -it -n ${namespace} ${pod} --image=busybox --target=${name}`,
          ]
        : ['try again, or look at the pod: edgedeck pods NODE'],
    })
  }
}

interface Opening {
  readonly url: URL
  readonly asked: Asked
  readonly times: ExecTimes
}

/** Open a channel. @throws EdgeError as requests do */
async function openExecChannel(api: KubeApi, { url, asked, times }: Opening): Promise<ExecChannel> {
  const options = await api.cluster.requestOptions()
  url.protocol = url.protocol === 'http:' ? 'ws:' : 'wss:'
  const socket = new WebSocket(url, [...EXEC_PROTOCOLS], {
    ...options,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
  })
  return new Promise((resolve, reject) => {
    socket.once('open', () => {
      socket.off('error', fail)
      // At once: the first output may have come with the answer.
      resolve(new ExecChannel(socket, times))
    })
    socket.once('unexpected-response', (request, answer: IncomingMessage) => {
      socket.off('error', fail)
      socket.on('error', () => undefined)
      void api.refused(answer, asked).then((error) => {
        request.destroy()
        reject(error)
      })
    })
    const fail = (error: Error): void => reject(api.unreachable(error))
    socket.once('error', fail)
  })
}
