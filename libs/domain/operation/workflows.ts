import { backupSite } from '../backup-site/backup-site.js';
import { discardData, discardWordPressData } from '../discard-data/discard-data.js';
import { launchProject } from '../launch-project/launch-project.js';
import { launchWordPress } from '../launch-wordpress/launch-wordpress.js';
import { launchSite } from '../launch-site/launch-site.js';
import { publishRelease } from '../publish-release/publish-release.js';
import { removeBackup } from '../remove-backup/remove-backup.js';
import { removeProject } from '../remove-project/remove-project.js';
import { removeSite } from '../remove-site/remove-site.js';
import { removeWordPress } from '../remove-wordpress/remove-wordpress.js';
import { repairSite, repairStoppedWordPress, repairWordPress } from '../repair-site/repair-site.js';
import { launchFromBackup, launchWordPressFromBackup, restoreSite, restoreWordPress } from '../restore-site/restore-site.js';
import { restartSite, startSite, stopSite } from '../switch-site/switch-site.js';
import { updateSite } from '../update-site/update-site.js';
import type { Workflow, WorkflowKind } from './workflow.js';

/** Every workflow there is. The input is JSON in the log; each workflow knows the shape of its own. */
export const workflows: Readonly<Record<WorkflowKind, Workflow<never>>> = {
  'launch-site': launchSite,
  'remove-site': removeSite,
  'publish-release': publishRelease,
  'stop-site': stopSite,
  'start-site': startSite,
  'restart-site': restartSite,
  'launch-project': launchProject,
  'remove-project': removeProject,
  'launch-wordpress': launchWordPress,
  'remove-wordpress': removeWordPress,
  'backup-site': backupSite,
  'restore-site': restoreSite,
  'restore-wordpress': restoreWordPress,
  'launch-from-backup': launchFromBackup,
  'launch-wordpress-from-backup': launchWordPressFromBackup,
  'remove-backup': removeBackup,
  'update-site': updateSite,
  'repair-site': repairSite,
  'repair-wordpress': repairWordPress,
  'repair-stopped-wordpress': repairStoppedWordPress,
  'discard-data': discardData,
  'discard-wordpress-data': discardWordPressData,
};

/** The workflows that put a kind of site live, and take it away, and what it left of its data; the same with the data of a backup. */
export const siteWorkflows = (siteKind: string): Readonly<Record<'launch' | 'remove' | 'discard' | 'restore' | 'launchFromBackup', WorkflowKind>> =>
  siteKind === 'wordpress'
    ? { launch: 'launch-wordpress', remove: 'remove-wordpress', discard: 'discard-wordpress-data', restore: 'restore-wordpress', launchFromBackup: 'launch-wordpress-from-backup' }
    : { launch: 'launch-site', remove: 'remove-site', discard: 'discard-data', restore: 'restore-site', launchFromBackup: 'launch-from-backup' };

export function workflowOf(kind: string): Workflow<never> {
  const workflow = (workflows as Partial<Record<string, Workflow<never>>>)[kind];
  if (!workflow) throw new Error(`No workflow is called "${kind}".`);
  return workflow;
}
