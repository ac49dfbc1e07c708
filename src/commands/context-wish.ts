/** What is known of a context that is to be added; null and empty where nobody said it yet. */
export interface ContextWish {
  readonly name: string | null
  readonly nats: readonly string[]
  /** Files of who signed the servers of the bus; null for the fleet's roots. */
  readonly natsCa: string | null
  readonly controller: string | null
  /** SHA-256 of the root. */
  readonly pin: string | null
  /** A folder with key.pem, cert.pem and trust.json. */
  readonly identityFrom: string | null
  /** Log in while adding, as this name, or as the user of this machine when empty; null = not. */
  readonly login: string | null
  /** SSH key to log in by. */
  readonly key: string | null
  readonly production: boolean
  readonly insecure: boolean
  /** Make it the current one. */
  readonly use: boolean
  /** Write it down though a step failed. */
  readonly force: boolean
}
