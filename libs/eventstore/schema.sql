-- The log: one ordered list of messages, many streams, nothing ever changed.
-- Run once by migrate.ts, as the role hostplane_log, which owns it all and cannot sign in.

CREATE TABLE log.head (
  log            text   PRIMARY KEY,
  seq            bigint NOT NULL,       -- position of the last message
  hash           bytea  NOT NULL,       -- sha256(hash before ‖ hash of the last message)
  partition_rows bigint NOT NULL,       -- positions in one partition of messages
  partitioned_to bigint NOT NULL        -- last position that has a partition
) WITH (fillfactor = 10);               -- always room for the next version of the row on its page

CREATE TABLE log.streams (
  stream_id text    COLLATE "C" PRIMARY KEY,
  category  text    COLLATE "C" NOT NULL,
  version   integer NOT NULL,
  last_hash bytea   NOT NULL
) WITH (fillfactor = 60);

-- Data, meta and time are text because the hash covers the bytes that were written, and stays checkable.
CREATE TABLE log.messages (
  seq            bigint  PRIMARY KEY,
  stream_id      text    COLLATE "C" NOT NULL,
  version        integer NOT NULL,
  id             uuid    NOT NULL,
  kind           text    COLLATE "C" NOT NULL CHECK (kind IN ('event', 'command')),
  type           text    COLLATE "C" NOT NULL,
  schema_version integer NOT NULL,
  data           text    NOT NULL,
  meta           text    NOT NULL,
  recorded_at    text    COLLATE "C" NOT NULL,   -- RFC 3339, UTC, milliseconds
  hash           bytea   NOT NULL
) PARTITION BY RANGE (seq);

CREATE INDEX ON log.messages (stream_id, version);

-- Who may write which streams: one role a category.
CREATE TABLE log.writers (
  role     name NOT NULL,
  category text COLLATE "C" PRIMARY KEY
);

CREATE FUNCTION log.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'The log is append-only: % on % is refused.', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON log.messages
  FOR EACH ROW EXECUTE FUNCTION log.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON log.messages
  FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change();

