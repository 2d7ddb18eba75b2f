import type { Field } from "./fields.js";
import { MAX_COMPONENTS } from "../limits.js";

/** Reads the components that a field may hold, by their `type`; `Sequence` reads others through it. */
export type Reader<T> = (field: Field) => T;

/** A kind of component: how one is read from a file. */
export interface ComponentKind<T> {
  /** The `type` in files. */
  readonly type: string;
  readonly read: (field: Field, inner: Reader<T>) => T;
}

/**
 * Components of one part of a tokenizer, from their table.
 * @param what how messages call them: `normalizer`
 */
export function componentReader<T>(what: string, kinds: readonly ComponentKind<T>[]): Reader<T> {
  const byType = new Map(kinds.map((kind) => [kind.type, kind]));
  return (field) => {
    let count = 0;
    const read: Reader<T> = (one) => {
      if (++count > MAX_COMPONENTS) throw one.error(`more than ${MAX_COMPONENTS} components`, "limit");
      const type = one.at("type");
      const kind = byType.get(type.string());
      if (!kind) throw type.error(`there is no ${what} ${JSON.stringify(type.value)}; there are ${[...byType.keys()].join(", ")}`);
      return kind.read(one, read);
    };
    return read(field);
  };
}
