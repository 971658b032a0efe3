export {
  type AdapterAnswer,
  type AdapterHandler,
  type AdapterHandlers,
  type AdapterServer,
  adapterSuite,
  type ServeAdapter,
} from "./adapter-suite.ts";
export { type CodecSuiteOptions, codecSuite } from "./codec-suite.ts";
export { type ClosableEngine, type EngineMaker, type EngineSuiteOptions, engineSuite } from "./engine-suite.ts";
export {
  type ClosableStore,
  type StoreMaker,
  type StoreSuiteOptions,
  storeSuite,
  type TestFunction,
} from "./store-suite.ts";