-- Makes partitions until position `up_to` has one. Attaching an empty table holds up no reader and no writer.
CREATE FUNCTION log.make_partitions(up_to bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  h      log.head;
  part   text;
BEGIN
  SELECT * INTO h FROM log.head WHERE log = 'main' FOR UPDATE;
  WHILE h.partitioned_to < up_to LOOP
    part := format('messages_%s', h.partitioned_to + 1);
    EXECUTE format('CREATE TABLE log.%I (LIKE log.messages INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part);
    EXECUTE format('ALTER TABLE log.messages ATTACH PARTITION log.%I FOR VALUES FROM (%s) TO (%s)',
                   part, h.partitioned_to + 1, h.partitioned_to + 1 + h.partition_rows);
    EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON log.%I FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change()', part);
    h.partitioned_to := h.partitioned_to + h.partition_rows;
    UPDATE log.head SET partitioned_to = h.partitioned_to WHERE log = 'main';
  END LOOP;
END $$;

-- Appends a batch of requests, each all or nothing, each with a verdict of its own.
--
-- Requests are lists of parts (one stream each); parts are lists of messages. `streams` are the distinct streams; a part
-- names its request and its stream by index (from 1). Both lists of parts and of messages are in order of requests.
--
-- Locks are taken in one order by everybody: streams by name, then the head row, last and briefly, so that positions
-- are dense and in commit order. A request that conflicts burns no position.
--
-- durable: wait for the disk in this very transaction, unless another writer was waiting for the head row; `flushed`
-- says whether it did. If not, the caller flushes (see appender.ts) before it tells anybody.
CREATE FUNCTION log.append(
  durable boolean, requests integer, streams text[],
  part_request integer[], part_stream integer[], part_expected integer[], part_messages integer[],
  ids uuid[], kinds text[], types text[], schema_versions integer[], datas text[], metas text[],
  OUT last_seq bigint, OUT recorded_at text, OUT flushed boolean,
  OUT conflicts integer[],              -- for each request: 0, or the part that conflicted
  OUT actual integer[],                 -- for each request: the version that the conflicting stream has
  OUT hashes bytea                      -- 32 bytes for each message, in order; zeroes where refused
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  nothing    constant bytea := '\x0000000000000000000000000000000000000000000000000000000000000000';
  versions   integer[] := array_fill(0, ARRAY[cardinality(streams)]);
  stream_h   bytea[]   := array_fill(nothing, ARRAY[cardinality(streams)]);
  changed    boolean[] := array_fill(false, ARRAY[cardinality(streams)]);
  message_h  bytea[]   := array_fill(NULL::bytea, ARRAY[cardinality(ids)]);
  message_v  integer[] := array_fill(0, ARRAY[cardinality(ids)]);
  message_s  text[]    := array_fill(''::text, ARRAY[cardinality(ids)]);
  accepted   integer := 0;
  parts      integer := cardinality(part_request);
  p          integer := 1;              -- the part in hand
  first_p    integer;
  first_m    integer;
  m          integer := 1;              -- the message in hand
  s          integer;
  h          bytea;
  row        record;
  head_seq   bigint;
  head_h     bytea;
  part_to    bigint;
  part_rows  bigint;
  forbidden  text;
BEGIN
  SELECT u.stream INTO forbidden FROM unnest(streams) u(stream)
   WHERE NOT EXISTS (SELECT FROM log.writers w WHERE w.category = split_part(u.stream, '/', 1) AND w.role = session_user) LIMIT 1;
  IF forbidden IS NOT NULL THEN
    RAISE EXCEPTION 'The role % may not write to %.', session_user, forbidden USING ERRCODE = 'insufficient_privilege';
  END IF;

  INSERT INTO log.streams (stream_id, category, version, last_hash)
    SELECT u.stream, split_part(u.stream, '/', 1), 0, nothing
      FROM unnest(streams) WITH ORDINALITY u(stream, n)
     WHERE u.n IN (SELECT x.s FROM unnest(part_stream, part_expected) x(s, e) WHERE x.e = 0)
       AND NOT EXISTS (SELECT FROM log.streams o WHERE o.stream_id = u.stream)
     ORDER BY u.stream COLLATE "C"
    ON CONFLICT DO NOTHING;
  FOR row IN SELECT u.n, t.version, t.last_hash FROM unnest(streams) WITH ORDINALITY u(stream, n)
               JOIN log.streams t ON t.stream_id = u.stream ORDER BY t.stream_id FOR UPDATE OF t LOOP
    versions[row.n] := row.version;
    stream_h[row.n] := row.last_hash;
  END LOOP;

  recorded_at := to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
  conflicts := array_fill(0, ARRAY[requests]);
  actual := array_fill(0, ARRAY[requests]);
  FOR r IN 1 .. requests LOOP
    first_p := p;
    first_m := m;
    WHILE p <= parts AND part_request[p] = r LOOP
      s := part_stream[p];
      IF conflicts[r] = 0 AND versions[s] <> part_expected[p] THEN
        conflicts[r] := p - first_p + 1;
        actual[r] := versions[s];
      END IF;
      m := m + part_messages[p];
      p := p + 1;
    END LOOP;
    CONTINUE WHEN conflicts[r] <> 0;

    accepted := accepted + m - first_m;
    m := first_m;
    FOR q IN first_p .. p - 1 LOOP
      s := part_stream[q];
      h := stream_h[s];
      FOR i IN m .. m + part_messages[q] - 1 LOOP
        versions[s] := versions[s] + 1;
        h := sha256(h || convert_to(concat_ws(E'\n', streams[s], versions[s], ids[i], kinds[i], types[i], schema_versions[i], recorded_at, datas[i], metas[i]), 'UTF8'));
        message_h[i] := h;
        message_v[i] := versions[s];
        message_s[i] := streams[s];
      END LOOP;
      m := m + part_messages[q];
      stream_h[s] := h;
      changed[s] := true;
    END LOOP;
  END LOOP;
  hashes := '';
  flushed := true;
  IF accepted = 0 THEN
    SELECT seq INTO last_seq FROM log.head WHERE log = 'main';
    RETURN;
  END IF;

  UPDATE log.streams t SET version = u.version, last_hash = u.last_hash
    FROM unnest(streams, versions, stream_h, changed) u(stream, version, last_hash, changed)
   WHERE t.stream_id = u.stream AND u.changed;

  SELECT seq, hash, partitioned_to, partition_rows INTO head_seq, head_h, part_to, part_rows
    FROM log.head WHERE log = 'main' FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    flushed := false;
    SELECT seq, hash, partitioned_to, partition_rows INTO head_seq, head_h, part_to, part_rows
      FROM log.head WHERE log = 'main' FOR UPDATE;
  END IF;
  flushed := flushed AND durable;
  PERFORM set_config('synchronous_commit', CASE WHEN flushed THEN 'on' ELSE 'off' END, true);

  last_seq := head_seq + accepted;
  IF last_seq > part_to - part_rows / 2 THEN
    PERFORM log.make_partitions(last_seq + part_rows / 2);
  END IF;
  INSERT INTO log.messages
    SELECT head_seq + row_number() OVER (ORDER BY u.n), u.stream, u.version, u.id, u.kind, u.type, u.schema_version, u.data, u.meta, append.recorded_at, u.hash
      FROM unnest(message_s, message_v, ids, kinds, types, schema_versions, datas, metas, message_h)
           WITH ORDINALITY u(stream, version, id, kind, type, schema_version, data, meta, hash, n)
     WHERE u.hash IS NOT NULL;
  FOREACH h IN ARRAY message_h LOOP
    CONTINUE WHEN h IS NULL;
    head_h := sha256(head_h || h);
  END LOOP;
  hashes := string_agg(COALESCE(u.h, nothing), ''::bytea ORDER BY u.n)
       FROM unnest(message_h) WITH ORDINALITY u(h, n);
  UPDATE log.head SET seq = last_seq, hash = head_h WHERE log = 'main';
END $$;

INSERT INTO log.head VALUES ('main', 0, '\x0000000000000000000000000000000000000000000000000000000000000000', 10000000, 0);
SELECT log.make_partitions(1);

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA log FROM PUBLIC;
