import type { StoreAddress } from "../fault.ts";
import { openStore } from "../open-store.ts";
import { startApplication } from "./application.ts";

/* The application in a process of its own, whose clock somebody else sets. */

console.error = () => {};
process.once("message", async (address: StoreAddress) => {
  const { url } = await startApplication({ open: () => openStore(address) });
  process.send!(url);
});
process.once("disconnect", () => process.exit());
