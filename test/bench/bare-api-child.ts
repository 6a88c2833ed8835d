import fastify from 'fastify';
import pg from 'pg';

/** A process of its own for live.bench.ts: bare Fastify that keeps each body by one durable insert, and reads sites by the statements of the gateway. URL of a database in, port out by IPC; ends with its parent. */
const client = new pg.Client({ connectionString: process.argv[2] });
await client.connect();
const pool = new pg.Pool({ connectionString: process.argv[2], max: 10 });
await client.query('CREATE TABLE IF NOT EXISTS bench_api (id bigserial PRIMARY KEY, data text NOT NULL)');
const SITES = 'SELECT s.*, o.status AS operation_status FROM api_gateway.sites s LEFT JOIN api_gateway.operations o ON o.id = s.operation_id';
const app = fastify();
app.post('/sites', async (request, reply) => {
  const { rows } = await client.query<{ id: string }>({ name: 'insert', text: 'INSERT INTO bench_api (data) VALUES ($1) RETURNING id', values: [JSON.stringify(request.body)] });
  return reply.status(202).send({ id: rows[0]?.id });
});
app.get<{ Params: { id: string } }>('/sites/:id', async ({ params }) => (await pool.query({ name: 'site', text: `${SITES} WHERE s.id = $1`, values: [params.id] })).rows[0]);
app.get('/sites', async () => ({ items: (await pool.query({ name: 'sites', text: `${SITES} WHERE s.status <> 'DESTROYED' ORDER BY s.created_position DESC LIMIT 51`, values: [] })).rows }));
const address = await app.listen({ host: '127.0.0.1', port: 0 });
process.on('disconnect', () => process.exit());
process.send!(Number(new URL(address).port));
