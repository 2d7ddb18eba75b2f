import type { Device } from "@weft/tensor-core";
import type { Answer, Command, CommandType } from "../../protocol/commands.js";
import type { Documents } from "../documents/documents.js";
import type { EventLog } from "../event-log.js";
import type { EncodedExamples } from "../examples.js";
import type { EngineHost } from "../host.js";
import type { Runs } from "../runs/runs.js";
import type { Turns } from "../turns.js";

/** What commands work on. */
export interface CommandContext {
  readonly host: EngineHost;
  readonly log: EventLog;
  readonly turns: Turns;
  readonly documents: Documents;
  readonly examples: EncodedExamples;
  readonly runs: Runs;
  /** Files that were put, by their ids. */
  readonly files: Map<string, Blob>;
  device(): Promise<Device>;
}

/** Does what a command asks for, and answers. */
export type Handler<T extends CommandType> = (
  command: Extract<Command, { type: T }>,
  context: CommandContext,
) => Promise<Answer<T>> | Answer<T>;
