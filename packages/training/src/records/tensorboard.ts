import type { StepRecord } from "../train/record.js";

/** What TensorBoard shows of a step. */
export interface TensorBoardEvent {
  /** Seconds since 1970. */
  readonly wallTime: number;
  readonly step: number;
  /** Numbers by tag. */
  readonly scalars?: { readonly [tag: string]: number };
  /** Texts by tag. */
  readonly texts?: { readonly [tag: string]: string };
}

/** A step under the tags of transformers' `TensorBoardCallback`: `train/loss`, `train/grad_norm`, `train/learning_rate`, `train/epoch`, `eval/loss`; samples as `samples/0` … */
export function tensorBoardEvent(record: StepRecord, wallTime: number): TensorBoardEvent {
  const { step, epoch, loss, learningRate, gradNorm, evaluation, samples = [] } = record;
  return {
    wallTime,
    step,
    scalars: {
      "train/loss": loss,
      "train/grad_norm": gradNorm,
      "train/learning_rate": learningRate,
      "train/epoch": epoch,
      ...(evaluation && { "eval/loss": evaluation.loss }),
    },
    texts: Object.fromEntries(samples.map((text, i) => [`samples/${i}`, text])),
  };
}

/** The beginning of an event file. TensorBoard then forgets what other files of the folder have from `step` on: a training that goes on makes these steps again. */
export function tensorBoardStart(step: number, wallTime: number): Uint8Array {
  const version = [...double(1, wallTime), ...text(3, "brain.Event:2")];
  const start = [...double(1, wallTime), ...varint(2, step), ...bytes(7, varint(1, START))];
  return Uint8Array.from([...record(version), ...record(start)]);
}

/**
 * An event as event files hold it, to be appended: a TFRecord (length, masked CRC-32C of it, data, masked CRC-32C of it) with a protocol buffer `Event`.
 * @see tensorflow `core/util/event.proto`, `core/framework/summary.proto`; https://www.tensorflow.org/tutorials/load_data/tfrecord
 */
export function encodeTensorBoardEvent({ wallTime, step, scalars = {}, texts = {} }: TensorBoardEvent): Uint8Array {
  const values = [
    ...Object.entries(scalars).map(([tag, value]) => [...text(1, tag), ...float(2, value)]),
    ...Object.entries(texts).map(([tag, value]) => {
      const tensor = [...varint(1, DT_STRING), ...bytes(2, []), ...text(8, value)];
      return [...text(1, tag), ...bytes(8, tensor), ...bytes(9, bytes(1, text(1, "text")))];
    }),
  ];
  const summary = values.flatMap((value) => bytes(1, value));
  return Uint8Array.from(record([...double(1, wallTime), ...varint(2, step), ...bytes(5, summary)]));
}

/** `SessionLog.START` */
const START = 1;
/** The dtype of texts in a `TensorProto`. */
const DT_STRING = 7;

const variable = (value: number): number[] => {
  const out: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) out.push((value % 128) | 128);
  return [...out, value];
};
const varint = (field: number, value: number): number[] => [field << 3, ...variable(value)];
const bytes = (field: number, value: readonly number[]): number[] => [(field << 3) | 2, ...variable(value.length), ...value];
const text = (field: number, value: string): number[] => bytes(field, [...new TextEncoder().encode(value)]);
const double = (field: number, value: number): number[] => [(field << 3) | 1, ...new Uint8Array(Float64Array.of(value).buffer)];
const float = (field: number, value: number): number[] => [(field << 3) | 5, ...new Uint8Array(Float32Array.of(value).buffer)];
const word = (value: number): number[] => [...new Uint8Array(Uint32Array.of(value).buffer)];

function record(data: readonly number[]): number[] {
  const length = [...word(data.length), ...word(0)];
  return [...length, ...word(masked(length)), ...data, ...word(masked(data))];
}

/** CRC-32C (Castagnoli), turned by 15 bits and moved, as TFRecord stores it. */
function masked(data: readonly number[]): number {
  let crc = ~0;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  crc = ~crc;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
