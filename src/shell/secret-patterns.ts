/**
 * What is taken for a secret in recorded output: what group 1 matched is hidden. All of it is best effort. Repetitions are
 * bounded and never nest, so that no output takes long to look through.
 */
export const SECRET_PATTERNS: readonly RegExp[] = [
  // password=…, "api_key": "…", DB_PASSWORD: …
  /(?:passw(?:or)?d|passwd|passphrase|secret|token|credential|(?:api|access|private|account)[_-]?key)s?[A-Za-z0-9_]{0,20}["']?\s{0,3}[=:]\s{0,3}["']?([^\s"',;&]{1,512})/dgi,
  // --password …, --token=…
  /--(?:password|passphrase|token|secret|api-key)[ =]["']?([^\s"']{1,512})/dgi,
  // Authorization: Bearer …
  /\b(?:bearer|basic)\s{1,3}([A-Za-z0-9._~+/=-]{8,4096})/dgi,
  // postgres://user:…@host
  /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:@/]{0,64}:([^\s@/]{1,256})@/dgi,
  // AWS access keys
  /\b((?:AKIA|ASIA)[0-9A-Z]{16})\b/dg,
  // GitHub, GitLab, Slack
  /\b(gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_\w{20,255}|glpat-[\w-]{20,255}|xox[abeprs]-[A-Za-z0-9-]{10,255})/dg,
  // JSON web tokens
  /\b(eyJ[\w-]{8,4096}\.[\w-]{8,4096}\.[\w-]{0,4096})/dg,
  // Seeds of NATS keys
  /\b(S[UAONCX][A-Z2-7]{54,58})\b/dg,
]

/** Something of {@link SECRET_PATTERNS} or a private key may be in a text; quick, so that the rest is looked at rarely. */
export const SECRET_HINT =
  /passw|passphrase|secret|token|credential|key|bearer|basic|:\/\/|AKIA|ASIA|gh[pousr]_|github_pat|glpat-|xox|eyJ|S[UAONCX][A-Z2-7]{20}|PRIVATE/i

/** The lines between which a private key stands. */
export const PRIVATE_KEY_BEGIN = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----/
export const PRIVATE_KEY_END = /-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----/
