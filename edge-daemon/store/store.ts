export type {
  Appended,
  Backlog,
  Cursors,
  NewRecord,
  ReadRequest,
  Store,
  StoredRecord,
  StoreNotice,
  StoreOptions,
} from './contract.ts'
