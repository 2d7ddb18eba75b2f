import type { Device } from "@weft/tensor-core";
import type { RunStore } from "../store/run-store.js";
import type { EngineEvent } from "../protocol/events.js";

/** What the engine needs of the place that it runs in: a worker of a page, or a process of Node. */
export interface EngineHost {
  openDevice(): Promise<Device>;
  /** Whether memory can be shared among threads. */
  readonly isolated: boolean;
  /** Where runs are kept; undefined where nothing can be. */
  readonly store: RunStore | undefined;
  /** Where the tiny models and their texts were copied to, of a program that a bundler has made one file of. */
  readonly tinyHome?: URL;
  /** Takes an event. */
  emit(event: EngineEvent): void;
}
