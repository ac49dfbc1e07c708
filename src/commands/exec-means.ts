import { untrusted } from '../../protocol/untrusted-text.ts'
import type { OperatorJournal } from '../audit/command-journal.ts'
import type { NamedContext } from '../config/context.ts'
import type { NodeAddress } from '../config/node-address.ts'
import type { RecordSettings } from '../config/record-settings.ts'
import { NOBODY_TO_ASK } from '../remote/contract.ts'
import type { ConsoleExecMeans } from '../shell/fan-out-exec.ts'

/** Of which fleet, and where what is done is kept. */
export interface ExecMeansOptions {
  readonly context: NamedContext
  /** Our own configuration: files that it names are beside it. */
  readonly configFile: string
  /** A node by the operator's name for it. */
  readonly node: (key: string) => NodeAddress
  readonly journal: Pick<OperatorJournal, 'begins' | 'happened'>
  readonly recordingsDir: string
  readonly record: RecordSettings
  /** The operator's name, for the recording. */
  readonly who: () => string
}

const RECORDED_SIZE = { width: 120, height: 40 }
const MAX_TITLE_CHARS = 400

/** Connects to nodes over SSH without asking anybody, and records in the operator's folder. What it takes is loaded when it is first used. */
export function execMeans(options: ExecMeansOptions): ConsoleExecMeans {
  const { context, configFile, node, journal, recordingsDir, record, who } = options
  let loading: ReturnType<typeof loadSsh> | null = null
  const notes = new Set<string>()
  return {
    journal,
    notes: () => [...notes],
    siteOf: (key) => node(key).site ?? null,
    openNode: async (key, signal) => {
      loading ??= loadSsh({ context, configFile })
      const { addresses, connectSsh } = await loading
      const target = addresses.targetOf(node(key))
      for (const note of target.notes) notes.add(note)
      return connectSsh(target, { prompter: NOBODY_TO_ASK, signal })
    },
    record: async ({ nodes, command, why }) => {
      const [{ Recording, recordingPath }, { withoutSecrets }, { compileRegex }] = await Promise.all([
        import('../shell/recording.ts'),
        import('../shell/redactor.ts'),
        import('../../regex/linear-regex.ts'),
      ])
      const startedMs = Date.now()
      const [only] = nodes
      const name = nodes.length === 1 && only !== undefined ? only.key : `${nodes.length}-nodes`
      const redact = record.redact.flatMap((text) => {
        const compiled = compileRegex(text)
        return compiled.ok ? [compiled.regex] : []
      })
      return Recording.begin({
        file: recordingPath(recordingsDir, { context: context.name, node: `exec-${name}`, atMs: startedMs }),
        header: {
          ...RECORDED_SIZE,
          startedMs,
          title: untrusted(`exec on ${name}: ${withoutSecrets(command, redact)}`).slice(0, MAX_TITLE_CHARS),
          term: '',
          about: { context: context.name, node: name, where: 'exec', who: who(), why, input: false },
        },
        maxBytes: record.maxBytes,
        redact,
      })
    },
  }
}

async function loadSsh(options: Pick<ExecMeansOptions, 'context' | 'configFile'>) {
  const [{ SshAddresses }, { connectSsh }] = await Promise.all([
    import('../ssh/addresses.ts'),
    import('../ssh/connect.ts'),
  ])
  return { addresses: new SshAddresses(options), connectSsh }
}
