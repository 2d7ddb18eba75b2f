import { ConfigError, type Device } from "@weft/tensor-core";
import type { OpenedDocument, Source } from "../../protocol/values.js";
import type { Refused } from "../../protocol/answers.js";
import { failureOf } from "../failure.js";
import { groupFiles, type PutFile } from "./group-files.js";
import { openAdapterFiles } from "./open-adapter-files.js";
import { openData } from "./open-data.js";
import { openModelFiles } from "./open-model-files.js";
import type { OnReading, OpenAdapter, OpenData, OpenModel } from "./opened.js";
import { openTinyDocuments, TINY_DATA, TINY_MODEL } from "./open-tiny.js";

/** What opening has come to. */
export interface OpeningResult {
  readonly opened: string[];
  readonly refused: Refused[];
}

/** What has been opened, by ids that are made of what files hold. */
export class Documents {
  private readonly models = new Map<string, OpenModel>();
  private readonly data = new Map<string, OpenData>();
  private readonly adapters = new Map<string, OpenAdapter>();
  private readonly tinyHome: { readonly home?: URL };

  /** @param tinyHome as of the engine's host */
  constructor(tinyHome: URL | undefined) {
    this.tinyHome = tinyHome ? { home: tinyHome } : {};
  }

  list(): OpenedDocument[] {
    return [...this.models.values(), ...this.data.values(), ...this.adapters.values()].map(({ document }) => document);
  }

  /** The model that comes with the studio, and its text. */
  async openTiny(device: Device): Promise<OpeningResult> {
    if (!this.models.has(TINY_MODEL) || !this.data.has(TINY_DATA)) {
      const [model, data] = await openTinyDocuments(device, this.tinyHome);
      this.models.set(TINY_MODEL, this.models.get(TINY_MODEL) ?? model);
      this.data.set(TINY_DATA, data);
    }
    return { opened: [TINY_MODEL, TINY_DATA], refused: [] };
  }

  /** Opens what files hold, one thing after the other; what cannot be opened is told, and keeps nothing else away. */
  async openFiles(files: readonly PutFile[], device: Device, onReading: OnReading): Promise<OpeningResult> {
    const result: OpeningResult = { opened: [], refused: [] };
    for (const group of groupFiles(files)) {
      try {
        if (group.kind === "unknown") throw new ConfigError(group.why, { kind: "no-match", hint: group.hint });
        if (group.kind === "model" || group.kind === "gguf") this.keep(this.models, await openModelFiles(group, device, onReading), result);
        else if (group.kind === "adapter") this.keep(this.adapters, await openAdapterFiles(group), result);
        else this.keep(this.data, await openData(group.name, group.files.get(group.name)!), result);
      } catch (error) {
        result.refused.push({ name: group.name, failure: failureOf(error) });
      }
    }
    return result;
  }

  /** Lets go of a document. */
  close(id: string): void {
    for (const all of [this.models, this.data, this.adapters]) all.delete(id);
  }

  allModels(): readonly OpenModel[] {
    return [...this.models.values()];
  }

  /** @throws ConfigError kind `no-match` */
  document(id: string): OpenModel | OpenData | OpenAdapter {
    return this.models.get(id) ?? this.data.get(id) ?? this.adapters.get(id) ?? notOpen(id);
  }

  /** Model and data of a source; the tiny ones are opened if they are asked for. @throws ConfigError kind `no-match`: it has to be opened again */
  async of(source: Source, device: Device): Promise<{ readonly model: OpenModel; readonly data: OpenData }> {
    const [model, data] =
      "tiny" in source
        ? [
            { id: TINY_MODEL, name: TINY_MODEL },
            { id: TINY_DATA, name: TINY_DATA },
          ]
        : [source.model, source.data];
    const isTiny = model.id === TINY_MODEL || data.id === TINY_DATA;
    if (isTiny && !(this.models.has(model.id) && this.data.has(data.id))) await this.openTiny(device);
    return { model: this.models.get(model.id) ?? notOpen(model.name), data: this.data.get(data.id) ?? notOpen(data.name) };
  }

  private keep<T extends { readonly document: OpenedDocument }>(all: Map<string, T>, one: T, { opened }: OpeningResult): void {
    const { id } = one.document;
    if (!all.has(id)) all.set(id, one);
    opened.push(id);
  }
}

function notOpen(name: string): never {
  throw new ConfigError(`${name} is not open`, { kind: "no-match", hint: `Open ${name} again to go on.` });
}
