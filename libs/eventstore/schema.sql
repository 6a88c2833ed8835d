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

-- The head's hash after these messages: sha256(hash before ‖ hash of the message), for each in turn.
CREATE FUNCTION log.chained(head_hash bytea, hashes bytea[]) RETURNS bytea LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  h bytea;
BEGIN
  FOREACH h IN ARRAY hashes LOOP
    CONTINUE WHEN h IS NULL;
    head_hash := sha256(head_hash || h);
  END LOOP;
  RETURN head_hash;
END $$;

-- What the hash of a message covers: the hash before it in its stream, then every field as it is stored, a line each.
CREATE FUNCTION log.message_hash(
  before bytea, stream text, version integer, id uuid, kind text, type text, schema_version integer, recorded_at text, data text, meta text
) RETURNS bytea LANGUAGE sql STABLE AS $$
  SELECT sha256(before || convert_to(concat_ws(E'\n', stream, version, id, kind, type, schema_version, recorded_at, data, meta), 'UTF8'))
$$;

-- Appends one message to one stream: the way of an append that is alone. One statement, since each more costs as much as its rows.
-- Anything out of the ordinary (another version, a first message, another's category, the end of a partition) it leaves to append():
-- last_seq is NULL.
CREATE FUNCTION log.append_one(
  stream text, expected integer, id uuid, kind text, type text, schema_version integer, data text, meta text,
  OUT last_seq bigint, OUT recorded_at text, OUT hashes bytea
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  recorded_at := to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
  WITH s AS (
    UPDATE log.streams t SET version = t.version + 1,
           last_hash = log.message_hash(t.last_hash, stream, t.version + 1, append_one.id, append_one.kind, append_one.type, append_one.schema_version, append_one.recorded_at, append_one.data, append_one.meta)
     WHERE t.stream_id = stream AND t.version = expected AND expected > 0
       AND EXISTS (SELECT FROM log.writers w WHERE w.category = t.category AND w.role = session_user)
       AND EXISTS (SELECT FROM log.head h WHERE h.log = 'main' AND h.seq < h.partitioned_to - h.partition_rows / 2)
    RETURNING t.last_hash
  ), h AS (                               -- reads s, and so locks the head last
    UPDATE log.head SET seq = seq + 1, hash = sha256(hash || s.last_hash) FROM s WHERE log = 'main' RETURNING seq, s.last_hash
  ), m AS (
    INSERT INTO log.messages SELECT h.seq, stream, expected + 1, append_one.id, append_one.kind, append_one.type, append_one.schema_version, append_one.data, append_one.meta, append_one.recorded_at, h.last_hash FROM h
  )
  SELECT h.seq, h.last_hash INTO last_seq, hashes FROM h;
END $$;

-- Appends a batch of requests, each all or nothing, each with a verdict of its own.
--
-- Requests are lists of parts (one stream each); parts are lists of messages. `streams` are the distinct streams; a part
-- names its request and its stream by index (from 1). Both lists of parts and of messages are in order of requests.
--
-- Locks are taken in one order by everybody: streams by name, then the head row, last and briefly, so that positions
-- are dense and in commit order. A request that conflicts burns no position.
--
-- A part without messages adds nothing to its stream, whose ever it is: it holds the request to the version that was read.
--
-- Whether it waits for the disk is the caller's: a session that does not flushes before it tells anybody (see session.ts).
CREATE FUNCTION log.append(
  requests integer, streams text[],
  part_request integer[], part_stream integer[], part_expected integer[], part_messages integer[],
  ids uuid[], kinds text[], types text[], schema_versions integer[], datas text[], metas text[],
  OUT last_seq bigint, OUT recorded_at text,
  OUT conflicts integer[],              -- for each request: 0, or the part that conflicted
  OUT actual integer[],                 -- for each request: the version that the conflicting stream has
  OUT hashes bytea                      -- 32 bytes for each message that was appended, in order
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  nothing    constant bytea := '\x0000000000000000000000000000000000000000000000000000000000000000';
  allowed    text[];
  versions   integer[];                 -- of each stream, as it is and as it becomes
  stream_h   bytea[];
  message_h  bytea[]   := array_fill(NULL::bytea, ARRAY[cardinality(ids)]);
  message_v  integer[] := array_fill(0, ARRAY[cardinality(ids)]);
  message_s  text[]    := array_fill(''::text, ARRAY[cardinality(ids)]);
  message_o  integer[] := array_fill(0, ARRAY[cardinality(ids)]);
  accepted   integer := 0;
  parts      integer := cardinality(part_request);
  p          integer := 1;              -- the part in hand
  m          integer := 1;              -- the message in hand
  first_p    integer;
  first_m    integer;
  s          integer;
  h          bytea;
  held       record;
  part_to    bigint;
  part_rows  bigint;
BEGIN
  SELECT array_agg(w.category) INTO allowed FROM log.writers w WHERE w.role = session_user;
  FOR i IN 1 .. cardinality(streams) LOOP
    IF (split_part(streams[i], '/', 1) = ANY (allowed)) IS NOT TRUE
       AND EXISTS (SELECT FROM unnest(part_stream, part_messages) x(s, m) WHERE x.s = i AND x.m > 0) THEN
      RAISE EXCEPTION 'The role % may not write to %.', session_user, streams[i] USING ERRCODE = 'insufficient_privilege';
    END IF;
  END LOOP;

  IF 0 = ANY (part_expected) THEN
    INSERT INTO log.streams (stream_id, category, version, last_hash)
      SELECT u.stream, split_part(u.stream, '/', 1), 0, nothing
        FROM unnest(streams) WITH ORDINALITY u(stream, n)
       WHERE u.n IN (SELECT x.s FROM unnest(part_stream, part_expected) x(s, e) WHERE x.e = 0)
         AND NOT EXISTS (SELECT FROM log.streams o WHERE o.stream_id = u.stream)
       ORDER BY u.stream COLLATE "C"
      ON CONFLICT DO NOTHING;
  END IF;
  versions := array_fill(0, ARRAY[cardinality(streams)]);
  stream_h := array_fill(nothing, ARRAY[cardinality(streams)]);
  FOR held IN SELECT u.n, t.version, t.last_hash FROM unnest(streams) WITH ORDINALITY u(stream, n)
                JOIN log.streams t ON t.stream_id = u.stream ORDER BY t.stream_id FOR UPDATE OF t LOOP
    versions[held.n] := held.version;
    stream_h[held.n] := held.last_hash;
  END LOOP;

  recorded_at := to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
  conflicts := array_fill(0, ARRAY[requests]);
  actual := conflicts;
  hashes := '';
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

    m := first_m;
    FOR q IN first_p .. p - 1 LOOP
      s := part_stream[q];
      h := stream_h[s];
      FOR i IN m .. m + part_messages[q] - 1 LOOP
        accepted := accepted + 1;
        versions[s] := versions[s] + 1;
        h := log.message_hash(h, streams[s], versions[s], ids[i], kinds[i], types[i], schema_versions[i], recorded_at, datas[i], metas[i]);
        hashes := hashes || h;
        message_h[i] := h;
        message_v[i] := versions[s];
        message_s[i] := streams[s];
        message_o[i] := accepted;
      END LOOP;
      m := m + part_messages[q];
      stream_h[s] := h;
    END LOOP;
  END LOOP;
  IF accepted = 0 THEN
    SELECT seq INTO last_seq FROM log.head WHERE log = 'main';
    RETURN;
  END IF;

  UPDATE log.head SET seq = seq + accepted, hash = log.chained(hash, message_h) WHERE log = 'main'
    RETURNING seq, partitioned_to, partition_rows INTO last_seq, part_to, part_rows;
  IF last_seq > part_to - part_rows / 2 THEN
    PERFORM log.make_partitions(last_seq + part_rows / 2);
  END IF;
  WITH s AS (
    UPDATE log.streams t SET version = u.version, last_hash = u.last_hash
      FROM unnest(streams, versions, stream_h) u(stream, version, last_hash)
     WHERE t.stream_id = u.stream AND t.version <> u.version
  )
  INSERT INTO log.messages
    SELECT last_seq - accepted + u.o, u.stream, u.version, u.id, u.kind, u.type, u.schema_version, u.data, u.meta, append.recorded_at, u.hash
      FROM unnest(message_o, message_s, message_v, ids, kinds, types, schema_versions, datas, metas, message_h)
           u(o, stream, version, id, kind, type, schema_version, data, meta, hash)
     WHERE u.hash IS NOT NULL;
END $$;

INSERT INTO log.head VALUES ('main', 0, '\x0000000000000000000000000000000000000000000000000000000000000000', 10000000, 0);
SELECT log.make_partitions(1);

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA log FROM PUBLIC;
