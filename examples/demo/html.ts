/** A symbol, so that nothing that came out of a session or a request can pass for markup. */
const markup = Symbol("markup");

/** Markup that is safe to send. Made by `html` and `trusted` only. */
export interface Html {
  readonly [markup]: string;
}

export type HtmlPart = Html | string | number | null | readonly HtmlPart[];

/**
 * Markup with values in it, every one escaped unless it is markup itself. Attributes must be in double quotes.
 *
 * @example html`<p title="${title}">${text}</p>`
 */
export function html(strings: TemplateStringsArray, ...parts: readonly HtmlPart[]): Html {
  let text = strings[0]!;
  for (const [index, part] of parts.entries()) text += write(part) + strings[index + 1]!;
  return trusted(text);
}

/** For text that the demo brings itself, such as its style sheet. */
export function trusted(text: string): Html {
  return { [markup]: text };
}

/** The text to send. */
export function toText(part: Html): string {
  return part[markup];
}

function write(part: HtmlPart): string {
  if (part === null) return "";
  if (Array.isArray(part)) return part.map(write).join("");
  return typeof part === "object" ? (part as Html)[markup] : escaped(String(part));
}

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (char) => ENTITIES[char]!);
}
