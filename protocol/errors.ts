/**
 * Whose fault an error is, which decides who is told and what they can do:
 * `user` typed or configured something wrong, `environment` (disk, port, permission) refuses,
 * `peer` (another process or server) misbehaves, `bug` is ours.
 */
export type ErrorKind = 'user' | 'environment' | 'peer' | 'bug'

/** Every stable error code with its kind and its meaning; `docs/errors.md` is generated from this table. */
export const ERROR_CODES = {
  CONFIG_INVALID: ['user', 'A configuration file or variable has an unknown key, a wrong type or a wrong unit.'],
  CONFIG_UNREADABLE: ['user', 'A configuration file does not exist or cannot be read.'],
  CONFIG_UNSERVABLE: ['user', 'The configuration is well formed but cannot be served as it stands.'],
  USAGE: ['user', 'The command line is not understood.'],
  PORT_IN_USE: ['environment', 'Another process listens on the configured address.'],
  MODEL_MISSING: ['user', 'The models directory holds no model that can be served.'],
  MODEL_INVALID: ['user', 'A model folder is damaged: its manifest, a digest or its graph is wrong.'],
  MODEL_FAILED: ['bug', 'The model process died or a run failed; the request can be sent again.'],
  NOT_READY: ['environment', 'The node is starting or stopping and takes no requests yet.'],
  OVERLOADED: ['environment', 'More requests wait than the node allows; slow down and try again.'],
  REQUEST_MALFORMED: ['user', 'The request is not what the route takes.'],
  REQUEST_TOO_LARGE: ['user', 'The request body is over the configured limit.'],
  PICTURE_UNDECODABLE: ['user', 'The bytes are not a picture of a supported format.'],
  PICTURE_TOO_LARGE: ['user', 'The picture has more pixels than the configured limit.'],
  STORE_LOCKED: ['environment', 'Another daemon owns the state directory.'],
  STORE_FAILING: ['environment', 'The disk refuses writes; results are served but not kept.'],
  STORE_UNUSABLE: ['environment', 'The state directory cannot be created, read or written.'],
  STORE_KEYS_UNUSABLE: ['user', 'The key file cannot be read, is open to others, or holds no key.'],
  STORE_KEY_MISSING: ['user', 'The store is sealed and none of the keys given opens it.'],
  STORE_KEY_WRONG: ['user', 'A key has the number of the one that sealed the store, and other bytes.'],
  UPLINK_REFUSED: ['peer', 'The upstream receiver answered, and refused a block.'],
  FRAME_INVALID: ['peer', 'A live frame is not of the protocol.'],
  FRAME_TOO_LARGE: ['peer', 'A live frame is over the size limit.'],
  PATTERN_INVALID: ['user', 'A regular expression of a filter is not one of RE2, or becomes too large.'],
  FRAME_RATE: ['peer', 'A peer sends more frames than it may.'],
  COMMAND_REFUSED: ['user', 'The node does not allow this command as it is configured.'],
  RIGHT_MISSING: ['user', 'Whoever asks has not the role, the permission or the site that this needs.'],
  TOKEN_INVALID: ['user', 'A join token is not known, was changed or cut off, or is for another node.'],
  TOKEN_EXPIRED: ['user', 'The time of a join token is over.'],
  TOKEN_USED: ['user', 'A join token was used already, with another key.'],
  NAME_TAKEN: ['user', 'The name of a node belongs to another key; replacing it takes a token made with --replace.'],
  IDENTITY_MISSING: [
    'user',
    'Nobody has logged in to this fleet on this machine, or what they were given cannot be used.',
  ],
  IDENTITY_UNUSABLE: [
    'user',
    'Key, certificate or trust of a node or operator are damaged, do not fit, or are open to others.',
  ],
  IDENTITY_REFUSED: ['user', 'A certificate or key is not one that is renewed: unknown, replaced or too long ended.'],
  IDENTITY_REVOKED: ['user', 'A certificate or name was revoked.'],
  PKI_UNUSABLE: [
    'user',
    "A file of the fleet's certificate authority or of an operator is missing, damaged or open to others.",
  ],
  PKI_REFUSED: ['user', 'A certificate cannot be issued or taken back as it was asked for.'],
  PASSPHRASE_WRONG: ['user', 'The passphrase does not open the key, or none was given.'],
  LOGIN_REFUSED: ['user', 'The signature of a login is not by a key of this operator, or its time is over.'],
  RATE_LIMITED: ['environment', 'A controller is asked too often from one address; come again later.'],
  CONTROLLER_UNREACHABLE: ['peer', 'A controller does not answer on its address, or is not the one of this fleet.'],
  CONTROLLER_FAILING: ['environment', 'A controller cannot keep what it does or cannot sign; nothing was given out.'],
  CONTROLLER_LOCKED: ['environment', 'Another controller owns the state directory.'],
  SIGNATURE_MISSING: ['user', 'A command that changes something came without the signature of who wants it.'],
  SIGNATURE_INVALID: [
    'peer',
    'The signature of a command is not over this command for this node, or not by an operator.',
  ],
  COMMAND_EXPIRED: [
    'user',
    'It is not the time that a command was signed for, or it was signed before the node started.',
  ],
  AUDIT_FAILING: ['environment', 'It cannot be written down who wants a command, so the command is not carried out.'],
  COMMAND_REPLAYED: ['peer', 'A signed command came a second time.'],
  PICTURE_NOT_KEPT: ['user', 'No picture of this result is kept: it never was, or it had to make room.'],
  OUTPUT_REFUSED: ['environment', 'A file that a command was to write is there already or cannot be written.'],
  BUS_UNUSABLE: ['user', 'The folder or the credentials of a bus are missing, damaged or open to others.'],
  CLOUD_UNREACHABLE: ['peer', "A region's NATS servers do not answer, or hold no such stream."],
  NODE_UNREACHABLE: ['peer', 'A node does not answer on its address.'],
  SHELL_REFUSED: ['user', 'A shell on a node is not opened here: its place, a reason or a confirmation is missing.'],
  RECORDING_FAILING: ['environment', 'A session cannot be recorded where that is asked for, so it is not opened.'],
  RECORDING_UNUSABLE: ['user', 'A file is no recording of a session, or cannot be read.'],
  SSH_ADDRESS_MISSING: ['user', 'Nobody has written down where a node is reached over SSH.'],
  SSH_CONFIG_INVALID: ['user', "A file of OpenSSH's client cannot be read, or asks for what cannot be done."],
  SSH_UNREACHABLE: ['peer', 'No SSH server answers at an address, or it breaks off before it has shown who it is.'],
  SSH_HOST_KEY_UNKNOWN: ['user', "An SSH server's key is in no known_hosts file, and nobody said that it is right."],
  SSH_HOST_KEY_CHANGED: ['peer', 'An SSH server shows another key than the one that is known of it.'],
  SSH_HOST_KEY_REVOKED: ['peer', 'An SSH server shows a key that known_hosts calls revoked.'],
  SSH_LOGIN_REFUSED: ['user', 'An SSH server takes none of the keys and answers that it was given.'],
  SSH_REFUSED: ['peer', 'An SSH server opens no shell, runs no command or forwards to no further host.'],
  SSH_DROPPED: ['peer', 'An SSH connection broke off.'],
  KUBE_CONFIG_UNUSABLE: ['user', 'A kubeconfig is missing, damaged, or has not what was asked for.'],
  KUBE_UNREACHABLE: ['peer', 'A Kubernetes API server does not answer, or cannot be believed.'],
  KUBE_LOGIN_REFUSED: ['user', 'A Kubernetes API server does not take the credentials of the kubeconfig.'],
  KUBE_REFUSED: ['peer', 'A Kubernetes API server answered, and refused.'],
  POD_UNUSABLE: ['user', 'There is no such pod or container, or it does not run, or it has no shell.'],
  PACKAGE_INVALID: ['user', 'A package is damaged, or holds what a package may not hold.'],
  PACKAGE_UNTRUSTED: ['user', 'A package is not signed by a key that is trusted for it.'],
  PACKAGE_UNREAD: ['environment', 'The disk does not give the files of a package now; nobody knows what is in them.'],
  PACKAGE_MISSING: ['peer', 'A package cannot be had from where it should be.'],
  DISK_FULL: ['environment', 'There is not enough room on the disk for what is to be kept there.'],
  CHANGE_LOCKED: ['user', 'The node carries out a change of another rollout.'],
  CHANGE_UNFIT: ['user', 'A step of a change does not fit how far the change is on the node.'],
  TERM_STALE: ['peer', 'A rollout is driven by somebody else by now; this driver was replaced.'],
  MANDATE_INVALID: ['user', 'A step of a rollout came without the word of an operator for this node and item.'],
  PLAN_INVALID: ['user', 'A rollout cannot be planned as it was asked for.'],
  ROLLOUT_MISSING: ['user', 'There is no such rollout, or it has ended.'],
  JOURNAL_FAILING: ['environment', 'The journal of rollouts cannot be read or written, so nothing is done.'],
  TOOL_MISSING: ['environment', 'A program that this command needs is not installed.'],
} as const satisfies Record<string, readonly [ErrorKind, string]>

/** A stable error code; scripts may match on it, message texts may change. */
export type ErrorCode = keyof typeof ERROR_CODES

/** What an {@link EdgeError} is made of besides its code. */
export interface EdgeErrorDetail {
  /** What happened, in one sentence, without secrets. */
  readonly message: string
  /** What to do now, one imperative sentence each. */
  readonly next?: readonly string[]
  readonly cause?: unknown
}

/** The one error class: a stable code, whose fault it is, what happened and what to do next. */
export class EdgeError extends Error {
  readonly code: ErrorCode
  readonly kind: ErrorKind
  readonly next: readonly string[]

  constructor(code: ErrorCode, detail: EdgeErrorDetail) {
    super(detail.message, detail.cause === undefined ? undefined : { cause: detail.cause })
    this.name = 'EdgeError'
    this.code = code
    this.kind = ERROR_CODES[code][0]
    this.next = detail.next ?? []
  }

  /** One line for a terminal: `CODE: message. next; next`. */
  toLine(): string {
    const cure = this.next.length === 0 ? '' : ` → ${this.next.join('; ')}`
    return `${this.code}: ${this.message}${cure}`
  }
}

/** Message of anything thrown, for places that must not fail while reporting a failure. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
