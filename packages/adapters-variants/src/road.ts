import {
  add,
  type AdapterContext,
  type AdapterMethod,
  boolean,
  cast,
  type ConfigClass,
  configClass,
  ConfigError,
  concat,
  cos,
  featuresOf,
  type FieldTable,
  forwardBase,
  initParameters,
  integer,
  mul,
  neg,
  oneOf,
  type Params,
  reshape,
  sin,
  slice,
  sub,
  swapLast,
  TARGETING,
  tensor,
  type Tensor,
  torchNormal,
} from "@weft/tensor-core";
import { requireKind, stored, times, trained, wide } from "./define.js";

/** PEFT 0.21.2's `RoadConfig`. @see peft `tuners/road/config.py` */
const FIELDS: FieldTable = {
  ...TARGETING,
  variant: oneOf("road_1", ["road_1", "road_2", "road_4"]),
  group_size: integer(64, 2, 2 ** 31 - 1),
  init_weights: boolean(true),
};

/** The config of a RoAd adapter. */
export interface RoadConfigFields {
  /** Numbers of angles and scales: one per pair of outputs, one per output, two per output. */
  readonly variant: "road_1" | "road_2" | "road_4";
  /** Output i is paired with output i + groupSize/2 of its group. */
  readonly groupSize: number;
  readonly initWeights: boolean;
}

export const RoadConfig: ConfigClass<RoadConfigFields> = configClass("ROAD", FIELDS);

const SHARE = { road_1: 0.5, road_2: 1, road_4: 2 };

/** Halves of each group of the last axis. */
function halves(y: Tensor, group: number): [Tensor, Tensor] {
  const grouped = reshape(y, [...y.shape.slice(0, -1), -1, 2, group / 2]);
  const at = grouped.shape.length - 2;
  const half = (i: number): Tensor => slice(grouped, [...Array<undefined>(at).fill(undefined), [i, i + 1]]);
  return [half(0), half(1)];
}

/** The factors [out] of each output and of its partner: α·cos θ and α·sin θ. */
function factors(theta: Tensor, alpha: Tensor, { variant, groupSize }: RoadConfigFields): [Tensor, Tensor] {
  const [c, s] = [mul(alpha, cos(theta)), mul(alpha, sin(theta))];
  if (variant === "road_2") return [c, s];
  if (variant === "road_4") {
    const part = (t: Tensor, i: number): Tensor => reshape(slice(reshape(t, [-1, 2, groupSize]), [undefined, [i, i + 1]]), [-1]);
    return [part(c, 0), part(s, 1)];
  }
  const twice = (t: Tensor): Tensor => {
    const row = reshape(t, [-1, 1, groupSize / 2]);
    return reshape(concat([row, row], 1), [-1]);
  };
  return [twice(c), twice(s)];
}

/** The last axis turned pair by pair and scaled. */
function turn(y: Tensor, { theta, alpha }: Params, { config, scale }: AdapterContext<RoadConfigFields>): Tensor {
  const input = wide(y);
  const [own, partners] = factors(wide(theta!), wide(alpha!), config);
  const [first, second] = halves(input, config.groupSize);
  const rotated = reshape(concat([neg(second), first], first.shape.length - 2), y.shape);
  const turned = add(mul(input, own), mul(rotated, partners));
  return scale === 1 ? turned : add(input, times(sub(turned, input), scale));
}

/**
 * RoAd (Liao & Monz 2024): turns pairs of outputs by angles θ and scales them by α: y' = R·y, so W' = R·W and b' = R·b. Linear.
 * @see peft `tuners/road/layer.py`
 */
export const ROAD: AdapterMethod<RoadConfigFields> = {
  name: "ROAD",
  prefix: "road_",
  fields: FIELDS,
  parameters({ variant, groupSize, initWeights }, layer) {
    requireKind("ROAD", layer);
    const { out } = featuresOf(layer);
    if (groupSize % 2 !== 0 || out % groupSize !== 0)
      throw new ConfigError(`ROAD: group_size ${groupSize} must be even and divide ${out} outputs`);
    const shape = [out * SHARE[variant]];
    return {
      theta: trained(shape, initWeights ? { kind: "zeros" } : { kind: "normal", std: 0.5 }),
      alpha: trained(shape, { kind: "ones" }),
    };
  },
  keys: () => ({ theta: ["road_theta"], alpha: ["road_alpha"] }),
  init(config, layer, generator) {
    const specs = ROAD.parameters(config, layer);
    const params = initParameters(specs, generator);
    const { shape } = specs.alpha!;
    return Promise.resolve({
      params: config.initWeights ? params : { ...params, alpha: tensor(torchNormal(generator, shape[0]!, 1, 0.5), { shape }) },
    });
  },
  transform: (weight, params, context) => stored(swapLast(turn(swapLast(stored(weight, context.layer)), params, context)), context.layer),
  biasTransform: turn,
  forward(x, base, params, context) {
    const y = forwardBase(context.layer, base, x);
    return cast(turn(y, params, context), y.dtype);
  },
};
