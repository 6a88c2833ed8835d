import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { Refusal } from '../refusal.js';
import { checkName, hostLabels, MAX_NAME_LENGTH } from './names.js';
import * as naming from './naming.js';

const ID = '0190b4c6-7f3e-7c3a-9a57-0123456789ab';
const site = { siteId: ID, name: 'a-very-long-name-that-goes-on-and-on-for-ever-x' };

describe('resource names', () => {
  it('are what they always were', () => {
    expect([naming.shortId(ID), naming.appContainer({ siteId: ID, name: 'blog' }), naming.projectNetwork(ID), naming.databaseUser(ID)]).toEqual([
      'agiljrt7hz6dvgsxaerukz4jvm', 'hp-app-blog-agiljrt7hz6dvgsxaerukz4jvm', 'hp-net-agiljrt7hz6dvgsxaerukz4jvm', 'hp_agiljrt7hz6dvgsxaerukz4jvm',
    ]);
    expect(naming.deploymentImage('shop', ID)).toBe('shop:deploy_0190b4c6');
    expect(naming.siteDomain('blog', 'localhost')).toBe('blog.localhost');
    expect(naming.nginxConfigFile(ID)).toBe('site-agiljrt7hz6dvgsxaerukz4jvm.conf');
  });
  it('fit the strictest limit of their target', () => {
    for (const name of [naming.phpContainer, naming.staticContainer, naming.appContainer, naming.volume, naming.staticVolume, naming.uploadContainer, naming.secretVolume]) {
      expect(name(site).length).toBeLessThanOrEqual(63);
    }
    expect(naming.databaseVolume(ID, 'socket').length).toBeLessThanOrEqual(63);
    expect(naming.databaseUser(ID).length).toBeLessThanOrEqual(32);
    for (const label of hostLabels('x'.repeat(MAX_NAME_LENGTH), ID)) expect(label.length).toBeLessThanOrEqual(63);
  });
  it('never collide: another id gives another name', () => {
    fc.assert(fc.property(fc.uuid(), fc.uuid(), (a, b) => (naming.shortId(a) === naming.shortId(b)) === (a === b)));
  });
  it('are distinct for each kind of resource', () => {
    const all = [naming.phpContainer, naming.staticContainer, naming.appContainer, naming.volume, naming.staticVolume, naming.uploadContainer, naming.secretVolume].map((f) => f(site));
    expect(new Set(all).size).toBe(all.length);
    expect(naming.containerFor('app', site)).toBe(naming.appContainer(site));
  });
});

describe('names that people choose', () => {
  it.each(['a', 'blog', 'my-shop-2', '2024', 'x'.repeat(MAX_NAME_LENGTH)])('takes %s', (name) => {
    expect(() => checkName(name, 'site')).not.toThrow();
  });
  it.each(['', 'Blog', 'my_shop', 'a.b', '-a', 'a-', 'xn--bcher-kva', 'www', 'admin', 'x'.repeat(MAX_NAME_LENGTH + 1), 'a b', 'ä', 'a\n', '../x'])('refuses %j', (name) => {
    expect(() => checkName(name, 'site')).toThrow(Refusal);
  });
  it('takes reserved words for projects', () => expect(() => checkName('admin', 'project')).not.toThrow());
});
