import { connect } from "../../../src/connect.ts";
import { SessionError } from "../../../src/core/errors.ts";
import { createSessions } from "../../../src/core/sessions.ts";
import { djangoCodec } from "../../../src/django/codec.ts";
import { storeEngine } from "../../../src/engines/store-engine.ts";
import { told } from "./process.ts";

/* Serves parallel requests of one session; each sets a key of its own, and counts itself. */

const [path, secretKey, token, name, count] = process.argv.slice(2) as [string, string, string, string, string];
const store = await connect(`sqlite:${path}`);
const sessions = createSessions(storeEngine(store, djangoCodec({ secretKey })));

/** As a client does that was answered 503 with Retry-After: what was not acknowledged is tried again. */
async function untilAcknowledged(request: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await request();
      return;
    } catch (error) {
      if (!(error instanceof SessionError && error.status === 503)) throw error;
    }
  }
}

async function set(n: number): Promise<void> {
  const request = sessions.open(`sessionid=${token}`);
  const session = await request.session();
  session.set(`${name}.${n}`, n);
  await request.commit(200);
}

const countOne = () =>
  sessions.transact(token, (session) => session.set("count", (session.get("count", 0) as number) + 1));

await told();
await Promise.all(
  Array.from({ length: Number(count) }, async (_, n) => {
    await untilAcknowledged(() => set(n));
    await untilAcknowledged(countOne);
  }),
);
await store.close();
