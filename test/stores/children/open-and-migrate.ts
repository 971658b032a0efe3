import { connect } from "../../../src/connect.ts";
import { told } from "./process.ts";

/* Opens a file that others open too, makes the table, and writes one session. */

const [path, key] = process.argv.slice(2) as [string, string];
await told();
const store = await connect(`sqlite:${path}`);
await store.migrate();
await store.create(key, { payload: key, expiresAt: new Date(8e15) });
await store.close();
