import type { Device, LongCallOptions, Tensor } from "@weft/tensor-core";
import type { Objective } from "../objectives/objective.js";
import type { TrainingData } from "./batch.js";
import type { Settings, TrainingArguments } from "./options.js";
import type { StepRecord, TrainingPosition } from "./record.js";
import type { RecordedSettings } from "./recorded-settings.js";
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
  /** What the method has learnt besides its parameters: AdaLoRA's averages; without it they begin anew. */
  readonly method?: ReadonlyMap<string, Tensor>;
  /** The settings that decide what is computed, as they were; undefined: they are not known, and not compared. */
  readonly recorded?: RecordedSettings | undefined;
}

/** Everything that a checkpoint has to hold. Tensors are valid until the next step. */
export interface Snapshot extends Resume {
  readonly method: ReadonlyMap<string, Tensor>;
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
  /** Whatever else decides what is computed (how data were made, the base): recorded in checkpoints as JSON, and compared when a training goes on. */
  readonly recordedSettings?: RecordedSettings;
  /** Goes on from a checkpoint with other settings than it was made with; refused if not given. */
  readonly allowChangedSettings?: boolean;
  /** Called with each record before it is handed on. */
  readonly onStep?: (record: StepRecord) => void;
}
