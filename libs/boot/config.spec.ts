import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { type ConfigError, readConfig } from './config.js';
import { addresses, baseDomain, bytes, cidr, dnsGrants, folder, hostId, oneOf, port, portRange, ranges, resolvers, url } from './fields.js';

const schema = z.object({
  PORT: port().default(7080),
  POOL: cidr(24).default('10.77.0.0/16'),
  EDGE: oneOf('auto', 'nginx').default('auto'),
  SIZE: bytes().default(1024),
  DATABASE_URL: url('postgres', 'postgresql').optional(),
});

const complaintsOf = (env: NodeJS.ProcessEnv) => {
  try {
    readConfig(schema, env);
  } catch (err) {
    return (err as ConfigError).message.split('\n').slice(1).map((line) => line.trim());
  }
  return [];
};

describe('readConfig', () => {
  it('takes defaults for what is unset or empty', () => {
    expect(readConfig(schema, { PORT: '' })).toEqual({ PORT: 7080, POOL: '10.77.0.0/16', EDGE: 'auto', SIZE: 1024 });
  });

  it('reads what is given', () => {
    expect(readConfig(schema, { PORT: '80', SIZE: '2M', EDGE: 'nginx' })).toMatchObject({ PORT: 80, SIZE: 2 * 1024 * 1024, EDGE: 'nginx' });
  });

  it('names every wrong variable with its value and what is allowed', () => {
    expect(complaintsOf({ PORT: '99999', EDGE: 'apache' })).toEqual([
      'PORT is "99999": a port is a whole number from 1 to 65535.',
      'EDGE is "apache": one of auto, nginx is allowed.',
    ]);
  });

  it('never shows the value of a variable that may hold a password', () => {
    expect(complaintsOf({ DATABASE_URL: 'mysql://root:hunter2@db' })).toEqual([
      'DATABASE_URL is set (its value is hidden): an address that begins with postgres:// or postgresql:// is needed.',
    ]);
  });

  it('names a variable that is needed and unset', () => {
    expect(() => readConfig(z.object({ NATS_URL: url('nats') }), {})).toThrow('NATS_URL is not set: an address that begins with nats:// is needed.');
  });
});

describe('fields', () => {
  const accepts = (field: z.ZodType, values: readonly string[]) => values.filter((value) => field.safeParse(value).success);

  it('cidr: the first address of a range, and room enough', () => {
    expect(accepts(cidr(24), ['10.77.0.0/16', '10.77.0.0/24', '10.77.0.0/25', '10.77.0.1/16', '10.77/16', 'fd00::/8', '10.77.0.0'])).toEqual(['10.77.0.0/16', '10.77.0.0/24']);
  });

  it('portRange: from the first to the last', () => {
    expect(accepts(portRange(), ['20000-29999', '80-80', '0-80', '80', '90-80', '1-65536', 'a-b', '1-2-3'])).toEqual(['20000-29999', '80-80']);
    expect(portRange().parse('20000-29999')).toEqual({ first: 20_000, last: 29_999 });
  });

  it('hostId: fits a bus subject', () => {
    expect(accepts(hostId(), ['local', 'web-1', '', 'a.b', 'A', '-a', 'a*', 'a'.repeat(33)])).toEqual(['local', 'web-1']);
  });

  it('baseDomain: labels in lower case', () => {
    expect(accepts(baseDomain(), ['localhost', 'sites.example.com', 'Example.com', 'a..b', 'a.', 'x:8080', '-a.b'])).toEqual(['localhost', 'sites.example.com']);
  });

  it('folder: absolute, the default too', () => {
    const data = z.object({ DATA: folder().prefault('.hostplane') });
    expect(readConfig(data, {})).toEqual({ DATA: join(process.cwd(), '.hostplane') });
    expect(readConfig(data, { DATA: 'x/../y' })).toEqual({ DATA: join(process.cwd(), 'y') });
  });

  it('addresses, resolvers, ranges: several with commas between them', () => {
    expect(addresses().parse('192.0.2.1, 2001:db8::1')).toEqual(['192.0.2.1', '2001:db8::1']);
    expect(accepts(addresses(), ['192.0.2.1,x', '192.0.2.1:53', '192.0.2.1,', 'localhost'])).toEqual([]);
    const good = ['192.0.2.53', '192.0.2.53:5353', '2001:db8::53', '[2001:db8::53]:5353', '192.0.2.1,192.0.2.2'];
    expect(accepts(resolvers(), [...good, 'localhost', '192.0.2.53:0', '192.0.2.53:65536', '[192.0.2.53]:53', '192.0.2.53:', ',', '192.0.2.1:x'])).toEqual(good);
    expect(accepts(ranges(), ['192.0.2.0/24,2001:db8::/32', '192.0.2.0', '192.0.2.0/33'])).toEqual(['192.0.2.0/24,2001:db8::/32']);
  });

  it('bytes: powers of 1024', () => {
    expect(['1', '1K', '3m', '2G'].map((size) => bytes().parse(size))).toEqual([1, 1024, 3 * 1024 ** 2, 2 * 1024 ** 3]);
    expect(accepts(bytes(), ['0', '-1', '1.5M', '10 MB', 'many'])).toEqual([]);
  });
});

describe('grants of names', () => {
  const id = '3f0c1a2b-0000-4000-8000-000000000001';
  const read = (value: string) => dnsGrants().safeParse(value);

  it('are names and ids of projects with commas between them', () => {
    expect(read(`shop.example.com=${id}, example.org=${id}`).data).toEqual([{ name: 'shop.example.com', projectId: id }, { name: 'example.org', projectId: id }]);
  });

  it.each(['', 'shop.example.com', `=${id}`, 'shop.example.com=', 'shop.example.com=team', `Shop.example.com=${id}`, `*.example.com=${id}`, `com=${id}`, `shop.example.com=${id}=${id}`, `shop.example.com=${id},`])('are not "%s"', (value) => {
    expect(read(value).error?.issues[0]?.message).toMatch(/names and ids of projects are needed/);
  });
});
