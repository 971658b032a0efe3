import { describe, test } from "node:test";
import { memoryStore } from "../../src/stores/memory.ts";
import { storeSuite } from "../../src/testing/index.ts";

describe("the memory store", () => {
  storeSuite(test, ({ now }) => memoryStore({ now }), { binary: true });
});
