import { SessionError } from "../../core/errors.ts";
import type { DjangoEngine } from "./engine.ts";
import { type SettingsDict, shown, wrong } from "./settings-dict.ts";

/** How `session_data` is written, by name. */
export interface PayloadFormat {
  readonly serializer: "json" | "pickle";
  /** As `DjangoCodecOptions.readLegacy`. */
  readonly readLegacy: boolean;
}

const SERIALIZERS: Readonly<Record<string, PayloadFormat["serializer"]>> = {
  "django.contrib.sessions.serializers.JSONSerializer": "json",
  "django.core.signing.JSONSerializer": "json",
  "django.contrib.sessions.serializers.PickleSerializer": "pickle",
};

/** How a Django of this version writes and reads `session_data`. @param version `null`: the newest */
export function payloadFormat(django: SettingsDict, version: number | null): PayloadFormat {
  const given = django.has("SESSION_SERIALIZER") ? django.value("SESSION_SERIALIZER") : Object.keys(SERIALIZERS)[0];
  if (typeof given !== "string" || !Object.hasOwn(SERIALIZERS, given)) {
    throw wrong("SESSION_SERIALIZER", `${shown(given)} is not supported; use Django's JSONSerializer`);
  }
  const serializer = SERIALIZERS[given]!;
  if (serializer === "pickle" && version !== null && version >= 500) {
    throw wrong("SESSION_SERIALIZER", `${JSON.stringify(given)} is not in Django 5.0 and later (DJANGO_VERSION)`);
  }
  assertHashingAlgorithm(django, version);
  return { serializer, readLegacy: version !== null && version < 400 };
}

/** A setting of Django 3.1 and 3.2. */
function assertHashingAlgorithm(django: SettingsDict, version: number | null): void {
  const algorithm = django.value("DEFAULT_HASHING_ALGORITHM") ?? "sha256";
  if (algorithm === "sha256" || (version !== null && version >= 400)) return;
  throw wrong(
    "DEFAULT_HASHING_ALGORITHM",
    `${shown(algorithm)} makes Django write the format from before 3.1, and read no other: set "sha256" in the project, which still reads what is there`,
  );
}

/**
 * What Django keeps for an instant of `set_expiry`: ISO text since 4.1, `undefined`. Before, a datetime, which only
 * pickles can hold: from JSON it could not read the text. PickleSerializer gets a datetime always: every Django
 * that has it reads that.
 */
export function storedInstant(
  engine: DjangoEngine,
  { serializer }: PayloadFormat,
  version: number | null,
): ((iso: string) => unknown) | undefined {
  const isOld = version !== null && version < 401;
  const isPickled = engine.name === "cache" ? engine.store.format.serializer === "pickle" : serializer === "pickle";
  if (isPickled && (isOld || engine.name !== "cache")) return (iso) => ({ $datetime: iso });
  return isOld ? refuseInstant : undefined;
}

function refuseInstant(): never {
  throw new SessionError(
    "ERR_SESSION_VALUE",
    "Django before 4.1 (DJANGO_VERSION) cannot read an instant from sessions in JSON: give setExpiry a number of seconds.",
  );
}
