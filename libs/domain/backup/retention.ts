/** A backup that is there. */
export interface KeptBackup {
  readonly backupId: string;
  readonly takenAtMs: number;
}

/** How long a site's backups are kept. 0: without a limit of that kind. */
export interface Retention {
  /** At most so many a site. */
  readonly most: number;
  readonly days: number;
}

const DAY_MS = 86_400_000;

/** Ids of a site's backups whose time is over, oldest first. The newest is never among them, however old it is. */
export function expiredBackups(backups: readonly KeptBackup[], { most, days }: Retention, nowMs: number): readonly string[] {
  const newestFirst = backups.toSorted((a, b) => b.takenAtMs - a.takenAtMs || (a.backupId < b.backupId ? 1 : -1));
  const isOver = ({ takenAtMs }: KeptBackup, place: number): boolean => (most > 0 && place >= most) || (days > 0 && nowMs - takenAtMs > days * DAY_MS);
  return newestFirst.filter((backup, place) => place > 0 && isOver(backup, place)).map(({ backupId }) => backupId).toReversed();
}
