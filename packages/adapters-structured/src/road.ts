import {
  type AdapterContext,
  type AdapterMethod,
  add,
  cast,
  concat,
  configClass,
  type ConfigClass,
  cos,
  forwardBase,
  mul,
  neg,
  oneOf,
  type Params,
  reshape,
  sin,
  slice,
  sub,
  swapLast,
  type Tensor,
} from "@weft/tensor-core";
import {
  basics,
  BY_NAME,
  count,
  fields,
  normal,
  requireMultiples,
  type Round,
  roundedTo,
  stored,
  times,
  trained,
  unrounded,
  wide,
} from "@weft/tensor-core/methods";

/** The config of a RoAd adapter. */
export interface RoadConfigFields {
  /** Numbers of angles and scales: one per pair of outputs, one per output, two per output. */
  readonly variant: "road_1" | "road_2" | "road_4";
  /** Output i is paired with output i + groupSize/2 of its group. */
  readonly groupSize: number;
  readonly initWeights: boolean;
}

const SHARE = { road_1: 0.5, road_2: 1, road_4: 2 };

const FIELDS = fields("road", ["init_weights"], { variant: oneOf("road_1", Object.keys(SHARE)), group_size: count(64) }, BY_NAME);

/** PEFT's `RoadConfig` (`peft_type` ROAD): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const RoadConfig: ConfigClass<RoadConfigFields> = configClass("ROAD", FIELDS);

/** The two halves along the last axis but one of t seen as [.., n, 2, width]. */
function halves(t: Tensor, width: number): [Tensor, Tensor] {
  const pairs = reshape(t, [...t.shape.slice(0, -1), -1, 2, width]);
  const all = pairs.shape.slice(0, -2).map(() => undefined);
  return [slice(pairs, [...all, [0, 1]]), slice(pairs, [...all, [1, 2]])];
}

/** The factors [out] of each output and of its partner: α·cos θ and α·sin θ. */
function factors(theta: Tensor, alpha: Tensor, { variant, groupSize }: RoadConfigFields): [Tensor, Tensor] {
  const [c, s] = [mul(alpha, cos(theta)), mul(alpha, sin(theta))];
  if (variant === "road_2") return [c, s];
  if (variant === "road_4") return [reshape(halves(c, groupSize)[0], [-1]), reshape(halves(s, groupSize)[1], [-1])];
  const twice = (t: Tensor): Tensor => {
    const row = reshape(t, [-1, 1, groupSize / 2]);
    return reshape(concat([row, row], 1), [-1]);
  };
  return [twice(c), twice(s)];
}

/** The last axis turned pair by pair and scaled. */
function turn(y: Tensor, { theta, alpha }: Params, { config, scale }: AdapterContext<RoadConfigFields>, rounded: Round): Tensor {
  const input = wide(y);
  const [own, partners] = factors(wide(theta!), wide(alpha!), config).map(rounded) as [Tensor, Tensor];
  const [first, second] = halves(input, config.groupSize / 2);
  const turned = add(mul(input, own), mul(reshape(concat([neg(second), first], -2), y.shape), partners));
  return scale === 1 ? turned : add(input, times(sub(turned, input), scale));
}

/**
 * RoAd (Liao & Monz 2024): turns pairs of outputs by angles θ and scales them by α: y' = R·y, so W' = R·W and b' = R·b. Linear.
 * @see peft `tuners/road/layer.py`
 */
export const ROAD: AdapterMethod<RoadConfigFields> = {
  ...basics<RoadConfigFields>({
    name: "ROAD",
    prefix: "road_",
    fields: FIELDS,
    parameters({ variant, groupSize, initWeights }, { out }) {
      requireMultiples("ROAD", "group_size", groupSize, [out]);
      requireMultiples("ROAD", "pairs of", 2, [groupSize]);
      const shape = [out * SHARE[variant]];
      return { theta: trained(shape, initWeights ? "zeros" : normal(0.5)), alpha: trained(shape, initWeights ? "ones" : normal(0.5, 1)) };
    },
    names: ["theta", "alpha"],
  }),
  transform: (weight, params, context) =>
    stored(swapLast(turn(swapLast(stored(weight, context.layer)), params, context, roundedTo(weight.dtype))), context.layer),
  biasTransform: (bias, params, context) => turn(bias, params, context, roundedTo(bias.dtype)),
  forward(x, base, params, context) {
    const y = forwardBase(context.layer, base, x);
    return cast(turn(y, params, context, unrounded), y.dtype);
  },
};
