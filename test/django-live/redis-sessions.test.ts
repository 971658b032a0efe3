import { describe } from "node:test";
import { startRedis } from "../support/servers/redis.ts";
import { bytes } from "./bytes.ts";
import { concurrency } from "./concurrency.ts";
import { shortLives } from "./expiry.ts";
import { bothSides, type Project } from "./pair.ts";
import { roundTrips } from "./round-trips.ts";

const redis = await startRedis();

const project: Project = {
  version: "3.2",
  format: "json",
  settings: {
    SESSION_ENGINE: "redis_sessions.session",
    SESSION_REDIS: { host: "127.0.0.1", port: redis.port, db: 3, prefix: "session", socket_timeout: 5 },
  },
};

describe("redis_sessions, Django 3.2", () => {
  const pair = bothSides(project);
  roundTrips(pair, project);
  bytes(pair, project);
  concurrency(pair, "brings the session back");
  shortLives(pair);
});
