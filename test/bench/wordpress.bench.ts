import Docker from 'dockerode';
import { buildImages } from '../../infra/images/build-images.js';
import { BareNginx } from './bare-nginx.js';
import { BareWordPress } from './bare-wordpress.js';
import { LivePlane } from './live-plane.js';
import { median, milliseconds, say, timeRow, type Bench } from './table.js';

const RUNS = 7;
/** Another one for each run, so that runs beside each other do not meet. */
const POOL = `10.${80 + Math.floor(Math.random() * 120)}`;

/** T7: a WordPress site on a host that has others, beside a bare script that does the same with the same images, engine and nginx. */
export const run: Bench = async (report, wants) => {
  if (!wants('T7')) return;
  const skip = (why: string) => report({ what: 'T7 WordPress', ours: `skipped: ${why}`, target: '' });
  const missing = await new Docker().ping().then(() => undefined, (error: Error) => error.message);
  if (missing !== undefined) return skip(`no Docker Engine answers (${missing})`);
  if (!(await buildImages(new Docker(), (line) => say(`  ${line}`)))) return skip('its images cannot be built, for this machine has no Debian mirror');
  const plane = await LivePlane.start(`${POOL}.0.0/16`);
  try {
    const [nginx, bare] = [await BareNginx.start(), await BareWordPress.start(`${POOL}.255`)];
    try {
      await measure(plane, nginx, bare, report);
    } finally {
      await bare.stop();
      await nginx.stop();
    }
  } finally {
    await plane.stop();
  }
};

async function measure(plane: LivePlane, nginx: BareNginx, bare: BareWordPress, report: Parameters<Bench>[0]): Promise<void> {
  const sites = [(await plane.launchWordPress('kept')).site];
  const [ours, floors]: [number[], number[]] = [[], []];
  for (let i = 0; i < RUNS; i++) {
    const began = performance.now();
    await bare.launch(nginx, `bare-${i}.localhost`);
    floors.push(performance.now() - began);
    const { site, servedMs } = await plane.launchWordPress(`one-${i}`);
    ours.push(servedMs);
    sites.push(site);
    await plane.settled([site]);
    say(`  site ${i + 1} of ${RUNS}: ${milliseconds(servedMs)} beside ${milliseconds(floors.at(-1)!)}: ${await plane.timeline(site)}`);
  }
  report(timeRow('T7 WordPress, request → first 200', median(ours), median(floors), 1.2));
  await plane.remove(sites);
}
