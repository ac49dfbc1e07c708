import { errors, type NatsConnection, headers as newHeaders } from 'nats'

/** What came of something that was tried on the bus. */
export type Outcome =
  /** The server's permissions do not allow it. */
  | 'refused'
  /** Nobody answered in time. */
  | 'silence'
  /** Somebody did. */
  | { readonly text: string; readonly status: number; readonly headers: Readonly<Record<string, string>> }

/** How a message is sent. */
export interface Message {
  readonly body?: string | Uint8Array
  readonly headers?: Readonly<Record<string, string>>
}

/** An answer ends it, and so does a refusal. */
const PATIENCE_MS = 60_000

/** Ask on a subject, and say what came of it. */
export async function ask(connection: NatsConnection, subject: string, message: Message = {}): Promise<Outcome> {
  try {
    const answer = await connection.request(subject, message.body ?? '', {
      timeout: PATIENCE_MS,
      headers: headersOf(message),
    })
    const pairs = [...(answer.headers ?? [])].map(([name, values]) => [name, values.join(', ')])
    return { text: answer.string(), status: answer.headers?.code ?? 0, headers: Object.fromEntries(pairs) }
  } catch (error) {
    const { cause } = error as Error
    if (cause instanceof errors.PermissionViolationError) return 'refused'
    if (error instanceof errors.TimeoutError || cause instanceof errors.NoRespondersError) return 'silence'
    throw error
  }
}

/** Publish with a reply subject of the sender's choice; resolves when the server has dealt with it. */
export async function publishFor(
  connection: NatsConnection,
  subject: string,
  reply: string,
  message: Message = {},
): Promise<void> {
  connection.publish(subject, message.body ?? '', { reply, headers: headersOf(message) })
  await connection.flush()
}

/** Listen, and say whether the server lets. */
export async function listen(connection: NatsConnection, subject: string): Promise<'refused' | 'allowed'> {
  let outcome: 'refused' | 'allowed' = 'allowed'
  const subscription = connection.subscribe(subject, {
    callback: (error) => {
      if (error instanceof errors.PermissionViolationError) outcome = 'refused'
    },
  })
  await connection.flush()
  // The refusal stands before the answer to the flush.
  subscription.unsubscribe()
  return outcome
}

function headersOf({ headers = {} }: Message) {
  const made = newHeaders()
  for (const [name, value] of Object.entries(headers)) made.set(name, value)
  return made
}
