import type { ConformanceCase } from "./case.js";

/** The first `count` cases of each subject, which is what stands before the colon of a case's name: all kernels by fewer dtypes and shapes. */
export function firstOfEach(cases: readonly ConformanceCase[], count: number): ConformanceCase[] {
  const seen = new Map<string, number>();
  return cases.filter(({ name }) => {
    const subject = name.split(":", 1)[0]!;
    const index = seen.get(subject) ?? 0;
    seen.set(subject, index + 1);
    return index < count;
  });
}
