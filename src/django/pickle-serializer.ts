import { dumpPickle, toNode } from "./pickle/dump.ts";
import { toValue } from "./pickle/load.ts";
import { isNode } from "./pickle/node.ts";
import { readPickle } from "./pickle/reader.ts";
import type { DjangoSerializer } from "./serializers.ts";

/**
 * Pickles of plain data, as Django's PickleSerializer and caches write them. They cannot run code: see
 * docs/decisions/0009-pickle-values.md.
 *
 * @param protocol of what is written; all are read. Default 5, the highest, which PickleSerializer writes
 * @example djangoCodec({ secretKey, serializer: pickleSerializer() })
 */
export function pickleSerializer(protocol: 4 | 5 = 5): DjangoSerializer {
  return {
    dumps: (data, origin) => dumpPickle(data, protocol, origin),
    loads(bytes) {
      const root = readPickle(bytes);
      // Not what only looks like a dict in JavaScript, such as a set.
      if (!isNode(root, "dict") && !isNode(root, "OrderedDict")) throw new SyntaxError("holds no dict");
      return toValue(root);
    },
    assertValue: (value, path) => void toNode({ [path]: value }),
  };
}
