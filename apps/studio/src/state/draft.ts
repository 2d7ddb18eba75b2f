import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Config, DataDocument, ModelDocument, OpenedDocument, Source } from "../protocol/values.js";

const PEFT = "peft.";

/** What the next training is set to: model, data and settings under the names of `weft train`'s file. */
export class Draft {
  /** Ids of what was chosen. */
  readonly model: Signal<string | undefined> = signal(undefined);
  readonly data: Signal<string | undefined> = signal(undefined);
  readonly config: Signal<Config> = signal({});
  /** Whether it is shown where a run was. */
  readonly isShown: Signal<boolean> = signal(false);
  readonly models: ReadonlySignal<readonly ModelDocument[]>;
  readonly datasets: ReadonlySignal<readonly DataDocument[]>;
  /** Undefined until both are chosen. */
  readonly source: ReadonlySignal<Source | undefined>;

  constructor(documents: ReadonlySignal<readonly OpenedDocument[]>) {
    this.models = computed(() => documents.value.filter((one) => one.kind === "model"));
    this.datasets = computed(() => documents.value.filter((one) => one.kind === "data"));
    this.source = computed(() => {
      const model = this.models.value.find(({ id }) => id === this.model.value) ?? this.models.value.at(-1);
      const data = this.datasets.value.find(({ id }) => id === this.data.value) ?? this.datasets.value.at(-1);
      return model && data && { model: { id: model.id, name: model.name }, data: { id: data.id, name: data.name } };
    });
  }

  /** The value of a setting, undefined where none is given. */
  get(name: string): unknown {
    return name.startsWith(PEFT) ? this.peft()[name.slice(PEFT.length)] : this.config.value[name];
  }

  /** Sets a setting, or takes it back if the value is undefined. */
  set(name: string, value: unknown): void {
    const inPeft = name.startsWith(PEFT);
    const field = inPeft ? name.slice(PEFT.length) : name;
    const { [field]: _before, ...rest } = inPeft ? this.peft() : this.config.value;
    const changed = value === undefined ? rest : { ...rest, [field]: value };
    this.config.value = inPeft ? { ...this.config.value, peft: changed } : changed;
  }

  private peft(): Config {
    return (this.config.value["peft"] ?? {}) as Config;
  }
}
