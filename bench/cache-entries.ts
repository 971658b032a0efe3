import { cachedStore, memoryStore, type SessionStore } from "sojourn";
import { type DjangoCacheCodecOptions, djangoCacheEntries, djangoCodec } from "sojourn/django";

/*
 * `npm run bench:cached`: CPU of a warm read and of a write of a `cachedStore`, over memory,
 * with entries of our own and with those that Django shares. In turns, the best of seven.
 */

const KEY = "k3y0fas3ss10nk3y0fas3ss10nk3y0fa";
const expiresAt = new Date(8e15);
const codec = djangoCodec({ secretKey: "a secret key of a benchmark, long enough for the codec" });

const user = {
  _auth_user_id: "123456",
  _auth_user_backend: "django.contrib.auth.backends.ModelBackend",
  _auth_user_hash: "5b497497369563e142b55fc12040cbcbb97d48906e373a6d6023f55872467c3f",
  lang: "en",
};
const cart = (length: number) => Array.from({ length }, (_, n) => ({ sku: `A-${n}-${(n * 7919) % 10007}`, n }));
const DATA = { "300 bytes": { ...user, cart: cart(2) }, "2 KB": { ...user, cart: cart(60) } };

const FORMATS: Readonly<Record<string, DjangoCacheCodecOptions | undefined>> = {
  "our own": undefined,
  pickle: { serializer: "pickle" },
  "pickle and zlib": { serializer: "pickle", protocol: 4, compressor: "zlib" },
  JSON: { serializer: "json" },
};

/** Microseconds of one call. */
async function cpu(calls: number, call: (n: number) => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  for (let n = 0; n < calls; n++) await call(n);
  const { user: own, system } = process.cpuUsage(before);
  return (own + system) / calls;
}

console.log("| data | entries | read, µs CPU | write, µs CPU |\n|---|---|---|---|");
for (const [size, data] of Object.entries(DATA)) {
  const payloads = [0, 1].map((n) => codec.encode({ ...data, n }, new Date()));
  const best = new Map<SessionStore, { name: string; read: number; write: number }>();
  for (const [name, format] of Object.entries(FORMATS)) {
    const entries = format && djangoCacheEntries({ codec, format });
    const store = cachedStore(memoryStore(), memoryStore(), { entries });
    await store.create(KEY, { payload: payloads[0]!, expiresAt });
    best.set(store, { name, read: Infinity, write: Infinity });
  }
  for (let round = 0; round < 7; round++) {
    for (const [store, times] of best) {
      const write = (n: number) => store.update(KEY, { payload: payloads[(n + 1) % 2]!, expiresAt }, payloads[n % 2]!);
      times.read = Math.min(times.read, await cpu(5000, () => store.load(KEY)));
      times.write = Math.min(times.write, await cpu(1000, write));
    }
  }
  for (const { name, read, write } of best.values()) {
    console.log(`| ${size} | ${name} | ${read.toFixed(1)} | ${write.toFixed(1)} |`);
  }
}
