import { until } from "../../support/servers/server.ts";
import type { Backend, Scene } from "../fault.ts";
import { openStore } from "../open-store.ts";
import { lasting } from "./lasting.ts";
import { type SmallDisk, smallDisk } from "./small-disk.ts";

interface FileBackend extends Backend {
  readonly server: SmallDisk;
}

async function start(): Promise<FileBackend> {
  const server = smallDisk("64m", 20_000);
  const backend: FileBackend = {
    name: files.name,
    durability: "kill",
    server,
    proxy: undefined,
    url: `file:${server.directory}`,
    open: () => openStore(backend),
    close: async () => server.remove(),
  };
  return backend;
}

function full(name: string, what: "bytes" | "files") {
  return lasting<FileBackend>(name, "writes-fail", async ({ server }) => {
    server.fill(what);
    return () => server.free();
  });
}

const readOnly = lasting<FileBackend>("disk becomes read-only (EROFS)", "writes-fail", async ({ server }) => {
  // Refused while somebody writes.
  await until(async () => {
    server.setReadOnly(true);
    return true;
  }, "the mount");
  return () => server.setReadOnly(false);
});

export const files: Scene<FileBackend> = {
  name: "files",
  backend: start,
  faults: [full("no byte left (ENOSPC)", "bytes"), full("no file left (ENOSPC)", "files"), readOnly],
};
