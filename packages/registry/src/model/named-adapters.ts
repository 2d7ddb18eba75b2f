import { ConfigError } from "@weft/tensor-core";
import type { AdapterState } from "./adapter-state.js";
import { BASE } from "./mixed-batch.js";

/** Adapters by name, and which of them act. */
export class NamedAdapters {
  private readonly states: Map<string, AdapterState>;
  private chosen: readonly string[];

  constructor(states: Map<string, AdapterState> = new Map(), active: readonly string[] = []) {
    this.states = states;
    this.chosen = active;
  }

  get names(): readonly string[] {
    return [...this.states.keys()];
  }

  /** In the order in which they act. */
  get active(): readonly string[] {
    return this.chosen;
  }

  /** @throws ConfigError if several are active, or none */
  get only(): string {
    if (this.active.length !== 1) throw new ConfigError(`${this.active.length} adapters are active: say which one is meant`);
    return this.active[0]!;
  }

  has(name: string): boolean {
    return this.states.has(name);
  }

  /** @throws ConfigError kind `no-such-adapter` */
  get(name: string): AdapterState {
    const found = this.states.get(name);
    if (!found)
      throw new ConfigError(`there is no adapter "${name}"`, {
        kind: "no-such-adapter",
        hint: this.states.size === 0 ? "load or add one first" : `there are ${this.names.join(", ")}`,
      });
    return found;
  }

  /** @throws ConfigError if one is unknown */
  all(names: readonly string[]): AdapterState[] {
    return names.map((name) => this.get(name));
  }

  /** Adds a state or puts it in another's place; the first one becomes active. */
  set(name: string, state: AdapterState, activate: boolean = this.states.size === 0): void {
    this.states.set(name, state);
    if (activate) this.chosen = [name];
  }

  /** @throws ConfigError if one is unknown */
  choose(names: readonly string[]): void {
    this.all(names);
    this.chosen = [...names];
  }

  /** If it was the only active one, the first of the others becomes active. */
  delete(name: string): void {
    this.states.delete(name);
    const rest = this.active.filter((other) => other !== name);
    this.chosen = rest.length > 0 ? rest : this.names.slice(0, 1);
  }

  /** @throws ConfigError if a new adapter cannot have that name */
  assertNew(name: string): void {
    if (name === BASE || name === "" || /[./\\]/.test(name)) throw new ConfigError(`"${name}" cannot be an adapter's name`);
    if (this.has(name))
      throw new ConfigError(`there is an adapter "${name}" already`, { hint: "deleteAdapter() first, or take another name" });
  }

  /** The same adapters, of which others may be chosen; what is added or trained in one is there in both. */
  shared(): NamedAdapters {
    return new NamedAdapters(this.states, this.active);
  }

  /** The same adapters, for now. */
  copy(): NamedAdapters {
    return new NamedAdapters(new Map(this.states), this.active);
  }
}
