import { BaseSequencer, type TestSpecification } from "vitest/node";

/** What takes longest. A file of these that began last would be waited for with all other cores idle; vitest knows no durations where nothing has run yet. */
const LONG = [/kernels-\w+\/src\/conformance/, /\/apps\/cli\//, /\/readme\.test/, /\/gradients\.test/, /\/header-bombs/, /\/kernels\.test/];

const rank = ({ moduleId }: TestSpecification): number => {
  const at = LONG.findIndex((pattern) => pattern.test(moduleId));
  return at < 0 ? LONG.length : at;
};

/** The order of test files: vitest's own, behind those that are known to take long. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}
