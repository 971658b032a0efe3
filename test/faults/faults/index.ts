import type { Backend, Scene } from "../fault.ts";
import { memcachedOverPostgres, redisOverPostgres } from "./cached-db.ts";
import { files } from "./file.ts";
import { mariadb } from "./mariadb.ts";
import { memcached, memcachedWithoutEviction } from "./memcached.ts";
import { postgres } from "./postgres.ts";
import { redisWithAof, redisWithoutPersistence } from "./redis.ts";
import { redisCluster } from "./redis-cluster.ts";
import { redisWithSentinels } from "./redis-sentinel.ts";

/** Every scene, each with the faults of its servers. */
export const scenes: readonly Scene<Backend>[] = [
  redisWithAof,
  redisWithoutPersistence,
  redisWithSentinels,
  redisCluster,
  postgres,
  mariadb,
  memcached,
  memcachedWithoutEviction,
  files,
  redisOverPostgres,
  memcachedOverPostgres,
] as readonly Scene[];
