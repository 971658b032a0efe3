import { connect } from "../../../src/connect.ts";
import { createSessions } from "../../../src/core/sessions.ts";
import { djangoCodec } from "../../../src/django/codec.ts";
import { storeEngine } from "../../../src/engines/store-engine.ts";
import { told } from "./process.ts";

/* Serves parallel requests of one session; each sets a key of its own, and counts itself. */

const [path, secretKey, token, name, count] = process.argv.slice(2) as [string, string, string, string, string];
const store = await connect(`sqlite:${path}`);
const sessions = createSessions(storeEngine(store, djangoCodec({ secretKey })));
await told();
await Promise.all(
  Array.from({ length: Number(count) }, async (_, n) => {
    const request = sessions.open(`sessionid=${token}`);
    const session = await request.session();
    session.set(`${name}.${n}`, n);
    await request.commit(200);
    await sessions.transact(token, (newest) => newest.set("count", (newest.get("count", 0) as number) + 1));
  }),
);
await store.close();
