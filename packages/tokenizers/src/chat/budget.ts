import { CHARACTERS_OF_A_STEP, MAX_STEPS, MAX_TEXT_LENGTH, MAX_VALUES, STEPS_OF_A_TURN } from "./limits.js";
import type { Value } from "./jinja.js";

/** A template asked for more than one rendering may take. */
export class OverBudget extends Error {}

/** Values that a list or an object holds itself. */
const heldBy = ({ value }: Value): number => (Array.isArray(value) ? value.length : value instanceof Map ? value.size : 0);

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
    if (value.type === "StringValue") {
      const { length } = value.value as string;
      if (length > MAX_TEXT_LENGTH) throw new OverBudget(`a text of ${length} characters, at most ${MAX_TEXT_LENGTH} are made`);
      this.#steps += 1 + Math.floor(length / CHARACTERS_OF_A_STEP);
    } else {
      // What is there already costs nothing to name.
      const made = this.#sizes.has(value) ? 0 : heldBy(value);
      if (this.#size(value).count > MAX_VALUES) throw new OverBudget(`a value that holds more than ${MAX_VALUES} others`);
      this.#steps += 1 + (loops ? STEPS_OF_A_TURN * heldBy(value) : made);
    }
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
