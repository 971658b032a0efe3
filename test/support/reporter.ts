import { relative } from "node:path";
import type { TestEvent } from "node:test/reporters";

/** Prints each test's name under its suites, and the counts as the last line. */
export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  let [passed, failed, skipped] = [0, 0, 0];
  const failures: string[] = [];
  for await (const { type, data } of events) {
    if (type === "test:stderr" || type === "test:stdout") yield data.message;
    if (type !== "test:pass" && type !== "test:fail") continue;
    const indent = "  ".repeat(data.nesting);
    const details = data.details as { type?: string; error?: Error & { failureType?: string; cause?: unknown } };
    // A file, and a suite, is no test of its own; unless it failed for another reason than its tests, such as a hook.
    const isFile = data.nesting === 0 && data.name === data.file;
    if ((details.type === "suite" || isFile) && type === "test:pass") continue;
    if (details.error?.failureType === "subtestsFailed") continue;
    if (data.skip !== undefined || data.todo !== undefined) {
      skipped++;
      yield `${indent}- ${data.name} (skipped: ${data.skip || data.todo})\n`;
    } else if (type === "test:pass") {
      passed++;
      yield `${indent}✓ ${data.name}\n`;
    } else {
      failed++;
      const cause = details.error?.cause ?? details.error;
      failures.push(`✗ ${data.name} (${relative(process.cwd(), data.file ?? "")})\n${indentText(describe(cause))}\n`);
      yield `${indent}✗ ${data.name}\n`;
    }
  }
  if (failures.length > 0) yield `\n${failures.join("\n")}`;
  yield `\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}\n`;
}

function describe(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}

function indentText(text: string): string {
  return text.replace(/^/gm, "    ");
}
