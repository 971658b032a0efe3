import { Database } from "../database.ts";
import { told } from "./process.ts";

/* Writes to a file without end, until it is told to stop. */

const database = new Database(process.argv[2]!);
database.exec("BEGIN IMMEDIATE");
await told();
database.exec("COMMIT");
