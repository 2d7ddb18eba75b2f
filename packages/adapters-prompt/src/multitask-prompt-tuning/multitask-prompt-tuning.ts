import { ConfigError, gather, integer, matmul, mean, mul, oneOf, type Params, rows } from "@weft/tensor-core";
import {
  EMBEDDING,
  embeddingOf,
  MAX_SIZE,
  PROMPT,
  type PromptConfigFields,
  type PromptMethod,
  size,
  text,
  totalTokens,
} from "@weft/tensor-core/prompt";
import { checkInit, INIT_FIELDS, startEmbedding } from "../prompt-tuning/prompt-tuning.js";

const SOURCE_INITS = ["AVERAGE_SOURCE_TASKS", "EXACT_SOURCE_TASK", "ONLY_SOURCE_SHARED"] as const;

/** PEFT's `MultitaskPromptTuningConfig`. */
export interface MultitaskPromptTuningConfigFields extends PromptConfigFields {
  readonly promptTuningInit: "TEXT" | "RANDOM" | (typeof SOURCE_INITS)[number];
  readonly promptTuningInitText: string | null;
  readonly tokenizerNameOrPath: string | null;
  readonly tokenizerKwargs: object | null;
  readonly promptTuningInitStateDictPath: string | null;
  readonly promptTuningInitTask: number;
  readonly numRanks: number;
  readonly numTasks: number;
}

const [COLUMNS, ROWS] = ["prefix_task_cols", "prefix_task_rows"] as const;

function shapes(config: MultitaskPromptTuningConfigFields): { cols: number[]; rows: number[] } {
  const { numTasks, numRanks, tokenDim } = config;
  return { cols: [numTasks, totalTokens(config), numRanks], rows: [numTasks, numRanks, tokenDim] };
}

/** The part of a source's matrices that the init asks for, one task. */
function fromSource({ promptTuningInit: init, promptTuningInitTask: task }: MultitaskPromptTuningConfigFields, saved: Params): Params {
  if (init === "ONLY_SOURCE_SHARED") return {};
  const pick = (name: string): Params[string] => {
    const all = saved[name]!;
    return init === "EXACT_SOURCE_TASK" ? rows(all, task, task + 1) : mean(all, { axes: [0], keepDims: true });
  };
  return { [COLUMNS]: pick(COLUMNS), [ROWS]: pick(ROWS) };
}

/**
 * Multitask prompt tuning (Wang et al. 2023): one prompt for all tasks, times a low-rank matrix of the row's task: P ⊙ (cols_t · rows_t).
 * @see peft `tuners/multitask_prompt_tuning/model.py`
 */
export const MULTITASK_PROMPT_TUNING: PromptMethod<MultitaskPromptTuningConfigFields> = {
  name: "MULTITASK_PROMPT_TUNING",
  kind: "embeddings",
  takesTasks: true,
  fields: {
    ...INIT_FIELDS,
    prompt_tuning_init: oneOf("RANDOM", ["TEXT", "RANDOM", ...SOURCE_INITS]),
    prompt_tuning_init_state_dict_path: text(),
    prompt_tuning_init_task: integer(0, 0, MAX_SIZE),
    num_ranks: size(1),
    num_tasks: size(1),
  },
  resolve(values) {
    checkInit(values);
    return {};
  },
  parameters(config) {
    const { cols, rows: rowShape } = shapes(config);
    const small = { init: { kind: "normal", std: 0.02 }, trainable: true } as const;
    return {
      [EMBEDDING]: embeddingOf(totalTokens(config), config.tokenDim),
      [COLUMNS]: { shape: cols, ...small },
      [ROWS]: { shape: rowShape, ...small },
    };
  },
  async start(drawn, config, generator, source) {
    const started = await startEmbedding(drawn, config, generator, source);
    if (!SOURCE_INITS.some((init) => init === config.promptTuningInit)) return started;
    const { saved } = source;
    if (!saved)
      throw new ConfigError(`prompt_tuning_init "${config.promptTuningInit}" takes the tensors of a prompt trained before`, {
        hint: "give them as saved",
      });
    const taken: Params = { [EMBEDDING]: saved[PROMPT]!, ...fromSource(config, saved) };
    for (const [name, value] of Object.entries(taken)) {
      const { shape } = drawn[name]!;
      if (value?.shape.join() !== shape.join())
        throw new ConfigError(`${name}: the source gives ${value ? `[${value.shape}]` : "nothing"}, the config asks for [${shape}]`, {
          hint: "a prompt started from one task, or from the average of tasks, has num_tasks 1",
        });
    }
    return { ...started, ...taken };
  },
  encode: (params) => ({ [PROMPT]: params[EMBEDDING]!, [COLUMNS]: params[COLUMNS]!, [ROWS]: params[ROWS]! }),
  saved: (config) => ({
    [PROMPT]: [totalTokens(config), config.tokenDim],
    [COLUMNS]: shapes(config).cols,
    [ROWS]: shapes(config).rows,
  }),
  restore: (saved) => ({ [EMBEDDING]: saved[PROMPT]!, [COLUMNS]: saved[COLUMNS]!, [ROWS]: saved[ROWS]! }),
  prompt(saved, _, tasks) {
    if (!tasks) throw new ConfigError("MULTITASK_PROMPT_TUNING needs the task of each row", { hint: "give tasks, i32 [batch]" });
    return mul(saved[PROMPT]!, matmul(gather(saved[COLUMNS]!, tasks), gather(saved[ROWS]!, tasks)));
  },
};
