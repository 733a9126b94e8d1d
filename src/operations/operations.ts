/** For whoever keeps a store: the entry point `aetheris/operations`. */
export type { ArchiveSummary } from './archive.ts'
export { type BackupOptions, type BackupReport, backup } from './backup.ts'
export { type PruneOptions, type PruneReport, prune, type RetentionPolicy } from './prune.ts'
export type { JobLoss, RepairReport } from './rebuild.ts'
export { type RepairOptions, repair } from './repair.ts'
export { type RestoreOptions, type RestoreReport, restore } from './restore.ts'
