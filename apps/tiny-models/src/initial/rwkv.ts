import type { ConfigJson } from "@weft/models";
import type { TorchGenerator } from "@weft/tensor-core";
import { along, filled, type InitialParameters, kaiming, normal } from "./draw.js";

/** What `config.json` says of shapes. */
interface Sizes {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly intermediate_size: number;
}

/**
 * Decays and mixing as transformers spreads them over layers and channels, `time_first` as RWKV's author has it (log 0.3 and a zigzag); matrices that write into the
 * residual stream begin at 0. @see transformers `models/rwkv/modeling_rwkv.py`
 */
export function initialRwkv(config: ConfigJson, generator: TorchGenerator): InitialParameters {
  const { vocab_size: vocab, hidden_size: hidden, num_hidden_layers: layers, intermediate_size: inner } = config as unknown as Sizes;
  const made: InitialParameters = new Map([["rwkv.embeddings.weight", normal(generator, [vocab, hidden], 0.02)]]);
  const norm = (name: string): void => void made.set(`${name}.weight`, filled([hidden], 1)).set(`${name}.bias`, filled([hidden], 0));
  for (let i = 0; i < layers; i++) {
    const block = `rwkv.blocks.${i}`;
    const [depth, rest] = [i / (layers - 1), 1 - i / layers];
    if (i === 0) norm(`${block}.pre_ln`);
    for (const name of ["ln1", "ln2"]) norm(`${block}.${name}`);
    const mix = (name: string, power: number, more = 0): void =>
      void made.set(
        `${block}.${name}`,
        along([1, 1, hidden], (c) => (c / hidden) ** power + more),
      );
    made.set(
      `${block}.attention.time_decay`,
      along([hidden], (c) => -5 + 8 * (c / (hidden - 1)) ** (0.7 + 1.3 * depth)),
    );
    made.set(
      `${block}.attention.time_first`,
      along([hidden], (c) => Math.log(0.3) + 0.5 * (((c + 1) % 3) - 1)),
    );
    mix("attention.time_mix_key", rest);
    mix("attention.time_mix_value", rest, 0.3 * depth);
    mix("attention.time_mix_receptance", rest / 2);
    mix("feed_forward.time_mix_key", rest);
    mix("feed_forward.time_mix_receptance", rest);
    for (const name of ["key", "value", "receptance"]) made.set(`${block}.attention.${name}.weight`, kaiming(generator, [hidden, hidden]));
    made.set(`${block}.attention.output.weight`, filled([hidden, hidden], 0));
    made.set(`${block}.feed_forward.key.weight`, kaiming(generator, [inner, hidden]));
    made.set(`${block}.feed_forward.receptance.weight`, kaiming(generator, [hidden, hidden]));
    made.set(`${block}.feed_forward.value.weight`, filled([hidden, inner], 0));
  }
  norm("rwkv.ln_out");
  return made;
}
