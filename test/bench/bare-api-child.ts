import fastify from 'fastify';
import pg from 'pg';

/** A process of its own for live.bench.ts: bare Fastify that keeps each body by one durable insert. URL of a database in, port out by IPC; ends with its parent. */
const client = new pg.Client({ connectionString: process.argv[2] });
await client.connect();
await client.query('CREATE TABLE IF NOT EXISTS bench_api (id bigserial PRIMARY KEY, data text NOT NULL)');
const app = fastify();
app.post('/sites', async (request, reply) => {
  const { rows } = await client.query<{ id: string }>({ name: 'insert', text: 'INSERT INTO bench_api (data) VALUES ($1) RETURNING id', values: [JSON.stringify(request.body)] });
  return reply.status(202).send({ id: rows[0]?.id });
});
const address = await app.listen({ host: '127.0.0.1', port: 0 });
process.on('disconnect', () => process.exit());
process.send!(Number(new URL(address).port));
