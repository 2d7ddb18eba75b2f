import { coverageOf, describePlace, encodedOf, lensOf, refusals } from "@weft/datasets";
import { failureOf } from "../failure.js";
import { settingsOf } from "../runs/settings.js";
import type { Handler } from "./command-context.js";

/** What would be learnt of data, by the lens of @weft/datasets. */
export const lens: Handler<"lens"> = async ({ source, config, from, count }, { documents, examples, device }) => {
  const { model, data } = await documents.of(source, await device());
  const { train } = await examples.of(data, model, settingsOf(config));
  const coverage = coverageOf(train.flatMap(encodedOf));
  const { truncated, untrained, lengths, end, tokens, trained, share } = coverage;
  const shown = train.slice(from, from + count).flatMap(encodedOf);
  return {
    coverage: {
      examples: train.length,
      tokens,
      trained,
      share,
      untrained: untrained.count,
      end,
      truncated: { count: truncated.count, tokens: truncated.tokens },
      longest: lengths.max,
      median: lengths.median,
    },
    refusals: refusals(coverage).map(failureOf),
    examples: shown.map((one) => {
      const { tokens: all, trained: learnt, seen, endTrained, warnings, place } = lensOf(one, model.files.tokenizer);
      return {
        place: describePlace(place),
        tokens: all.map(({ role, offset: [at, to], ...rest }) => ({
          ...rest,
          offset: [at, to] as [number, number],
          ...(role !== undefined && { role }),
        })),
        trained: learnt,
        seen,
        ...(endTrained !== undefined && { endTrained }),
        warnings: [...warnings],
      };
    }),
  };
};
