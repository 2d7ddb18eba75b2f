import type { OpenedAdapter } from "@weft/adapter-files";
import type { TextFiles } from "@weft/fine-tuning";
import type { CausalLM } from "@weft/models";
import type { Inspection } from "../../protocol/answers.js";
import type { AdapterDocument, DataDocument, ModelDocument } from "../../protocol/values.js";

/** What stands in a file's header of a tensor. */
export type StoredTensor = Inspection["tensors"][number];

/** A model that can be trained and asked. */
export interface OpenModel {
  readonly document: ModelDocument;
  readonly base: CausalLM;
  readonly files: TextFiles;
  readonly tensors: readonly StoredTensor[];
}

/** Data to train on; tokens depend on model and settings. */
export interface OpenData {
  readonly document: DataDocument;
  readonly name: string;
  readonly content: Blob;
}

/** An adapter that was trained somewhere. */
export interface OpenAdapter {
  readonly document: AdapterDocument;
  readonly adapter: OpenedAdapter;
  readonly tensors: readonly StoredTensor[];
}

/** Told how much of a file was read. */
export type OnReading = (name: string, done: number, total: number) => void;
