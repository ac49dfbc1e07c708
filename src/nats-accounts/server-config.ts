import type { BusAccounts } from './accounts.ts'

/** What a server is configured with. Paths are absolute. */
export interface ServerWishes {
  readonly name: string
  /** Claims of the operator. */
  readonly operatorJwt: string
  readonly host: string
  readonly port: number
  /** PEM files: its own certificate with the issuing one, its key, and the roots that clients must descend from. */
  readonly tls: { readonly cert: string; readonly key: string; readonly ca: string }
  /** Folder of the streams. */
  readonly storeDir: string
}

/** Text of a `nats-server.conf` for nats-server 2.12 or newer. Holds no secret. */
export function serverConfig({ system, accounts }: BusAccounts, wishes: ServerWishes): string {
  const { name, operatorJwt, host, port, tls, storeDir } = wishes
  const preload = Object.entries(accounts).map(([key, jwt]) => `  ${key}: ${jwt}`)
  return `# Written by edgedeck nats setup, and written anew when it is run again: put changes of your own into another file
# that includes this one. A running server takes a new one on SIGHUP.
server_name: ${quoted(name)}
host: ${quoted(host)}
port: ${port}

# Both sides show a certificate of the fleet. Who may do what is in the credentials, not in the certificate.
tls {
  cert_file: ${quoted(tls.cert)}
  key_file: ${quoted(tls.key)}
  ca_file: ${quoted(tls.ca)}
  verify: true
  min_version: "1.3"
  # Nothing in plain, not even the greeting: clients connect by tls://.
  handshake_first: true
  timeout: 5
}

jetstream {
  store_dir: ${quoted(storeDir)}
}

# Who hangs or floods is cut.
max_payload: 1MB
max_control_line: 8KB
max_subscriptions: 100000
write_deadline: "10s"
ping_interval: "30s"
ping_max: 3

operator: ${operatorJwt}
system_account: ${system}
resolver: MEMORY
resolver_preload: {
${preload.join('\n')}
}
`
}

function quoted(text: string): string {
  return JSON.stringify(text)
}
