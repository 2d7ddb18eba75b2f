import type { Device, LongCallOptions, Tensor } from "@weft/tensor-core";
import type { Objective } from "../objectives/objective.js";
import type { TrainingData } from "./batch.js";
import type { Settings, TrainingArguments } from "./options.js";
import type { StepRecord, TrainingPosition } from "./record.js";
import type { Trainee } from "./trainee.js";

/** Where a training goes on from: what a checkpoint holds. */
export interface Resume {
  readonly position: TrainingPosition;
  /** States of the optimiser by `<state>.<parameter>`; without them moments begin anew. */
  readonly optimizer: ReadonlyMap<string, Tensor>;
  /** The parameters themselves, f32, by their names; without them those of the model. */
  readonly parameters: ReadonlyMap<string, Tensor>;
  /** Running averages by the names of parameters. */
  readonly ema: ReadonlyMap<string, Tensor>;
}

/** Everything that a checkpoint has to hold. Tensors are valid until the next step. */
export interface Snapshot extends Resume {
  readonly trainee: Trainee;
  readonly settings: Settings;
}

/** What a training is given besides settings. */
export interface TrainingOptions extends TrainingArguments, Pick<LongCallOptions, "signal"> {
  /** `SFT` if not given. */
  readonly objective?: Objective;
  /** Where it runs; where the model's weights lie if not given. */
  readonly device?: Device;
  readonly evalData?: TrainingData;
  /** Texts of the model as it is after a step. */
  readonly sample?: (step: number) => Promise<readonly string[]> | readonly string[];
  /** Writes a checkpoint, and tells its path. */
  readonly save?: (snapshot: Snapshot) => Promise<string>;
  /** Goes on from a checkpoint, whose parameters the model must have. */
  readonly resume?: Resume | undefined;
  /** Called with each record before it is handed on. */
  readonly onStep?: (record: StepRecord) => void;
}
