import { MAX_STEPS, MAX_TEXT_LENGTH, MAX_VALUES, STEPS_OF_A_TURN } from "./limits.js";
import type { Value } from "./jinja.js";

/** A template asked for more than one rendering may take. */
export class OverBudget extends Error {}

/** What one rendering has taken; a template is somebody else's program. */
export class Budget {
  #steps = 0;
  /** How many values a list or an object holds; only those that cannot change are remembered. */
  readonly #sizes = new WeakMap<object, number>();

  /**
   * Counts a step and what it made.
   * @param loops over the value, which takes steps for each that it holds
   * @throws OverBudget
   */
  spend(value: Value, loops = false): Value {
    const known = this.#sizes.has(value);
    const size = value.type === "StringValue" ? (value.value as string).length : this.#size(value).count;
    if (value.type === "StringValue" && size > MAX_TEXT_LENGTH)
      throw new OverBudget(`a text of ${size} characters, at most ${MAX_TEXT_LENGTH} are made`);
    if (value.type !== "StringValue" && size > MAX_VALUES) throw new OverBudget(`a value that holds more than ${MAX_VALUES} others`);
    this.#steps += 1 + (loops ? STEPS_OF_A_TURN * size : known ? 0 : size >> 6);
    if (this.#steps > MAX_STEPS) throw new OverBudget(`more than ${MAX_STEPS} steps`);
    return value;
  }

  #size(value: Value): { count: number; fixed: boolean } {
    const held = value.value as unknown;
    if (typeof held !== "object" || held === null) return { count: 1, fixed: true };
    const known = this.#sizes.get(value);
    if (known !== undefined) return { count: known, fixed: true };
    let count = 1;
    let fixed = value.type !== "NamespaceValue";
    for (const one of (held as Value[] | Map<string, Value>).values()) {
      const inner = this.#size(one);
      count += inner.count;
      fixed &&= inner.fixed;
      if (count > MAX_VALUES) break;
    }
    if (fixed) this.#sizes.set(value, count);
    return { count, fixed };
  }
}
