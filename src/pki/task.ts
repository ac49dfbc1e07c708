import type { Rights } from '../../protocol/rights.ts'

/** Which authority, and how its sealed key is opened. */
export interface AuthorityFlags {
  /** Null for the one in the default folder. */
  readonly dir: string | null
  readonly passphraseFile: string | null
}

/** What `edgedeck pki …` is asked to do. */
export type PkiTask =
  | { readonly what: 'init'; readonly fleet: string; readonly issuingPassphraseFile: string | null }
  | { readonly what: 'status'; readonly format: 'table' | 'json' | 'ndjson'; readonly all: boolean }
  | {
      readonly what: 'operator'
      readonly name: string
      readonly rights: Rights
      readonly lifeMs: number | null
      readonly out: string | null
    }
  | {
      readonly what: 'service' | 'controller'
      readonly name: string
      readonly dns: readonly string[]
      readonly ips: readonly string[]
      readonly out: string | null
    }
  | {
      readonly what: 'sign'
      readonly requestFile: string
      readonly site: string
      readonly node: string
      readonly controllers: readonly string[]
      readonly replace: boolean
      readonly out: string | null
    }
  | {
      readonly what: 'revoke'
      readonly name: string | null
      readonly serial: string | null
      readonly why: string
      /** Folder of `edgedeck nats setup --out`, where their credentials are taken back too; null for none. */
      readonly bus: string | null
    }
  | {
      readonly what: 'rotate'
      readonly which: 'issuing' | 'root'
      readonly finish: boolean
      readonly force: boolean
      readonly distrust: string | null
      readonly issuingPassphraseFile: string | null
    }
